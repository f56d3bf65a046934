"""Fetches what the comparison needs, once, into `target/`: AWS' clients and Node.js.

Every part that cannot be had is said loudly, and its rows are skipped by the tests.
"""

import os
import shutil
import subprocess
import sys

from interpreters import (
    CACHE,
    NODEJS_VERSIONS,
    ROOT,
    aws_nodejs,
    aws_python,
    nodejs_interpreters,
    python_interpreters,
)

AWSLAMBDARIC = "awslambdaric==4.2.2"
# The release of each line of `aws-lambda-ric`, and a version of Node.js that it is for.
NODEJS_CLIENTS = {"3.3.0": "20", "4.0.2": "24"}
BUILD_TOOLS = ("cmake", "autoconf", "automake", "libtoolize", "make", "g++")
missing = []


def main():
    os.makedirs(CACHE, exist_ok=True)
    for version, interpreter in python_interpreters().items():
        if aws_python(version) is None:
            attempt("awslambdaric for Python " + version, install_awslambdaric, version, interpreter)
    for version in NODEJS_VERSIONS:
        if version not in nodejs_interpreters():
            attempt("Node.js " + version, install_nodejs, version)
    for release, version in NODEJS_CLIENTS.items():
        if aws_nodejs(version) is None:
            attempt("aws-lambda-ric " + release, build_nodejs_client, release)
    for what in missing:
        print("MISSING: %s; its scenarios will be SKIPPED" % what, file=sys.stderr)


def attempt(what, action, *arguments):
    try:
        print("runtime clients: fetching " + what, flush=True)
        action(*arguments)
    except (OSError, subprocess.CalledProcessError) as error:
        missing.append("%s (%s)" % (what, error))


def install_awslambdaric(version, interpreter):
    folder = os.path.join(CACHE, "awslambdaric-" + version)
    command = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(command + ["--target", folder, AWSLAMBDARIC])


def install_nodejs(version):
    folder = os.path.join(ROOT, "target", "runtimes", "node" + version)
    private_package(folder)
    run(["npm", "install", "--no-audit", "--no-fund", "node@" + version], folder)


def build_nodejs_client(release):
    absent = [tool for tool in BUILD_TOOLS if shutil.which(tool) is None]
    if absent:
        raise OSError("install " + " ".join(absent))
    folder = os.path.join(CACHE, "ric-" + release)
    private_package(folder)
    run(["npm", "install", "--ignore-scripts", "aws-lambda-ric@" + release], folder)
    package = os.path.join(folder, "node_modules", "aws-lambda-ric")
    path = os.path.join(folder, "node_modules", ".bin") + os.pathsep + os.environ["PATH"]
    variables = {**os.environ, "PATH": path}
    if os.path.exists("/usr/include/node/node_version.h"):
        variables["npm_config_nodedir"] = "/usr"
    for step in ("preinstall", "postinstall"):
        run(["sh", os.path.join("scripts", step + ".sh")], package, variables)


def private_package(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
        file.write('{"private":true}\n')


def run(command, folder=None, variables=None):
    log = os.path.join(CACHE, "setup.log")
    with open(log, "ab") as output:
        subprocess.run(
            command, cwd=folder, env=variables, stdout=output, stderr=output, check=True
        )


if __name__ == "__main__":
    main()
