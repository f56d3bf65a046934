"""A function made with AWS' library for Rust, which speaks the Runtime API by itself: what it expects of the server."""

import base64
import json
import re

import pytest

import packages
from conftest import ISOLATION
from server import ACCOUNT, REGION, TOOLS, wait_until

PROGRAM = TOOLS / "build/observer/debug/rust-function"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not there: ./dev test makes it")


class Rust:
    def __init__(self, server, deployer):
        self.server, self.client, self.deploy_package = server, server.client(), deployer(server)
        self.package = packages.package({"bootstrap": PROGRAM.read_bytes()})

    def deploy(self, handler="handle", runtime="provided.al2023", **settings):
        return self.deploy_package(self.package, runtime=runtime, handler=handler, **{"Timeout": 5, "MemorySize": 128} | settings)

    def invoke(self, function, _client_context=None, **event):
        more = {"ClientContext": base64.b64encode(json.dumps(_client_context).encode()).decode()} if _client_context else {}
        answer = self.client.invoke(FunctionName=function, Payload=json.dumps(event), **more)
        return answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null")

    def log(self, function, last="REPORT"):
        read = lambda: [event["message"] for event in self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]]  # noqa: E731,E501
        wait_until(lambda: any(last in line for line in read()), what="the report")
        return [line.rstrip("\n") for line in read()]


@pytest.fixture(scope="module")
def rust(serve, deployer):
    server = serve("--isolation", ISOLATION)
    yield Rust(server, deployer)
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(rust):
    return rust.deploy()


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_an_event_its_result_and_the_context(rust, runtime):
    name = rust.deploy(runtime=runtime)
    client = {"installation_id": "", "app_title": "title", "app_version_name": "", "app_version_code": "", "app_package_name": ""}
    context = {"client": client, "custom": {}, "env": {}}
    error, found = rust.invoke(name, context, a=[1, 2.5, "\u2603", None, True])
    assert error is None and found["event"] == {"a": [1, 2.5, "\u2603", None, True]}
    assert found["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" and re.fullmatch(r"[0-9a-f-]{36}", found["request"])
    assert (found["name"], found["version"], found["memory"], found["group"]) == (name, "$LATEST", 128, f"/aws/lambda/{name}")
    assert found["client"] == "title" and found["tenant"] is None and found["trace"].startswith("Root=1-")
    again = rust.invoke(name)[1]
    assert again["request"] != found["request"] and 0 <= again["deadline"] - found["deadline"] < 5000


def test_errors_and_panics(rust, function):
    assert rust.invoke(function, do="error") == ("Unhandled", {"errorType": "Refused", "errorMessage": "as asked"})
    error, body = rust.invoke(function, do="panic")
    assert error == "Unhandled" and body["errorMessage"] == "Lambda panicked: as asked"
    # AWS' library catches it: the process goes on.
    assert rust.invoke(function)[0] is None


def test_ends_of_the_process(rust, function):
    assert rust.invoke(function, do="exit")[1]["errorType"] == "Runtime.ExitError"
    assert rust.invoke(function)[0] is None
    quick = rust.deploy(Timeout=1)
    assert "Task timed out after 1.00 seconds" in rust.invoke(quick, do="wait")[1]["errorMessage"]
    assert rust.invoke(quick)[0] is None
    assert rust.invoke(rust.deploy("fail"))[1]["errorType"] == "Runtime.ExitError"


def test_results_of_every_size(rust, function):
    assert rust.invoke(function, do="large", size=6_000_000) == (None, "x" * 6_000_000)
    assert rust.invoke(function, do="large", size=7_000_000)[1]["errorType"] == "Function.ResponseSizeTooLarge"
    assert rust.invoke(function, padding="y" * 5_000_000)[1]["event"]["padding"] == "y" * 5_000_000


def test_what_is_logged(rust):
    name = rust.deploy()
    rust.invoke(name, do="say")
    said = rust.log(name)
    assert "a line" in said and any("INFO" in line and "an event" in line and "count" in line for line in said)
    assert not any("unseen" in line for line in said)


def test_logs_as_objects(rust):
    name = rust.deploy(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"})
    request = rust.invoke(name, do="say")[1]["request"]
    entries = [json.loads(line) for line in rust.log(name, "platform.report") if line.startswith("{")]
    said = {entry.get("fields", entry).get("message"): entry for entry in entries if "level" in entry}
    assert said["an event"]["level"] == "INFO" and said["unseen"]["level"] == "DEBUG"
    assert request in json.dumps(said["an event"])


def test_a_response_in_pieces(rust):
    name = rust.deploy("stream")
    answer = rust.client.invoke_with_response_stream(FunctionName=name)
    pieces = [event["PayloadChunk"]["Payload"] for event in answer["EventStream"] if "PayloadChunk" in event]
    # AWS' library says first with what status and headers a function URL is to answer.
    head, _, body = b"".join(pieces).partition(b"\0" * 8)
    assert body == b"one, two, three" and len(pieces) >= 2
    assert json.loads(head) == {"statusCode": 200, "headers": {"content-type": "application/octet-stream"}, "cookies": []}
