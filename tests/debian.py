#!/usr/bin/env python3
"""Unpacks packages of a Debian release, with all that they depend on, into a root file system: for tests, of runtimes that
this machine's own release does not have.

    tests/debian.py DIRECTORY RELEASE[/ARCHITECTURE] PACKAGE...
"""

import hashlib
import lzma
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import urllib.request

MIRROR = "http://deb.debian.org/debian"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# What packages depend on that needs no such thing to be run.
UNWANTED = re.compile(r"(debconf|rubygems-integration|ca-certificates|openssl|perl.*|dpkg|adduser|init-system-helpers)$")


def fetch(path):
    with urllib.request.urlopen(f"{MIRROR}/{path}", timeout=120) as answer:
        return answer.read()


def index(release, architecture):
    """Name → fields of each package."""
    text = lzma.decompress(fetch(f"dists/{release}/main/binary-{architecture}/Packages.xz")).decode()
    found = {}
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", paragraph, re.M))
        if "Package" in fields:
            found[fields["Package"]] = fields
    return found


def closure(packages, wanted):
    """What is wanted and what that needs. Of alternatives the first counts."""
    provided = {}
    for name, fields in packages.items():
        for other in re.findall(r"[a-z0-9][a-z0-9.+-]+", re.sub(r"\(.*?\)", "", fields.get("Provides", ""))):
            provided.setdefault(other, name)
    chosen, left = [], list(wanted)
    while left:
        name = left.pop(0)
        name = name if name in packages else provided.get(name)
        if name is None or name in chosen or UNWANTED.match(name):
            continue
        chosen.append(name)
        depends = ", ".join(packages[name].get(kind, "") for kind in ("Depends", "Pre-Depends"))
        left += [re.split(r"[ :(|]", part.strip())[0] for part in depends.split(",") if part.strip()]
    return chosen


def main(directory, release, *wanted):
    target = pathlib.Path(directory)
    unfinished = target.with_name(target.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    # Today's Debian has all programs and libraries below /usr.
    for name in ("bin", "sbin", "lib", "lib64"):
        (unfinished / "usr" / name).mkdir(parents=True)
        (unfinished / name).symlink_to(f"usr/{name}")
    release, _, architecture = release.partition("/")
    packages = index(release, architecture or ARCHITECTURES[platform.machine()])
    for name in closure(packages, wanted):
        fields = packages[name]
        content = fetch(fields["Filename"])
        assert hashlib.sha256(content).hexdigest() == fields["SHA256"], name
        archive = unfinished / "package.deb"
        archive.write_bytes(content)
        # Without the link's replacement, which dpkg itself would not do either.
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", unfinished], input=data, check=True)
        archive.unlink()
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
