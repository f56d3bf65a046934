"""The interpreters of this machine, and AWS' clients where `setup.py` put them."""

import glob
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(ROOT, "target", "runtime-clients")
OURS_PYTHON = os.path.join(ROOT, "runtimes", "python", "client")
OURS_NODEJS = os.path.join(ROOT, "runtimes", "nodejs", "client")
PYTHON_VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
NODEJS_VERSIONS = ("18", "20", "22", "24")


def python_interpreters():
    """{version: executable} of the supported Pythons found."""
    found = {}
    for version in PYTHON_VERSIONS:
        candidates = sorted(
            glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/python3" % version))
        )
        candidates += ["/usr/local/bin/python" + version, "/usr/bin/python" + version]
        for candidate in candidates:
            if os.access(candidate, os.X_OK) and answers(candidate, "Python " + version):
                found[version] = candidate
                break
    return found


def nodejs_interpreters():
    """{major version: executable} of the supported Node.js found."""
    found = {}
    for version in NODEJS_VERSIONS:
        cached = os.path.join(
            ROOT, "target", "runtimes", "node" + version, "node_modules/node/bin/node"
        )
        for candidate in (cached, "/usr/local/bin/node", "/usr/bin/node"):
            if os.access(candidate, os.X_OK) and answers(candidate, "v" + version):
                found[version] = candidate
                break
    return found


def answers(executable, prefix):
    result = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, check=False
    )
    return result.stdout.strip().startswith(prefix + ".")


def aws_python(version):
    """Folder with `awslambdaric` for this version, or None."""
    folder = os.path.join(CACHE, "awslambdaric-" + version)
    return folder if os.path.isdir(os.path.join(folder, "awslambdaric")) else None


def aws_nodejs(version):
    """Module that starts `aws-lambda-ric` of the line that this version has, or None."""
    if int(version) >= 24:
        module = "ric-4.0.2/node_modules/aws-lambda-ric/index.mjs"
        return built_module(module)
    module = "ric-3.3.0/node_modules/aws-lambda-ric/dist/index.mjs"
    if built_module(module) is None:
        return None
    # On AWS the client itself is the entry point; a static import comes nearest to that.
    starter = os.path.join(CACHE, "ric-3.3.0", "start.mjs")
    text = (
        'import { run } from "%s";\n'
        "await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);\n"
    ) % os.path.join(CACHE, module)
    if not os.path.exists(starter) or open(starter, encoding="utf-8").read() != text:
        with open(starter + ".%d" % os.getpid(), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, starter)
    return starter


def built_module(module):
    path = os.path.join(CACHE, module)
    addon = os.path.join(os.path.dirname(path), "rapid-client.node")
    return path if os.path.exists(path) and os.path.exists(addon) else None
