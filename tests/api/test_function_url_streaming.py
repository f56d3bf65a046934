"""URLs of invoke mode RESPONSE_STREAM: answers that go while they are written, and what hostile and failing functions do."""

import base64
import http.client
import json
import time

import packages
import pytest
from function_urls import JSON, let_in, make_url
from server import unique

INTEGRATION = "application/vnd.awslambda.http-integration-response"

PACKAGE = packages.package({
    "index.js": """
const { setTimeout: sleep } = require("node:timers/promises");

let finished = 0;

exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  const order = event.body ? JSON.parse(event.body) : { say: [String(finished)] };
  if (order.head) stream = awslambda.HttpResponseStream.from(stream, order.head);
  if (order.type) stream.setContentType(order.type);
  const pieces = (order.say || []).concat((order.raw || []).map((piece) => Buffer.from(piece, "base64")));
  for (const [index, piece] of pieces.entries()) {
    stream.write(piece);
    if (order.pause && index + 1 < pieces.length) await sleep(order.pause);
  }
  if (order.bytes) {
    const piece = Buffer.alloc(64 * 1024, "x");
    for (let left = order.bytes; left > 0; left -= piece.length) {
      if (!stream.write(piece.subarray(0, Math.min(left, piece.length)))) await new Promise((go) => stream.once("drain", go));
    }
  }
  if (order.throw) throw new Error(order.throw);
  if (order.hang) await sleep(1e9);
  stream.end();
  finished += 1;
});
"""
})


@pytest.fixture(scope="module")
def url(server, client, deploy, node_runtime):
    name = deploy(PACKAGE, name=unique("stream"), runtime=node_runtime, Timeout=3, MemorySize=512)
    let_in(client, name)
    return make_url(server, client, name, InvokeMode="RESPONSE_STREAM", Cors={"AllowOrigins": ["https://a.example"]})


def ask(url, order):
    return url("POST", body=json.dumps(order).encode(), headers=JSON)


def request(url, order):
    """The answer to a request as soon as its head has come."""
    connection = http.client.HTTPConnection("127.0.0.1", url.server.port, timeout=60)
    connection.request("POST", "/", body=json.dumps(order), headers=JSON | {"Host": f"{url.host}:{url.server.port}"})
    return connection, connection.getresponse()


def bad_gateway(answer):
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (502, "application/json", b"Internal Server Error")


def test_an_answer_comes_while_it_is_written(url):
    ask(url, {"say": ["warm"]})
    connection, answer = request(url, {"say": ["one ", "two ", "three"], "pause": 400})
    began, pieces = time.monotonic(), []
    while piece := answer.read1():
        pieces.append((time.monotonic() - began, piece))
    connection.close()
    assert b"".join(piece for _, piece in pieces) == b"one two three" and len(pieces) >= 3
    assert pieces[-1][0] > 0.6, "the last piece is written 800 ms after the first"
    assert answer.headers["Transfer-Encoding"] == "chunked" and answer.headers["x-amzn-requestid"]


def test_the_functions_own_content_type(url):
    assert ask(url, {"say": ["x"], "type": "text/event-stream"}).headers["Content-Type"] == "text/event-stream"
    assert ask(url, {"say": ["x"]}).headers["Content-Type"] == "application/octet-stream"


def test_the_head_that_a_response_begins_with(url):
    head = {
        "statusCode": 418,
        "headers": {"Content-Type": "text/plain", "X-Custom": "a", "Date": "never", "Connection": "close"},
        "cookies": ["a=1; Secure", "b=2"],
    }
    answer = ask(url, {"head": head, "say": ["body"]})
    assert (answer.status, answer.body) == (418, b"body")
    assert answer.headers["Content-Type"] == "text/plain" and answer.headers["X-Custom"] == "a"
    assert answer.headers["x-amzn-remapped-date"] == "never" and answer.headers["Date"] != "never"
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]
    answer = ask(url, {"head": {}, "say": ["only a body"]})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/octet-stream")
    assert answer.body == b"only a body"
    answer = ask(url, {"head": {"statusCode": 204}, "say": [""]})
    assert (answer.status, answer.body) == (204, b"")


def raw(*pieces):
    return {"type": INTEGRATION, "raw": [base64.b64encode(piece).decode() for piece in pieces], "pause": 50}


def test_the_head_may_come_in_pieces(url):
    answer = ask(url, raw(b'{"statusCode": 2', b'01}\0\0\0', b"\0\0", b"\0\0\0b\0\0\0\0\0\0\0\0o", b"dy"))
    assert (answer.status, answer.body) == (201, b"b\0\0\0\0\0\0\0\0ody")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"no JSON\0\0\0\0\0\0\0\0body"],
        [b'{"statusCode": 200}body'],
        [b'{"statusCode": 200}\0\0\0\0\0\0\0'],
        [b'{"statusCode": 99}\0\0\0\0\0\0\0\0'],
        [b'{"statusCode": null}\0\0\0\0\0\0\0\0'],
        [b'{"headers": {"a": "b\\r\\nc: d"}}\0\0\0\0\0\0\0\0'],
        [b'{"headers": ["a"]}\0\0\0\0\0\0\0\0'],
        [b'{"cookies": ["a\\nb"]}\0\0\0\0\0\0\0\0'],
        [b"\0\0\0\0\0\0\0\0"],
        [b'{"a": "', b"x" * 2_200_000, b'"}\0\0\0\0\0\0\0\0'],
    ],
    ids=["text", "unseparated", "seven", "status", "no-status", "header", "headers", "cookie", "nothing", "large"],
)
def test_a_head_that_is_none(url, pieces):
    bad_gateway(ask(url, raw(*pieces)))
    assert ask(url, {"say": ["well"]}).body == b"well"


def test_failures_before_anything_was_written(url):
    bad_gateway(ask(url, {"throw": "secret"}))
    bad_gateway(ask(url, {"hang": True}))
    assert ask(url, {"say": ["well"]}).body == b"well"


@pytest.mark.parametrize("failure", [{"throw": "secret"}, {"hang": True}])
@pytest.mark.parametrize("head", [{}, {"head": {"statusCode": 201}}])
def test_an_answer_that_breaks_off_is_not_taken_for_whole(url, failure, head):
    connection, answer = request(url, {"say": ["a", "b"], "pause": 100} | head | failure)
    assert answer.status == (201 if head else 200)
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    connection.close()
    assert broken.value.partial == b"ab"
    assert ask(url, {"say": ["well"]}).body == b"well"


def test_more_than_a_buffered_response_may_have(url):
    answer = ask(url, {"bytes": 20_000_000})
    assert answer.status == 200 and answer.body == b"x" * 20_000_000


def test_a_client_that_goes_early(url):
    finished = int(url("GET").body)
    connection, answer = request(url, {"say": ["a", "b", "c"], "pause": 200})
    assert answer.read1() == b"a"
    connection.sock.close()
    answer.close()
    # The same environment answers: the invocation before has gone on to its end.
    deadline = time.monotonic() + 10
    while int(url("GET").body) < finished + 2:
        assert time.monotonic() < deadline


def test_head_requests_and_browsers(url):
    answer = url("HEAD")
    assert (answer.status, answer.body) == (200, b"")
    answer = url("GET", headers={"Origin": "https://a.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_a_function_that_does_not_stream(server, client, deploy):
    name = deploy(packages.python("""
def handler(event, context):
    if event["rawPath"] == "/fail":
        raise RuntimeError("secret")
    return {"statusCode": 201, "body": "x"}
"""))
    let_in(client, name)
    url = make_url(server, client, name, InvokeMode="RESPONSE_STREAM")
    answer = url("GET")
    assert (answer.status, answer.headers["Content-Type"], answer.json()) == (200, "application/json", {"statusCode": 201, "body": "x"})
    bad_gateway(url("GET", "/fail"))


def test_the_bandwidth_of_what_is_large(serve, deployer, node_runtime):
    server = serve("--isolation", "none", "--auth", "enforce", "--stream-bandwidth", "1000000")
    client, deploy = server.client(), deployer(server)
    name = deploy(PACKAGE, runtime=node_runtime, Timeout=30, MemorySize=512)
    let_in(client, name)
    url = make_url(server, client, name, InvokeMode="RESPONSE_STREAM")
    ask(url, {"say": ["warm"]})
    began = time.monotonic()
    assert len(ask(url, {"bytes": 6 * 1024 * 1024 + 1_500_000}).body) == 6 * 1024 * 1024 + 1_500_000
    # The last piece does not wait for what comes after it.
    assert time.monotonic() - began > 1.2
    server.stop()
