"""`rushlight runtimes`: what there is, what is missing, and root file systems that are added to a running server."""

import json
import shlex

import botocore.exceptions
import pytest

import images
import packages
import root_file_systems
from server import TOOLS
from test_documented_commands import blocks

pytestmark = pytest.mark.root
FUNCTION = "import sys\ndef handler(event, context): return [sys.executable, open('/marker').read()]\n"
# One that this machine has no interpreter for.
MISSING = "python3.14"
ROOT = TOOLS / f"roots/{MISSING}"


@pytest.fixture(scope="module")
def here(serve):
    server = serve("--isolation", "sandbox")
    yield server
    assert server.stop() == 0


@pytest.fixture
def runtimes(here):
    def run(*arguments, check=True):
        return here.rushlight("runtimes", *arguments, "--data-dir", str(here.data), check=check)

    yield run
    for identifier in ("python3.12", MISSING):
        run("remove", identifier, check=False)


def listed(runtimes):
    return {runtime["identifier"]: runtime for runtime in json.loads(runtimes("list", "--json").stdout)}


def test_what_there_is(runtimes, python_runtime, machine):
    found = listed(runtimes)
    assert found[python_runtime]["status"] == "found" and found[python_runtime]["detail"] == machine[python_runtime]["detail"]
    assert found["python3.12"]["version"].startswith("python:3.12.v") and found["python3.12"]["blockCreate"] == "2028-11-30"
    assert found["provided.al2023"]["architectures"] == ["x86_64", "arm64"]
    text = runtimes("list").stdout
    assert f"ok  {python_runtime}" in text and "created until 2028-11-30" in text


@pytest.mark.skipif(not ROOT.exists(), reason=f"{MISSING} is not in {ROOT}: ./dev test puts it there")
def test_what_is_missing_is_added(runtimes, here, deployer, tmp_path):
    if listed(runtimes)[MISSING]["status"] == "found":
        pytest.skip(f"this machine has {MISSING}")
    missing = runtimes("doctor", MISSING, check=False)
    assert missing.returncode == 1 and f"rushlight runtimes add {MISSING} IMAGE" in missing.stdout
    package = packages.python("import sys\ndef handler(event, context): return sys.version_info[:2]\n")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        deployer(here)(package, runtime=MISSING)
    assert f"rushlight runtimes add {MISSING} IMAGE" in str(refused.value)
    added = runtimes("add", MISSING, str(ROOT)).stdout
    assert added == f"{MISSING} runs in {ROOT.resolve()} from now on.\n"
    # The server that runs has it at once.
    name = deployer(here)(package, runtime=MISSING)
    assert json.load(here.client().invoke(FunctionName=name)["Payload"]) == [3, 14]
    assert runtimes("doctor", MISSING).returncode == 0
    runtimes("remove", MISSING)
    assert listed(runtimes)[MISSING]["status"] == "missing"
    assert runtimes("remove", MISSING, check=False).stderr.strip().endswith(f"nothing was added for {MISSING}")


def test_an_image_instead_of_what_is_found(runtimes, here, deployer, machine, python_runtime, tmp_path):
    interpreter = machine[python_runtime]["detail"].split(" ")[0]
    root = root_file_systems.with_python(tmp_path / "root", interpreter, interpreter.rsplit("/", 1)[1])
    layout = images.Layout(tmp_path / "layout")
    for tag in ("one", "two"):
        layout.add(tag, [images.layer({}, root), images.layer({"marker": tag})])
    name = deployer(here)(packages.python(FUNCTION), runtime=python_runtime, wait=True)
    call = lambda: json.load(here.client().invoke(FunctionName=name)["Payload"])  # noqa: E731
    assert "marker" in call()["errorMessage"], "this machine's own has no such file"
    try:
        for tag in ("one", "two"):
            runtimes("add", python_runtime, f"oci:{tmp_path}/layout:{tag}")
            assert "a root file system with an interpreter" in listed(runtimes)[python_runtime]["detail"]
            # Environments that run go on in what they have.
            here.client().update_function_configuration(FunctionName=name, Description=tag)
            here.client().get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
            assert call()[1] == tag
    finally:
        runtimes("remove", python_runtime)
    assert len(list((here.data / "runtimes/images/images").iterdir())) == 2
    here.stop()
    here.start()
    assert list((here.data / "runtimes/images/images").iterdir()) == []
    assert "marker" in call()["errorMessage"]


def test_what_is_documented_is_there(here):
    lines = [line for block in blocks("docs/runtimes.md") for line in block.splitlines()]
    assert len(lines) >= 6
    for program, *words in map(shlex.split, lines):
        # Its sources are not on this machine, but its words are understood.
        if program == "rushlight":
            assert here.rushlight(*words, "--help").returncode == 0, words
        else:
            assert words[:2] == ["lambda", "put-runtime-management-config"], "done in test_runtime_versions.py"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("add", "python9.9", "/"), "there is no runtime python9.9"),
        (("doctor", "python9.9"), "there is no runtime python9.9"),
        (("add", "python3.12", "nothing"), "'nothing' names no image"),
        (("add", "python3.12", "oci:/nowhere:x"), "has neither index.json nor manifest.json"),
        (("add", "python3.12", "/var"), "has neither /var/runtime/bootstrap nor /var/lang/bin/python3.12 that can be executed"),
        (("add", "python3.12", "registry.example.com/a:b", "--registry", "other"), "is not among the registries"),
    ],
)
def test_mistakes(runtimes, arguments, sentence):
    done = runtimes(*arguments, check=False)
    assert done.returncode == 1 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1
