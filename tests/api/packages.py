"""Deployment packages: small zips made in memory, byte for byte the same each time."""

import functools
import io
import pathlib
import shutil
import stat
import subprocess
import tempfile
import zipfile

from server import REPOSITORY, TOOLS

FUNCTIONS = pathlib.Path(__file__).parent / "functions"
DATE = (2026, 1, 1, 0, 0, 0)


def entry(name, mode=stat.S_IFREG | 0o644, compression=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, DATE)
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = compression
    return info


def package(files):
    """A zip of {name: content}; what begins with `#!` or is an ELF file is executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            executable = content.startswith((b"#!", b"\x7fELF"))
            archive.writestr(entry(name, stat.S_IFREG | (0o755 if executable else 0o644)), content)
    return buffer.getvalue()


def source(name):
    return (FUNCTIONS / name).read_bytes()


def python(code):
    return package({"index.py": code})


def node(code):
    return package({"index.mjs": code})


def bootstrap(code):
    return package({"bootstrap": code})


@functools.cache
def probe():
    """The function that does what its event asks for: see functions/probe.py."""
    return package({"index.py": source("probe.py")})


@functools.cache
def compiled():
    """The package of examples/hello-custom-runtime, or None where there is no Rust compiler."""
    if shutil.which("rustc") is None:
        return None
    binary = TOOLS / "hello-bootstrap"
    code = REPOSITORY / "examples/hello-custom-runtime/bootstrap.rs"
    if not binary.exists() or binary.stat().st_mtime < code.stat().st_mtime:
        # Whoever else runs tests may be making it as well.
        with tempfile.TemporaryDirectory(dir=TOOLS) as directory:
            made = pathlib.Path(directory) / binary.name
            command = ["rustc", "--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o", made, code]
            subprocess.run(command, check=True, timeout=120)
            made.replace(binary)
    return package({"bootstrap": binary.read_bytes()})
