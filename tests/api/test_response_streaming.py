"""InvokeWithResponseStream: events as they come, what they end with, and what becomes of slow and absent callers."""

import base64
import binascii
import http.client
import json
import re
import struct
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

import leftovers
import packages
from identities import denied, statement
from server import REGION, arn, refused, wait_until

NODE = """
const { setTimeout: sleep } = require("node:timers/promises");

exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.type) stream.setContentType(event.type);
  for (const [index, text] of (event.say || []).entries()) {
    stream.write(text);
    if (event.pause && index + 1 < event.say.length) await sleep(event.pause);
  }
  if (event.bytes) {
    const piece = Buffer.alloc(64 * 1024, "x");
    for (let left = event.bytes; left > 0; left -= piece.length) {
      if (!stream.write(piece.subarray(0, Math.min(left, piece.length)))) await new Promise((go) => stream.once("drain", go));
    }
  }
  if (event.throw) throw new Error(event.throw);
  if (event.exit) process.exit(event.exit);
  if (event.hang) await sleep(1e9);
  console.log("written");
  stream.end();
});
"""


@pytest.fixture(scope="module")
def streaming(deploy, node_runtime):
    return deploy(packages.package({"index.js": NODE}), runtime=node_runtime, Timeout=3, MemorySize=512)


@pytest.fixture(scope="module")
def plain(deploy):
    return deploy()


def stream(client, name, event=None, **settings):
    """The chunks with when they came, and what the response ended with."""
    answer = client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event or {}), **settings)
    began, chunks, ends = time.monotonic(), [], []
    for one in answer["EventStream"]:
        if "PayloadChunk" in one:
            chunks.append((time.monotonic() - began, one["PayloadChunk"]["Payload"]))
        else:
            ends.append(one["InvokeComplete"])
    (end,) = ends
    return answer, chunks, end


def text(chunks):
    return b"".join(chunk for _, chunk in chunks).decode()


def test_a_response_comes_while_it_is_written(client, streaming):
    stream(client, streaming, {"say": ["warm"]})
    answer, chunks, end = stream(client, streaming, {"say": ["one ", "two ", "three"], "pause": 400})
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    assert text(chunks) == "one two three" and end == {}
    assert len(chunks) >= 3
    first, last = chunks[0][0], chunks[-1][0]
    assert last - first > 0.7, "the last piece was written 800 ms after the first"


def test_the_log_comes_with_the_end(client, streaming):
    _, chunks, end = stream(client, streaming, {"say": ["x"]}, LogType="Tail")
    log = base64.b64decode(end["LogResult"]).decode()
    assert text(chunks) == "x" and re.search(r"^START RequestId: .*written.*^REPORT RequestId: ", log, re.S | re.M)


def test_the_functions_content_type(client, streaming):
    answer, _, _ = stream(client, streaming, {"say": ["x"], "type": "text/event-stream"})
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-remapped-content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    "event,errors",
    [
        ({"throw": "no more"}, {"Error"}),
        # The end of the response is noticed before that of the process, or the other way round.
        ({"exit": 7}, {"Runtime.TruncatedResponse", "Runtime.ExitError"}),
        ({"hang": True}, {"Sandbox.Timedout"}),
    ],
)
def test_failures_on_the_way(client, streaming, event, errors):
    _, chunks, end = stream(client, streaming, {"say": ["a", "b"], "pause": 300} | event)
    # What was written before the failure; Node.js itself drops what it has not sent when it is made to exit.
    assert text(chunks) in ({"a", "ab"} if "exit" in event else {"ab"})
    assert end["ErrorCode"] == "Unhandled"
    details = json.loads(end["ErrorDetails"])
    assert details["errorType"] in errors and details["errorMessage"]
    _, chunks, end = stream(client, streaming, {"say": ["well"]})
    assert (text(chunks), end) == ("well", {}), "the next one is well"


def test_a_response_that_is_no_stream(client, plain):
    answer, chunks, end = stream(client, plain, {"do": "echo", "a": 1})
    assert [json.loads(chunk) for _, chunk in chunks] == [{"do": "echo", "a": 1}] and end == {}
    _, chunks, end = stream(client, plain, {"do": "exit", "status": 3})
    assert chunks == [] and end["ErrorCode"] == "Unhandled"
    assert json.loads(end["ErrorDetails"])["errorType"] == "Runtime.ExitError"


def test_a_stream_for_a_caller_who_wants_it_whole(client, streaming):
    answer = client.invoke(FunctionName=streaming, Payload=json.dumps({"say": ["one ", "two"], "pause": 50}))
    assert answer["Payload"].read() == b"one two"


@pytest.mark.parametrize("size", [6_291_556 + 1, 32 * 1024 * 1024])
def test_responses_larger_than_a_whole_one_may_be(client, streaming, size):
    _, chunks, end = stream(client, streaming, {"bytes": size})
    assert (sum(len(chunk) for _, chunk in chunks), end) == (size, {})


def test_the_largest_response(client, deploy, node_runtime):
    """200 MB, and a byte more."""
    name = deploy(packages.package({"index.js": NODE}), runtime=node_runtime, Timeout=120, MemorySize=1769)
    limit = 200 * 1024 * 1024
    _, chunks, end = stream(client, name, {"bytes": limit})
    assert (sum(len(chunk) for _, chunk in chunks), end) == (limit, {})
    _, chunks, end = stream(client, name, {"bytes": limit + 1})
    assert sum(len(chunk) for _, chunk in chunks) <= limit
    assert json.loads(end["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_function_waits_for_a_slow_caller(client, server, streaming):
    """Nobody keeps what the caller has not read: the function is stopped from writing it."""
    before = leftovers.resident(server.process.pid)
    answer = client.invoke_with_response_stream(FunctionName=streaming, Payload=json.dumps({"bytes": 64 * 1024 * 1024}))
    events = iter(answer["EventStream"])
    next(events)
    time.sleep(1.5)
    assert leftovers.resident(server.process.pid) - before < 32 * 1024 * 1024
    # It takes longer than the function may.
    rest = [event for event in events if "InvokeComplete" in event]
    time.sleep(2)
    assert rest == [] or "InvokeComplete" in rest[-1]


def test_a_caller_who_hangs_up_leaves_the_function_running(server, client, streaming):
    def log():
        events = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{streaming}")["events"]
        return [event["message"] for event in events]

    before = sum("written" in line for line in log())
    answer = client.invoke_with_response_stream(
        FunctionName=streaming, Payload=json.dumps({"say": ["a", "b", "c"], "pause": 400})
    )
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    wait_until(lambda: sum("written" in line for line in log()) > before, what="that the function ran to its end")


def test_a_dry_run(client, streaming):
    answer = client.invoke_with_response_stream(FunctionName=streaming, InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_refusals_are_as_for_invoke(client, streaming):
    refused(
        client.invoke_with_response_stream,
        "ResourceNotFoundException",
        f"Function not found: {arn('absent', '$LATEST')}",
        FunctionName="absent",
    )
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke_with_response_stream(FunctionName=streaming, Payload=b"nope")
    client.put_function_concurrency(FunctionName=streaming, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
        client.invoke_with_response_stream(FunctionName=streaming, Payload=b"{}")
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.delete_function_concurrency(FunctionName=streaming)


def test_it_takes_the_permission_to_invoke(guarded, user, deployer, node_runtime):
    deploy = deployer(guarded)
    name = deploy(packages.package({"index.js": NODE}), runtime=node_runtime)
    client = user.client()
    message = user.denial("lambda:InvokeFunction", arn(name))
    denied(client.invoke_with_response_stream, message, FunctionName=name)
    user.may(statement("lambda:InvokeFunction", arn(name)))
    _, chunks, end = stream(client, name, {"say": ["x"]})
    assert (text(chunks), end) == ("x", {})


def test_the_frames_byte_for_byte(server, streaming):
    """Without the SDK: prelude, headers, checksums, and that the transfer is chunked."""
    key, secret = server.credentials
    url = f"{server.endpoint}/2021-11-15/functions/{streaming}/response-streaming-invocations"
    request = botocore.awsrequest.AWSRequest("POST", url, data=b'{"say":["x"]}')
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "lambda", REGION).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", request.url.partition(str(server.port))[2], body=request.data, headers=dict(request.headers))
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("content-type") == "application/vnd.amazon.eventstream"
    assert answer.getheader("transfer-encoding") == "chunked" and answer.getheader("content-length") is None
    body, frames = answer.read(), []
    while body:
        total, headers, checksum = struct.unpack(">III", body[:12])
        assert checksum == binascii.crc32(body[:8])
        assert struct.unpack(">I", body[total - 4 : total])[0] == binascii.crc32(body[: total - 4])
        names, position = {}, 12
        while position < 12 + headers:
            length = body[position]
            name = body[position + 1 : position + 1 + length].decode()
            position += 1 + length
            kind, size = struct.unpack(">BH", body[position : position + 3])
            assert kind == 7
            names[name] = body[position + 3 : position + 3 + size].decode()
            position += 3 + size
        frames.append((names, body[12 + headers : total - 4]))
        body = body[total:]
    chunk, end = frames
    assert chunk == ({":event-type": "PayloadChunk", ":content-type": "application/octet-stream", ":message-type": "event"}, b"x")
    assert end[0] == {":event-type": "InvokeComplete", ":content-type": "application/json", ":message-type": "event"}
    assert json.loads(end[1]) == {}
