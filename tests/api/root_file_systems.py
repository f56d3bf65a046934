"""Root file systems to run functions in: an interpreter and what it links to, and nothing else of this machine."""

import os
import pathlib
import re
import shutil
import subprocess

LOADER = re.compile(r"(?:=> )?(/\S+) \(0x")


def linked(program):
    """The libraries that a program or library is linked to, with the loader."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=60).stdout
    return {pathlib.Path(path) for path in LOADER.findall(listed)}


def put(root, source, target=None):
    """Copies a file to where it is, or elsewhere, in the root file system."""
    place = root / str(target or source).lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        shutil.copy(os.path.realpath(source), place)


def with_programs(root, *programs):
    """Puts programs where they are on this machine, with all that they are linked to."""
    for program in programs:
        put(root, program)
        for library in linked(program):
            put(root, library)
    return root


def with_python(root, interpreter, name):
    """Puts Python at /var/lang, without what is installed for it."""
    where = "import sys, os; print(sys.base_prefix); print(os.path.realpath(sys.executable)); print('python%d.%d' % sys.version_info[:2])"
    prefix, program, version = subprocess.check_output([interpreter, "-I", "-c", where], text=True).split()
    put(root, program, f"/var/lang/bin/{name}")
    library = root / "var/lang/lib" / version
    ignored = shutil.ignore_patterns("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "__pycache__", "config-*")
    shutil.copytree(f"{prefix}/lib/{version}", library, ignore=ignored, dirs_exist_ok=True)
    for each in [program, *library.rglob("*.so")]:
        for linked_to in linked(each):
            put(root, linked_to)
    return root
