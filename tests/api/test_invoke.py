"""Invocations: payloads, headers, log tails, limits, reuse and parallelism of environments."""

import base64
import concurrent.futures
import http.client
import json
import re
import socket
import time

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, unique
from test_signatures import Signer

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LIMIT = 6_291_456
REPORT = (
    r"REPORT RequestId: (?P<id>" + UUID + r")\tDuration: (?P<duration>\d+\.\d\d) ms\tBilled Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<memory>\d+) MB\tMax Memory Used: (?P<used>\d+) MB\t(?:Init Duration: (?P<init>\d+\.\d\d) ms\t)?"
)


def tail(answer):
    return base64.b64decode(answer["LogResult"]).decode()


def payload(answer):
    return json.loads(answer["Payload"].read())


def test_a_result(client, probe):
    answer = client.invoke(FunctionName=probe.name, Payload=b'{"a": [1, 2.5, null, "x"]}')
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer and "LogResult" not in answer
    assert headers["content-type"] == "application/json"
    assert re.fullmatch(UUID, headers["x-amzn-requestid"])
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert payload(answer) == {"a": [1, 2.5, None, "x"]}


def test_the_log_tail_byte_for_byte(deploy, client):
    name = deploy(packages.python("def handler(event, context):\n    print('one')\n    print('two')\n"), MemorySize=192)
    for cold in (True, False):
        answer = client.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
        request_id = answer["ResponseMetadata"]["RequestId"]
        text = tail(answer)
        expected = (
            rf"START RequestId: {request_id} Version: \$LATEST\none\ntwo\nEND RequestId: {request_id}\n{REPORT}\n"
        )
        match = re.fullmatch(expected, text)
        assert match, text
        assert match["id"] == request_id and match["memory"] == "192"
        assert (match["init"] is not None) == cold
        whole = float(match["duration"]) + float(match["init"] or 0)
        assert int(match["billed"]) in (int(whole) + 1, int(whole), int(whole) + 2)
        assert int(match["billed"]) >= whole
        assert 1 <= int(match["used"]) <= 192


def test_a_long_log_is_cut_from_the_front(probe):
    answer = probe.answer("print", lines=[f"{number:06}" + "x" * 93 for number in range(200)])
    log = base64.b64decode(answer["LogResult"])
    assert len(log) <= 4096
    text = log.decode()
    assert "000199" in text and "000000" not in text
    assert re.search(REPORT + r"\n$", text)


def test_dry_run(client, probe):
    answer = client.invoke(FunctionName=probe.name, InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=unique("absent"), InvocationType="DryRun")


def test_events_are_not_offered_yet(client, probe):
    """Refused by name rather than taken and lost."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        client.invoke(FunctionName=probe.name, InvocationType="Event")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "Event" in refusal.value.response["Error"]["Message"]


def test_unknown_invocation_types(server, probe):
    unchecked = server.client(validate=False)
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        unchecked.invoke(FunctionName=probe.name, InvocationType="Sometimes")
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("1 validation error detected: Value 'Sometimes' at 'invocationType' failed to satisfy")


def test_the_context(client, probe):
    context = base64.b64encode(json.dumps({"custom": {"k": "ä"}, "env": {"e": "f"}, "client": {"app_title": "t"}}).encode())
    answer = client.invoke(FunctionName=probe.name, Payload=b'{"do": "context"}', ClientContext=context.decode())
    request_id = answer["ResponseMetadata"]["RequestId"]
    seen = payload(answer)
    remaining = seen.pop("remaining")
    assert 25_000 < remaining <= 30_000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen.pop("log_stream_name"))
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{probe.name}"
    assert seen == {
        "aws_request_id": request_id,
        "function_name": probe.name,
        "function_version": "$LATEST",
        "invoked_function_arn": arn,
        "memory_limit_in_mb": "256",
        "log_group_name": f"/aws/lambda/{probe.name}",
        "client": {"custom": {"k": "ä"}, "env": {"e": "f"}, "title": "t"},
    }
    answer = client.invoke(FunctionName=probe.name, Payload=b'{"do": "context"}', Qualifier="$LATEST")
    seen = payload(answer)
    assert seen["invoked_function_arn"] == f"{arn}:$LATEST" and seen["client"] is None


@pytest.mark.parametrize("context", ["not base64!", base64.b64encode(b"not json").decode()])
def test_bad_client_context(client, probe, context):
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=probe.name, ClientContext=context)


# Payloads


@pytest.mark.parametrize(
    "event",
    [b"null", b"true", b"0", b"-1.5e3", b'"text"', b"[]", b"{}", b' \n{"a" : 1 }\t', '"Grüße, 世界 🎉"'.encode(), b'"\\u00e4\\ud83c\\udf89"'],
)
def test_json_of_all_kinds(client, probe, event):
    answer = client.invoke(FunctionName=probe.name, Payload=event)
    assert payload(answer) == json.loads(event)


def test_no_payload_is_an_empty_event(client, probe):
    assert payload(client.invoke(FunctionName=probe.name)) == {}
    assert payload(client.invoke(FunctionName=probe.name, Payload=b"")) == {}


SOURCE = " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]"
WANTED = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize(
    "event,problem",
    [
        (b"not json", f"Unrecognized token 'not': {WANTED}\n" + SOURCE.format(1, 4)),
        (b"{'a': 1}", None),
        (b'{"a": 1', None),
        (b'{"a": 1}}', None),
        (b"\xff\xfe", None),
        (b'"\xc3\x28"', None),
        (b"NaN", None),
        (b"[1,]", None),
    ],
)
def test_what_is_not_json(client, probe, event, problem):
    with pytest.raises(client.exceptions.InvalidRequestContentException) as refusal:
        client.invoke(FunctionName=probe.name, Payload=event)
    response = refusal.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    message = response["Error"]["Message"]
    start = "Could not parse request body into json: Could not parse payload into json: "
    assert message.startswith(start)
    assert re.search(r"\n at \[Source: REDACTED .*; line: \d+, column: \d+\]$", message), message
    if problem:
        assert message == start + problem


def test_deep_json(client, probe):
    """As deep as AWS' parser goes, and no deeper."""
    deep = b"[" * 900 + b"]" * 900
    assert client.invoke(FunctionName=probe.name, Payload=deep)["Payload"].read().replace(b" ", b"") == deep
    for depth in (2000, 100_000, 3_000_000):
        with pytest.raises(client.exceptions.InvalidRequestContentException):
            client.invoke(FunctionName=probe.name, Payload=b"[" * depth + b"]" * depth)


def test_the_largest_payload(client, deploy):
    name = deploy(packages.python("def handler(event, context): return len(event)\n"), MemorySize=512, Timeout=60)
    event = b'"' + b"x" * (LIMIT - 2) + b'"'
    assert payload(client.invoke(FunctionName=name, Payload=event)) == LIMIT - 2
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        client.invoke(FunctionName=name, Payload=event + b" ")
    error = refusal.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert error["Error"]["Code"] in ("RequestTooLargeException", "RequestEntityTooLargeException")
    assert "6291456" in error["Error"]["Message"]


def test_the_largest_response(deploy, client):
    name = deploy(MemorySize=512, Timeout=60)
    limit = LIMIT + 100
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"do": "big", "bytes": limit}))
    assert "FunctionError" not in answer and len(answer["Payload"].read()) == limit
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"do": "big", "bytes": limit + 1}))
    assert answer["FunctionError"] == "Unhandled"
    assert payload(answer) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    # The function lives on.
    assert payload(client.invoke(FunctionName=name, Payload=b'"again"')) == "again"


# Environments


def test_one_after_the_other_share_an_environment(deploy, client):
    name = deploy()
    answers = [payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}')) for _ in range(5)]
    assert len({answer["environment"] for answer in answers}) == 1
    assert [answer["invocations"] for answer in answers] == [1, 2, 3, 4, 5]
    write = {"do": "write", "path": "/tmp/kept", "text": "kept"}
    client.invoke(FunctionName=name, Payload=json.dumps(write))
    assert payload(client.invoke(FunctionName=name, Payload=b'{"do": "read", "path": "/tmp/kept"}')) == "kept"


def test_at_once_means_apart(server, deploy):
    """N invocations at a time run in N environments, which are then used again."""
    client = server.client()
    name = deploy(Timeout=30)
    count = 6
    event = b'{"do": "who", "sleep": 3}'

    def round_of(count):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: payload(client.invoke(FunctionName=name, Payload=event)), range(count)))

    first = round_of(count)
    assert len({answer["environment"] for answer in first}) == count
    assert {answer["invocations"] for answer in first} == {1}
    second = round_of(count)
    assert {answer["environment"] for answer in second} == {answer["environment"] for answer in first}
    assert {answer["invocations"] for answer in second} == {2}


def test_environments_do_not_share_tmp(server, deploy):
    client = server.client()
    name = deploy(
        packages.python(
            "import os, time, pathlib\n"
            "def handler(event, context):\n"
            "    before = os.listdir('/tmp')\n"
            "    pathlib.Path('/tmp/mine').write_text('x')\n"
            "    time.sleep(2)\n"
            "    return before\n"
        ),
        Timeout=30,
    )
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: payload(client.invoke(FunctionName=name)), range(3)))
    assert answers == [[], [], []]


def test_frozen_between_invocations(deploy, client):
    """A thread that a handler leaves behind stands still until the next invocation."""
    name = deploy()
    assert payload(client.invoke(FunctionName=name, Payload=b'{"do": "background"}')) is None
    time.sleep(2)
    ticks = payload(client.invoke(FunctionName=name, Payload=b'{"do": "ticks"}'))
    assert ticks < 100, f"{ticks} ticks of 10 ms in a pause of 2 s"


def test_an_update_of_configuration_makes_new_environments(deploy, client):
    name = deploy()
    before = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))["environment"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"ADDED": "yes"}})
    deploy.wait(name)
    after = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))
    assert after["environment"] != before and after["invocations"] == 1
    assert payload(client.invoke(FunctionName=name, Payload=b'{"do": "environment"}'))["ADDED"] == "yes"


def test_updates_under_load(server, deploy):
    """While code is replaced again and again no request fails, and none sees anything but one whole package."""
    client = server.client()

    def version(number):
        code = f"import part\ndef handler(event, context): return [{number}, part.NUMBER]\n"
        return packages.package({"index.py": code, "part.py": f"NUMBER = {number}\n"})

    name = deploy(version(0), Timeout=30)
    done = False
    answers, failures = [], []

    def invoke():
        while not done:
            try:
                answer = client.invoke(FunctionName=name)
                (failures if "FunctionError" in answer else answers).append(payload(answer))
            except Exception as error:
                failures.append(repr(error))

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(invoke) for _ in range(3)]
        for number in range(1, 6):
            client.update_function_code(FunctionName=name, ZipFile=version(number))
            deploy.wait(name)
            # What begins after the update was reported runs the new code.
            assert payload(client.invoke(FunctionName=name)) == [number, number]
        done = True
        for worker in workers:
            worker.result(60)
    assert failures == []
    assert len(answers) > 5 and all(first == second for first, second in answers)


def test_a_caller_that_hangs_up(server, deploy):
    """The invocation goes on to its end, and its environment serves the next caller."""
    client = server.client()
    slow = packages.python(
        "import time, pathlib\n"
        "def handler(event, context):\n"
        "    if event.get('look'): return pathlib.Path('/tmp/done').exists()\n"
        "    time.sleep(1.5)\n"
        "    pathlib.Path('/tmp/done').write_text('x')\n"
    )
    name = deploy(slow, Timeout=20)
    assert payload(client.invoke(FunctionName=name, Payload=b'{"look": true}')) is False
    signer = Signer(server)
    request = signer.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}
    connection.request("POST", request.url.removeprefix(server.endpoint), b"{}", headers)
    time.sleep(0.5)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    time.sleep(2.5)
    assert payload(client.invoke(FunctionName=name, Payload=b'{"look": true}')) is True


@pytest.mark.timeout(300)
def test_many_functions_at_once(server, deploy, node_runtime):
    """Fifty callers, five functions, three languages: every answer is the right one."""
    client = server.client(timeout=120)
    code = "def handler(event, context): return {'by': NAME, 'n': event['n']}\n"
    functions = {
        label: deploy(packages.python(code.replace("NAME", repr(label))), Timeout=60, MemorySize=512)
        for label in ("a", "b")
    }
    for label in ("c", "d"):
        javascript = f"export const handler = async (event) => ({{ by: '{label}', n: event.n }});\n"
        functions[label] = deploy(packages.node(javascript), runtime=node_runtime, Timeout=60, MemorySize=512)
    if packages.compiled():
        functions["custom"] = deploy(packages.compiled(), runtime="provided.al2023", Timeout=60)
    labels = sorted(functions)

    def call(number):
        label = labels[number % len(labels)]
        answer = client.invoke(FunctionName=functions[label], Payload=json.dumps({"n": number}))
        assert "FunctionError" not in answer
        result = payload(answer)
        return label == "custom" or result == {"by": label, "n": number}

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert all(pool.map(call, range(150)))
