"""Runtimes with a root file system of their own: with our client, with AWS' own as its base images have it, or with none."""

import json
import os
import pathlib
import shutil

import pytest

import packages
import root_file_systems
from server import TOOLS, wait_until
from test_aws_runtime_clients import HOW, interpreters

FUNCTION = """
import os, subprocess, sys

def handler(event, context):
    if event.get("do") == "raise":
        raise ValueError("as asked")
    if event.get("do") == "write":
        open(event["path"], "w").write("x")
    if event.get("do") == "layer":
        import of_layer
        return of_layer.NAME
    return {
        "interpreter": sys.executable, "prefix": sys.prefix, "marker": os.path.exists("/marker"),
        "programs": sorted(os.listdir("/usr/bin")) if os.path.isdir("/usr/bin") else [],
        "client": sorted(os.listdir("/var/runtime")), "user": os.getuid(), "directory": os.getcwd(),
        "variable": os.environ.get("WRAPPED"), "name": context.function_name, "hosts": open("/etc/hosts").read(),
    }
"""

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def interpreter(machine, python_runtime):
    """That of a Python runtime on this machine, and the runtime's identifier."""
    return machine[python_runtime]["detail"].split(" ")[0], python_runtime


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("roots")
    base.chmod(0o755)
    for parent in base.parents:
        if parent != pathlib.Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)

    def make(name):
        root = base / name
        root.mkdir()
        (root / "marker").write_text("")
        return root

    yield make
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def bare(roots, interpreter):
    """An interpreter, and no client."""
    return root_file_systems.with_python(roots("bare"), interpreter[0], interpreter[1])


class Rooted:
    def __init__(self, serve, deployer, runtime, root, isolation="sandbox"):
        self.server = serve("--isolation", isolation, "--runtime", f"{runtime}={root}")
        self.client, self.deployer, self.runtime = self.server.client(), deployer, runtime

    def deploy(self, package=None, **settings):
        deploy = self.deployer(self.server)
        return deploy(package or packages.python(FUNCTION), runtime=self.runtime, **settings)

    def invoke(self, function, **event):
        answer = self.client.invoke(FunctionName=function, Payload=json.dumps(event))
        return answer.get("FunctionError"), json.load(answer["Payload"])

    def log(self, name):
        events = self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [event["message"] for event in events]


@pytest.fixture(scope="module")
def rooted(serve, deployer, interpreter, bare):
    instance = Rooted(serve, deployer, interpreter[1], bare)
    yield instance
    assert instance.server.stop() == 0


def test_nothing_of_the_machine_is_there(rooted, interpreter):
    name = rooted.deploy()
    error, found = rooted.invoke(name)
    assert error is None
    assert (found["marker"], found["programs"], found["name"]) == (True, [], name)
    assert (found["interpreter"], found["prefix"]) == (f"/var/lang/bin/{interpreter[1]}", "/var/lang")
    assert "bootstrap.py" in found["client"] and found["directory"] == "/var/task" and found["user"] == 993
    assert "localhost" in found["hosts"]


def test_without_privileges(serve, deployer, interpreter, bare):
    instance = Rooted(serve, deployer, interpreter[1], bare, isolation="rootless")
    error, found = instance.invoke(instance.deploy())
    assert error is None and (found["marker"], found["programs"], found["prefix"]) == (True, [], "/var/lang")
    assert instance.server.stop() == 0


def test_it_is_a_runtime_like_any_other(rooted):
    layer = packages.package({"python/of_layer.py": "NAME = 'the layer'\n"})
    arn = rooted.client.publish_layer_version(LayerName="rooted", Content={"ZipFile": layer})["LayerVersionArn"]
    name = rooted.deploy(Layers=[arn])
    assert rooted.invoke(name, do="layer") == (None, "the layer")
    error, body = rooted.invoke(name, do="raise")
    assert (error, body["errorType"], body["errorMessage"]) == ("Unhandled", "ValueError", "as asked")
    wait_until(lambda: sum(line.startswith("REPORT") for line in rooted.log(name)) == 2, what="reports")


@pytest.mark.parametrize("path", ["/marker", "/var/lang/bin/new", "/etc/hosts", "/var/runtime/x", "/new"])
def test_it_is_read_only(rooted, bare, path):
    error, body = rooted.invoke(rooted.deploy(), do="write", path=path)
    assert error == "Unhandled" and body["errorType"] in ("OSError", "PermissionError")
    assert (bare / "marker").read_text() == "" and not (bare / "new").exists()


def test_devices_of_it_are_no_devices(serve, deployer, roots, interpreter):
    """A root file system is as hostile as any package: its device nodes lead to nothing."""
    root = root_file_systems.with_python(roots("devices"), interpreter[0], interpreter[1])
    os.mknod(root / "memory", 0o020666, os.makedev(1, 1))
    instance = Rooted(serve, deployer, interpreter[1], root)
    code = "def handler(event, context):\n    return open('/memory', 'rb').read(1).hex()\n"
    error, body = instance.invoke(instance.deploy(packages.python(code)))
    assert (error, body["errorType"]) == ("Unhandled", "PermissionError")
    assert instance.server.stop() == 0


def test_aws_own_client(serve, deployer, roots, interpreter):
    """As in AWS' base images: /var/runtime/bootstrap starts their client, and sees to wrapper scripts."""
    version = interpreter[1].removeprefix("python")
    client = interpreters.aws_python(version)
    if client is None:
        pytest.skip(f"AWS' client is not here: {HOW}")
    root = root_file_systems.with_python(roots("own"), interpreter[0], interpreter[1])
    root_file_systems.with_programs(root, "/bin/sh", "/bin/env")
    shutil.copytree(client, root / "var/runtime", dirs_exist_ok=True)
    for library in (root / "var/runtime").rglob("*.so"):
        for linked in root_file_systems.linked(library):
            root_file_systems.put(root, linked)
    bootstrap = root / "var/runtime/bootstrap"
    start = f"exec $AWS_LAMBDA_EXEC_WRAPPER /var/lang/bin/{interpreter[1]} -m awslambdaric \"$_HANDLER\"\n"
    bootstrap.write_text("#!/bin/sh\nexport PYTHONPATH=/var/task:/var/runtime\n" + start)
    bootstrap.chmod(0o755)
    instance = Rooted(serve, deployer, interpreter[1], root)
    files = {"index.py": FUNCTION, "wrap": "#!/bin/sh\nexport WRAPPED=\"$#\"\nexec \"$@\"\n"}
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}
    name = instance.deploy(packages.package(files), Environment=variables)
    error, found = instance.invoke(name)
    assert error is None, found
    assert "awslambdaric" in found["client"] and "rushlight_runtime.py" not in found["client"]
    assert found["variable"] == "4", "the wrapper was started once, by the root file system's own script"
    error, body = instance.invoke(name, do="raise")
    assert (error, body["errorType"]) == ("Unhandled", "ValueError")
    assert instance.server.stop() == 0


@pytest.mark.skipif(packages.compiled() is None, reason="there is no Rust compiler")
def test_an_operating_system_of_ones_own(serve, deployer, roots):
    root = root_file_systems.with_programs(roots("system"), "/bin/sh", "/bin/cat")
    instance = Rooted(serve, deployer, "provided.al2023", root)
    name = instance.deploy(packages.compiled())
    error, body = instance.invoke(name, name="root")
    assert error is None and "root" in json.dumps(body)
    assert instance.server.stop() == 0


@pytest.mark.skipif(not (TOOLS / "roots/python3.14").exists(), reason="there is no Python 3.14: ./dev test puts it there")
def test_python_that_this_machine_does_not_have(serve, deployer):
    instance = Rooted(serve, deployer, "python3.14", TOOLS / "roots/python3.14")
    code = """
import json, logging, sys
def handler(event, context):
    logging.warning("two\\nlines")
    if event.get("do") == "raise":
        raise ValueError("as asked")
    return [list(sys.version_info[:2]), event, context.memory_limit_in_mb]
"""
    name = instance.deploy(packages.python(code))
    assert instance.invoke(name, a="ü") == (None, [[3, 14], {"a": "ü"}, "128"])
    error, body = instance.invoke(name, do="raise")
    assert (error, body["errorType"], body["stackTrace"][0].split(",")[0]) == ("Unhandled", "ValueError", '  File "/var/task/index.py"')
    wait_until(lambda: any(line.startswith("[WARNING]") and "two\nlines" in line for line in instance.log(name)), what="the log")
    assert any("INIT_START Runtime Version: python:3.14." in line for line in instance.log(name))
    assert instance.server.stop() == 0


def test_one_that_lacks_something(serve, deployer, roots, interpreter):
    root = roots("empty")
    instance = Rooted(serve, deployer, interpreter[1], root)
    with pytest.raises(instance.client.exceptions.ClientError, match="neither /var/runtime/bootstrap nor /var/lang/bin/"):
        instance.deploy()
    listed = instance.server.rushlight("doctor", "--runtime", f"{interpreter[1]}={root}", "--json", check=False).stdout
    (found,) = [one for one in json.loads(listed)["runtimes"] if one["identifier"] == interpreter[1]]
    assert found["status"] == "missing" and "neither /var/runtime/bootstrap nor" in found["detail"]
    assert instance.server.stop() == 0


def test_without_isolation_there_is_none(serve, roots):
    root = roots("unused")
    with pytest.raises(AssertionError, match="a root file system takes isolation"):
        serve("--isolation", "none", "--runtime", f"provided.al2023={root}")
