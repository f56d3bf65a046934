"""Functions made with AWS' library for Go, which speaks the Runtime API by itself: what it expects of the server."""

import base64
import json
import platform
import re

import pytest

import packages
from conftest import ISOLATION
from server import ACCOUNT, REGION, TOOLS, wait_until

PROGRAM = TOOLS / "go" / {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()] / "bootstrap"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not there: ./dev test makes it")


class Go:
    def __init__(self, server, deployer):
        self.server, self.client, self.deploy_package = server, server.client(), deployer(server)
        self.package = packages.package({"bootstrap": PROGRAM.read_bytes()})

    def deploy(self, runtime="provided.al2023", **settings):
        return self.deploy_package(self.package, runtime=runtime, handler="any.thing", **{"Timeout": 5, "MemorySize": 128} | settings)

    def invoke(self, function, _client_context=None, **event):
        more = {"ClientContext": base64.b64encode(json.dumps(_client_context).encode()).decode()} if _client_context else {}
        answer = self.client.invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail", **more)
        payload = answer["Payload"].read().decode()
        return answer.get("FunctionError"), json.loads(payload or "null"), base64.b64decode(answer["LogResult"]).decode()

    def log(self, function):
        read = lambda: [event["message"] for event in self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]]  # noqa: E731,E501
        wait_until(lambda: any("REPORT" in line for line in read()), what="the report")
        return read()


@pytest.fixture(scope="module")
def go(serve, deployer):
    server = serve("--isolation", ISOLATION)
    yield Go(server, deployer)
    assert "panicked at" not in server.log.read_text(errors="replace")
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(go):
    return go.deploy()


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_an_event_and_its_result(go, runtime):
    name = go.deploy(runtime)
    event = {"a": [1, 2.5, "ü", None, True], "b": {"c": {}}}
    assert go.invoke(name, **event)[:2] == (None, event)
    assert "Init Duration" not in go.invoke(name)[2]
    assert {"initialised\n", "to the other\n"} <= {line.rstrip("\n") + "\n" for line in go.log(name)}


def test_the_context(go, function):
    given = {"client": {"app_title": "title"}, "custom": {"a": "b"}}
    found = go.invoke(function, _client_context=given, do="context")[1]
    assert found["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}" and re.fullmatch(r"[0-9a-f-]{36}", found["request"])
    assert (found["name"], found["version"], found["memory"]) == (function, "$LATEST", 128)
    assert (found["title"], found["custom"]) == ("title", {"a": "b"})
    assert found["group"] == f"/aws/lambda/{function}" and "[$LATEST]" in found["stream"]
    # AWS' library leaves itself some of the time.
    assert 0 < found["remaining"] <= 5000 and found["trace"].startswith("Root=1-")


def test_the_environment(go, function):
    found = dict(pair.split("=", 1) for pair in go.invoke(function, do="environment")[1])
    assert found["_HANDLER"] == "any.thing" and found["LAMBDA_TASK_ROOT"] == "/var/task"
    # Not set for runtimes that are only an operating system.
    assert "AWS_EXECUTION_ENV" not in found


@pytest.mark.parametrize(
    "do, kind, message",
    [("error", "errorString", "as asked"), ("unusual", "Unusual", "unusual: word"), ("unserialisable", "UnsupportedTypeError", None)],
)
def test_errors(go, function, do, kind, message):
    error, payload, _ = go.invoke(function, do=do)
    assert (error, payload["errorType"]) == ("Unhandled", kind) and message in (None, payload["errorMessage"])
    assert "stackTrace" not in payload
    assert go.invoke(function, x=1)[:2] == (None, {"x": 1})


def test_a_panic_is_told_with_its_trace_and_ends_the_process(go, function):
    error, payload, _ = go.invoke(function, do="panic")
    assert (error, payload["errorType"], payload["errorMessage"]) == ("Unhandled", "string", "as asked")
    assert {"path", "line", "label"} == set(payload["stackTrace"][0])
    assert any(frame["label"] == "handle" for frame in payload["stackTrace"])
    assert go.invoke(function, x=1)[:2] == (None, {"x": 1})


def test_ends_of_the_process(go, function):
    payload = go.invoke(function, do="exit")[1]
    assert payload["errorType"] == "Runtime.ExitError" and payload["errorMessage"].endswith("exit status 5")
    assert go.invoke(function, do="sleep")[1]["errorType"] == "Sandbox.Timedout"
    assert go.invoke(function, do="memory")[1]["errorType"] == "Runtime.OutOfMemory"
    assert go.invoke(function, x=1)[:2] == (None, {"x": 1})


@pytest.mark.parametrize("how, message", [("exit", "exit status 7"), ("panic", "exit status 2")])
def test_what_fails_before_it_serves(go, how, message):
    payload = go.invoke(go.deploy(Environment={"Variables": {"FAIL": how}}))[1]
    assert payload["errorType"] == "Runtime.ExitError" and payload["errorMessage"].endswith(message)


def test_results_of_every_size(go, function):
    assert len(go.invoke(function, do="large", bytes=5_500_000)[1]) == 5_500_000
    assert go.invoke(function, do="large", bytes=7_000_000)[1]["errorType"] == "Function.ResponseSizeTooLarge"
    event = {"text": "x" * 6_000_000}
    assert go.invoke(function, **event)[:2] == (None, event)


def test_what_is_no_json(go, function):
    """A reader's bytes are handed on as they are."""
    assert go.client.invoke(FunctionName=function, Payload=b'{"do": "bytes"}')["Payload"].read() == b"as it is"


def test_layers(go):
    layer = packages.package({"of-layer": "of the layer"})
    arn = go.client.publish_layer_version(LayerName="go", Content={"ZipFile": layer})["LayerVersionArn"]
    assert go.invoke(go.deploy(Layers=[arn]), do="layer")[:2] == (None, "of the layer")
    # The program may come out of a layer, too; then the code need not have one.
    whole = go.client.publish_layer_version(LayerName="program", Content={"ZipFile": go.package})["LayerVersionArn"]
    name = go.deploy_package(packages.package({"nothing": "x"}), runtime="provided.al2023", handler="h", Layers=[whole, arn])
    assert go.invoke(name, do="layer")[:2] == (None, "of the layer")
