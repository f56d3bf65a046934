"""Functions for the processor that this machine does not have, run by an emulator within their sandbox alone."""

import base64
import json
import os
import pathlib
import platform
import shutil
import subprocess

import botocore.exceptions
import pytest

import packages
import test_java
from server import TOOLS

EMULATOR = TOOLS / "emulator/usr/bin"
ROOT = TOOLS / "roots/java21-arm64"
GO = TOOLS / "go/arm64/bootstrap"
COMPILER = shutil.which("aarch64-linux-gnu-gcc")
TABLE = pathlib.Path("/proc/sys/fs/binfmt_misc")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="this machine is of the other architecture itself"),
    pytest.mark.skipif(not (EMULATOR / "qemu-aarch64-static").exists(), reason="no emulator: ./dev test unpacks it"),
]
ARM = {"Architectures": ["arm64"]}


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    if not COMPILER:
        pytest.skip("no compiler for arm64: ./dev test installs it")
    program = tmp_path_factory.mktemp("arm64") / "bootstrap"
    source = packages.FUNCTIONS / "arm64.c"
    subprocess.run([COMPILER, "-static", "-O1", "-D_GNU_SOURCE", "-o", program, source], check=True, timeout=120)
    return packages.package({"bootstrap": program.read_bytes()})


class Functions:
    def __init__(self, server, deployer):
        self.server, self.client, self.deploy = server, server.client(), deployer(server)

    def invoke(self, name, do="what"):
        return self.invoke_event(name, {do: 1})

    def invoke_event(self, name, event):
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read()), tail


@pytest.fixture(scope="module", params=["sandbox", "rootless"])
def functions(request, serve, deployer):
    path = f"{EMULATOR}:{os.environ['PATH']}"
    flags = ("--runtime", f"java21/arm64={ROOT}") if ROOT.exists() else ()
    server = serve("--isolation", request.param, *flags, environment={"PATH": path})
    yield Functions(server, deployer)
    assert "panicked" not in server.log.read_text(errors="replace")
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(functions, bootstrap):
    layer = functions.client.publish_layer_version(
        LayerName="arm", Content={"ZipFile": packages.package({"of-layer": "x"})}
    )["LayerVersionArn"]
    return functions.deploy(bootstrap, runtime="provided.al2023", Timeout=5, Layers=[layer], **ARM)


def test_a_program_for_the_other_processor(functions, function):
    before = sorted(os.listdir(TABLE)) if TABLE.is_dir() else []
    assert functions.invoke(function)[:2] == (None, {"machine": "aarch64", "layer": True})
    error, found, tail = functions.invoke(function)
    assert error is None and "Init Duration" not in tail, "the same process goes on"
    large = json.dumps({"echo": "x" * 3_000_000})
    assert functions.client.invoke(FunctionName=function, Payload=large)["Payload"].read() == large.encode()
    # Nothing of this machine's own has changed.
    assert (sorted(os.listdir(TABLE)) if TABLE.is_dir() else []) == before


def test_its_failures(functions, function):
    error, payload, _ = functions.invoke(function, "error")
    assert (error, payload["errorType"], payload["errorMessage"]) == ("Unhandled", "Function.Asked", "as asked")
    error, payload, _ = functions.invoke(function, "exit")
    assert payload["errorType"] == "Runtime.ExitError" and payload["errorMessage"].endswith("exit status 7")
    error, payload, _ = functions.invoke(function, "sleep")
    assert payload["errorType"] == "Sandbox.Timedout" and "timed out after 5.00 seconds" in payload["errorMessage"]
    error, payload, tail = functions.invoke(function, "memory")
    assert payload["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError") and error == "Unhandled"
    assert functions.invoke(function)[0] is None


def test_it_reaches_no_further(functions, function):
    """Neither the table of its own sandbox nor what native code may not do."""
    found = functions.invoke(function, "attack")[1]
    assert found["register"] in ("No such file or directory", "Permission denied", "Read-only file system"), found
    assert found["mount"] in ("Operation not permitted", "Permission denied", "Function not implemented"), found
    assert found["ptrace"] in ("Operation not permitted", "Function not implemented"), found


def test_without_being_asked_nothing_is_emulated(functions, bootstrap):
    """A function for this machine's processor with a program for another fails, as on AWS."""
    error, payload, _ = functions.invoke(functions.deploy(bootstrap, runtime="provided.al2023"))
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")
    assert payload["errorMessage"].endswith("Error: fork/exec /var/task/bootstrap: exec format error")


@pytest.mark.skipif(not ROOT.exists(), reason=f"no Java for arm64 in {ROOT}: ./dev test puts it there")
def test_a_managed_runtime(functions, tmp_path):
    """Java; Python, Node.js and Ruby are in test_every_runtime.py."""
    classes = packages.package(test_java.compiled(tmp_path, "java"))
    name = functions.deploy(classes, runtime="java21", handler="example.Functions", Timeout=60, MemorySize=512, **ARM)
    error, result, tail = functions.invoke_event(name, {"do": "environment"})
    assert error is None and result["AWS_EXECUTION_ENV"] == "AWS_Lambda_java21"
    assert functions.invoke_event(name, {"do": "property", "name": "os.arch"})[1] == "aarch64"
    error, result, tail = functions.invoke_event(name, {"do": "raise"})
    assert error == "Unhandled" and result["errorType"] in tail


@pytest.mark.skipif(not GO.exists(), reason=f"{GO} is not there: ./dev test makes it")
def test_a_program_in_go(functions):
    name = functions.deploy(packages.package({"bootstrap": GO.read_bytes()}), runtime="provided.al2023", Timeout=20, **ARM)
    assert functions.invoke_event(name, {"do": "machine"})[:2] == (None, "arm64")
    error, result, _ = functions.invoke_event(name, {"do": "error"})
    assert (error, result["errorType"], result["errorMessage"]) == ("Unhandled", "errorString", "as asked")


# The second is one that this machine may have no interpreter for at all: that is no reason to refuse it.
@pytest.mark.parametrize("runtime", ["nodejs20.x", "python3.14"])
def test_an_interpreter_of_this_machine_is_not_taken(functions, runtime):
    name = functions.deploy(packages.python("def handler(event, context): pass\n"), runtime=runtime, **ARM)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        functions.invoke(name)
    assert refused.value.response["Error"]["Code"] == "InvalidRuntimeException"
    assert f"--runtime {runtime}/arm64=DIRECTORY" in refused.value.response["Error"]["Message"]


def test_without_an_emulator(serve, deployer, bootstrap):
    server = serve("--isolation", "sandbox", environment={"PATH": "/usr/sbin:/usr/bin"})
    functions = Functions(server, deployer)
    name = functions.deploy(bootstrap, runtime="provided.al2023", **ARM)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        functions.invoke(name)
    assert refused.value.response["Error"]["Code"] == "InvalidRuntimeException"
    assert "install qemu-user-static" in refused.value.response["Error"]["Message"]
    server.stop()
