"""The AWS SDK for JavaScript: what programs made with it see of functions, of streams and of errors.

The programs are in javascript/. Each is told what to do in one JSON document and says in another what came of it.
"""

import base64
import hashlib
import json
import pathlib
import re
import shutil

import pytest

import packages
from server import ROLE, TOOLS, _run, arn, unique, wait_until

SCRIPTS = pathlib.Path(__file__).parent / "javascript"
SDK = TOOLS / "javascript-sdk"

STREAMING = r"""
const { setTimeout: sleep } = require("node:timers/promises");

exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.write(event.begin);
  if (event.pause) await sleep(event.pause);
  for (let line = 0; line < (event.lines || 0); line++) {
    if (!stream.write(String(line).padStart(8, "0") + "\n")) await new Promise((go) => stream.once("drain", go));
  }
  if (event.throw) throw new RangeError(event.throw);
  console.log(`${event.begin} ended at ${Date.now()}`);
  if (event.time) stream.write(String(Date.now()));
  stream.end();
});
"""


@pytest.fixture(scope="module")
def run(server):
    """Runs a program and returns what it said."""
    assert (SDK / "node_modules/@aws-sdk/client-lambda").is_dir(), f"the SDK is missing in {SDK}; run ./dev test"
    environment = server.aws_environment() | {"JAVASCRIPT_SDK": str(SDK)}

    def run(script, **order):
        done = _run([shutil.which("node"), SCRIPTS / script, json.dumps(order)], environment, True, 120)
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def call(run):
    """Makes one call and returns what was answered."""

    def call(command, **input):
        said = run("call.mjs", command=command, input=input)
        assert "error" not in said, said
        return said["answer"]

    return call


@pytest.fixture(scope="module")
def error(run):
    """Makes one call that is refused and returns the error as the program sees it."""

    def error(command, **input):
        said = run("call.mjs", command=command, input=input)
        assert "answer" not in said, said
        assert said["error"]["ownClass"] and said["error"]["baseClass"], said
        return said["error"]

    return error


@pytest.fixture(scope="module")
def stream(run):
    """Calls a function for a stream and returns what was read of it."""

    def stream(name, event, **settings):
        said = run("stream.mjs", input={"FunctionName": name, "Payload": json.dumps(event), **settings})
        assert "error" not in said, said
        return said

    return stream


@pytest.fixture(scope="module")
def plain(deploy):
    return deploy()


@pytest.fixture(scope="module")
def streaming(deploy, node_runtime):
    return deploy(packages.package({"index.js": STREAMING}), runtime=node_runtime, Timeout=20, MemorySize=512)


def end(server, name, begin):
    """When the handler that began so came to its end, in milliseconds since 1970."""
    logs = server.client("logs")

    def found():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return [match[1] for event in events if (match := re.search(rf"{begin} ended at (\d+)", event["message"]))]

    return int(wait_until(found, what="that the function runs to its end")[0])


def test_a_call(call, plain):
    event = {"do": "echo", "text": "schön, 東京 🎉", "number": 1.5}
    answer = call("InvokeCommand", FunctionName=plain, Payload=json.dumps(event, ensure_ascii=False))
    assert json.loads(answer["Payload"]) == event
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer and "LogResult" not in answer
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["$metadata"]["requestId"])


def test_the_log_of_a_call(call, plain):
    event = {"do": "print", "lines": ["one", "two"]}
    answer = call("InvokeCommand", FunctionName=plain, Payload=json.dumps(event), LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request = answer["$metadata"]["requestId"]
    assert re.search(rf"^START RequestId: {request} .*^one\ntwo\nEND RequestId: {request}\nREPORT RequestId: ", log, re.S | re.M)


def test_an_error_of_the_function_is_an_answer(call, plain):
    answer = call("InvokeCommand", FunctionName=plain, Payload='{"do": "raise", "text": "no"}')
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    payload = json.loads(answer["Payload"])
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no")


def test_a_dry_run(call, plain):
    answer = call("InvokeCommand", FunctionName=plain, Payload="{}", InvocationType="DryRun")
    assert (answer["StatusCode"], answer.get("Payload")) == (204, None)


def test_a_caller_who_gives_up(run, server, stream, streaming):
    """The program gets its error at once, and the function runs on."""
    stream(streaming, {"begin": "warm"})
    event = {"begin": "given up", "pause": 5000}
    said = run("abort.mjs", after=1500, input={"FunctionName": streaming, "Payload": json.dumps(event)})
    assert said["error"]["name"] == "AbortError"
    assert said["left"] < end(server, streaming, "given up")


def test_the_first_chunk_comes_before_the_handler_ends(stream, streaming):
    stream(streaming, {"begin": "warm"})
    answer = stream(streaming, {"begin": "first ", "pause": 2000, "time": True})
    assert (answer["status"], answer["version"]) == (200, "$LATEST")
    assert answer["contentType"] == "application/vnd.amazon.eventstream"
    assert answer["ends"] == [{"InvokeComplete": {}}]
    begin, _, time = answer["text"].partition(" ")
    assert begin == "first" and answer["first"] < int(time), "the client had it before the function went on"


def test_the_log_of_a_stream(stream, streaming):
    answer = stream(streaming, {"begin": "x"}, LogType="Tail")
    ((event, end),) = [each for end in answer["ends"] for each in end.items()]
    assert (answer["text"], event, list(end)) == ("x", "InvokeComplete", ["LogResult"])
    log = base64.b64decode(end["LogResult"]).decode()
    assert re.search(r"^START RequestId: .*x ended at .*^REPORT RequestId: ", log, re.S | re.M)


def test_an_error_in_the_middle_of_a_stream(stream, streaming):
    answer = stream(streaming, {"begin": "as far as this", "pause": 100, "throw": "no further"})
    assert answer["text"] == "as far as this"
    (end,) = answer["ends"]
    assert end["InvokeComplete"]["ErrorCode"] == "Unhandled"
    details = json.loads(end["InvokeComplete"]["ErrorDetails"])
    assert (details["errorType"], details["errorMessage"]) == ("RangeError", "no further")


def test_a_large_stream_is_put_together_exactly(stream, streaming):
    lines = 800_000
    answer = stream(streaming, {"begin": "", "lines": lines}, LogType="None")
    assert answer["ends"] == [{"InvokeComplete": {}}]
    expected = b"".join(b"%08d\n" % line for line in range(lines))
    assert (answer["bytes"], answer["sha256"]) == (len(expected), hashlib.sha256(expected).hexdigest())
    assert answer["chunks"] > 1


def test_a_caller_who_leaves_a_stream(run, server, stream, streaming):
    """The program hangs up after the first chunk. The function runs on, and so does the server."""
    event = {"begin": "left", "pause": 3000}
    said = run("stream.mjs", leave=True, input={"FunctionName": streaming, "Payload": json.dumps(event)})
    assert (said["text"], said["ends"], said["error"]["message"]) == ("left", [], "aborted")
    assert said["left"] < end(server, streaming, "left")
    assert stream(streaming, {"begin": "next"})["text"] == "next"


def test_a_function_from_its_creation_to_its_end(run, client, python_runtime):
    name = unique("javascript")
    package = packages.python("def handler(event, context): return event + 1\n")
    said = run(
        "life.mjs",
        function={
            "FunctionName": name, "Runtime": python_runtime, "Handler": "index.handler", "Role": ROLE,
            "Environment": {"Variables": {"NAME": "value"}},
        },
        zip=base64.b64encode(package).decode(),
    )  # fmt: skip
    assert said == {
        "created": {"arn": arn(name), "state": "Pending", "size": len(package), "variables": {"NAME": "value"}},
        "active": "SUCCESS",
        "payload": "2",
        "pages": [["$LATEST", "1", "2"], ["3"]],
        "deleted": 204,
    }
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)


@pytest.mark.parametrize(
    "command,name",
    [
        ("InvokeCommand", arn("absent", "$LATEST")),
        ("InvokeWithResponseStreamCommand", arn("absent", "$LATEST")),
        ("GetFunctionCommand", arn("absent")),
    ],
)
def test_what_is_not_there(error, command, name):
    found = error(command, FunctionName="absent")
    assert (found["name"], found["status"], found["fault"]) == ("ResourceNotFoundException", 404, "client")
    assert (found["message"], found["type"]) == (f"Function not found: {name}", "User")


@pytest.mark.parametrize("command", ["InvokeCommand", "InvokeWithResponseStreamCommand"])
def test_too_many_requests(call, error, deploy, command):
    name = deploy()
    call("PutFunctionConcurrencyCommand", FunctionName=name, ReservedConcurrentExecutions=0)
    found = error(command, FunctionName=name)
    assert (found["name"], found["status"], found["message"]) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert found["reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_other_errors(error, plain):
    found = error("InvokeCommand", FunctionName=plain, Payload="no JSON")
    assert (found["name"], found["status"]) == ("InvalidRequestContentException", 400)
    assert found["message"].startswith("Could not parse request body into json")
    code = {"ZipFile": base64.b64encode(packages.probe()).decode()}
    settings = {"Role": ROLE, "Runtime": "python3.13", "Handler": "index.handler", "Code": code}
    found = error("CreateFunctionCommand", FunctionName=plain, **settings)
    assert (found["name"], found["status"]) == ("ResourceConflictException", 409)
    assert found["message"] == f"Function already exist: {plain}"
    found = error("PublishVersionCommand", FunctionName=plain, RevisionId="0")
    assert (found["name"], found["status"]) == ("PreconditionFailedException", 412)


def test_an_error_without_a_class_of_its_own(run, plain):
    """The SDK has none for a request against the model: programs go by the error's name."""
    said = run("call.mjs", command="GetFunctionConfigurationCommand", input={"FunctionName": "no/name"})
    found = said["error"]
    assert (found["name"], found["status"], found["ownClass"], found["baseClass"]) == ("ValidationException", 400, False, True)
