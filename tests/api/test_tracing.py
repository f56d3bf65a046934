"""X-Ray tracing: who decides what is sampled, what functions and logs tell of it, and the spans that come of it."""

import json
import re
import time

import pytest

import packages
import receivers
from identities import TRUST
from server import ACCOUNT, REGION, unique, wait_until
from test_recursion import sdk

TRACED = """
import os, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if "fail" in event:
        raise ValueError("as asked")
    if "exit" in event:
        os._exit(1)
    return os.environ["_X_AMZN_TRACE_ID"]
"""

CALLER = b"""
import json, os
import botocore.session

client = botocore.session.get_session().create_client("lambda")

def handler(event, context):
    answer = client.invoke(FunctionName=event["call"])
    return [os.environ["_X_AMZN_TRACE_ID"], json.load(answer["Payload"])]
"""

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
CALLER_ID = "53995c3f42cd8ad8"
HEADER = r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=([01]);Lineage=[0-9a-f]{8}:1"
REPORTED = r"\nXRAY TraceId: (\S+)\tSegmentId: (\S+)\tSampled: true\t\n?$"
ACTIVE = {"Mode": "Active"}


class Traced:
    """A function that tells the trace header that it got."""

    def __init__(self, server, name):
        self.server, self.name = server, name

    def invoke(self, given=None, **event):
        """What came of it, and the trace header of the answer."""
        client = self.server.client()
        add = lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", given) if given else None  # noqa: E731
        client.meta.events.register("before-sign.lambda.Invoke", add)
        answer = client.invoke(FunctionName=self.name, Payload=json.dumps(event))
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return json.load(answer["Payload"]), headers["x-amzn-trace-id"]

    def header(self, given=None):
        return self.invoke(given)[0]

    def reports(self, count):
        def read():
            pages = self.server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}")
            messages = [event["message"] for page in pages for event in page["events"]]
            reports = [message for message in messages if message.startswith("REPORT ")]
            return reports if len(reports) >= count else None

        return wait_until(read, what=f"{count} reports")


@pytest.fixture
def traced(server, deploy):
    return lambda **settings: Traced(server, deploy(packages.python(TRACED), **settings))


def test_a_trace_that_begins_here_is_not_sampled(traced):
    function = traced()
    header, answered = function.invoke()
    root, _, sampled = re.fullmatch(HEADER, header).groups()
    assert sampled == "0" and answered == f"Root={root};Sampled=0"
    assert abs(int(root.split("-")[1], 16) - time.time()) < 60
    assert "XRAY" not in function.reports(1)[0]


@pytest.mark.parametrize("sampled", [0, 1])
def test_a_function_without_tracing_passes_on_what_it_gets(traced, sampled):
    function = traced()
    given = f"Root={ROOT};Parent={CALLER_ID};Sampled={sampled}"
    header, answered = function.invoke(given)
    assert header.split(";Lineage=")[0] == given and answered == f"Root={ROOT};Sampled={sampled}"
    assert "XRAY" not in function.reports(1)[0]


def test_whoever_calls_decides(traced):
    function = traced(TracingConfig=ACTIVE)
    assert function.header(f"Root={ROOT};Parent={CALLER_ID};Sampled=0").startswith(f"Root={ROOT};Parent={CALLER_ID};Sampled=0;")
    roots = []
    for _ in range(3):
        root, parent, sampled = re.fullmatch(HEADER, function.header(f"Root={ROOT};Parent={CALLER_ID};Sampled=1")).groups()
        assert (root, sampled) == (ROOT, "1") and parent != CALLER_ID
        roots.append((root, parent))
    assert len(set(roots)) == 3
    first, *reports = function.reports(4)
    assert "XRAY" not in first
    assert [re.search(REPORTED, report).groups() for report in reports] == roots


def test_an_undecided_trace_is_decided_here(traced):
    function = traced(TracingConfig=ACTIVE)
    header, answered = function.invoke(f"Self=1-a-b;Root={ROOT};Parent={CALLER_ID};Sampled=?")
    assert header.startswith(f"Root={ROOT};Parent=") and ";Sampled=1;" in header
    assert answered == f"Root={ROOT};Sampled=1"
    assert traced().header(f"Root={ROOT};Sampled=?").startswith(f"Root={ROOT};Sampled=0;")


def test_the_first_of_each_second_and_few_others(traced):
    function = traced(TracingConfig=ACTIVE)
    function.header()
    time.sleep(1.1)
    begun = time.monotonic()
    sampled = [";Sampled=1" in function.header() for _ in range(100)]
    seconds = time.monotonic() - begun
    assert sampled[0]
    # Each second its first, and of a hundred others hardly more than a quarter.
    assert int(seconds) <= sum(sampled) <= seconds + 2 + 25
    wait_until(lambda: (time.sleep(1.01), ";Sampled=1" in function.header())[1], timeout=10, what="the next second")


def test_json_reports_tell_too(traced, server):
    function = traced(TracingConfig=ACTIVE, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    function.header(f"Root={ROOT};Parent={CALLER_ID};Sampled=1")

    def records():
        events = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.name}")["events"]
        found = [json.loads(event["message"]) for event in events]
        return {record["type"]: record["record"] for record in found if "type" in record}

    wait_until(lambda: "platform.report" in records(), what="the report")
    assert records()["platform.report"]["requestId"]


# Spans


@pytest.fixture(scope="module")
def receiver():
    receiver = receivers.Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def exporting(serve, receiver):
    instance = serve("--isolation", "none", "--trace-destination", f"otlp={receiver.url}")
    yield instance
    instance.stop()


@pytest.fixture
def exported(exporting, deployer):
    deploy = deployer(exporting)
    return lambda **settings: Traced(exporting, deploy(packages.python(TRACED), TracingConfig=ACTIVE, **settings))


def spans_of(receiver, name, count):
    """The spans of a function, by invocation in their order: name → span."""

    def read():
        resources = {}
        for resource, span in receiver.spans():
            if resource["service.name"] == name:
                resources.setdefault(span.trace_id.hex() + span_key(receiver, span), []).append((resource, span))
        return list(resources.values()) if len(resources) >= count else None

    return wait_until(read, what=f"{count} traces of {name}")


def span_key(receiver, span):
    """Tells invocations of one trace from each other: the segment of the service."""
    parents = {other.span_id: other for _, other in receiver.spans()}
    while span.kind != 2:
        span = parents[span.parent_span_id]
    return span.span_id.hex()


def by_name(found, name):
    return {("service" if span.kind == 2 else "function" if span.name == name else span.name): span for _, span in found}


def test_spans_of_a_cold_and_a_warm_invocation(exported, receiver):
    function = exported()
    begun = time.time_ns()
    given = f"Root={ROOT};Parent={CALLER_ID};Sampled=1"
    headers = [function.invoke(given, sleep=0.2)[0] for _ in range(2)]
    cold, warm = spans_of(receiver, function.name, 2)
    for found, header, names in [
        (cold, headers[0], ["service", "function", "Initialization", "Invocation", "Overhead"]),
        (warm, headers[1], ["service", "function", "Invocation", "Overhead"]),
    ]:
        resource, _ = found[0]
        assert resource == {
            "service.name": function.name,
            "cloud.platform": "aws_lambda",
            "cloud.account.id": ACCOUNT,
            "cloud.region": REGION,
            "faas.name": function.name,
            "faas.version": "$LATEST",
        }
        spans = by_name(found, function.name)
        assert list(spans) == names
        assert {span.trace_id.hex() for span in spans.values()} == {ROOT[2:].replace("-", "")}
        assert spans["service"].parent_span_id.hex() == CALLER_ID
        assert spans["function"].parent_span_id == spans["service"].span_id
        assert all(spans[part].parent_span_id == spans["function"].span_id for part in names[2:])
        assert f"Parent={spans['function'].span_id.hex()};" in header
        assert all(begun <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns() for span in spans.values())
        invocation = spans["Invocation"]
        assert 2e8 <= invocation.end_time_unix_nano - invocation.start_time_unix_nano < 5e9
        assert spans["Overhead"].start_time_unix_nano == invocation.end_time_unix_nano
        attributes = receivers.plain(spans["function"].attributes)
        assert attributes["cloud.resource_id"].endswith(f":function:{function.name}")
        assert attributes["faas.coldstart"] is (found is cold)
        assert all(span.status.code == 0 for span in spans.values())
    reports = function.reports(2)
    requests = [re.match(r"REPORT RequestId: (\S+)", report)[1] for report in reports]
    told = [receivers.plain(by_name(found, function.name)["function"].attributes)["faas.invocation_id"] for found in (cold, warm)]
    assert told == requests


@pytest.mark.parametrize("event, error_type", [({"fail": 1}, "ValueError"), ({"exit": 1}, "Runtime.ExitError"), ({"sleep": 3}, "Sandbox.Timedout")])
def test_spans_of_failures(exported, receiver, event, error_type):
    function = exported(Timeout=1)
    function.invoke(f"Root={ROOT};Sampled=1", **event)
    spans = by_name(spans_of(receiver, function.name, 1)[0], function.name)
    for name in ("service", "function"):
        assert (spans[name].status.code, spans[name].status.message) == (2, error_type)
    assert spans["service"].parent_span_id == b""


def test_what_is_not_sampled_has_no_spans(exported, receiver):
    function = exported()
    function.invoke(f"Root={ROOT};Parent={CALLER_ID};Sampled=0")
    # Nor has what no receiver could take.
    function.invoke("Root=1-no-trace;Parent=x;Sampled=1")
    function.invoke(f"Root={ROOT};Parent=<x>;Sampled=1")
    (found,) = spans_of(receiver, function.name, 1)
    assert by_name(found, function.name)["service"].parent_span_id == b""


def test_one_trace_over_two_functions(serve, deployer, receiver):
    """The SDK in a function passes on the trace, and the callee's spans are below the caller's."""
    instance = serve("--trace-destination", f"otlp={receiver.url}")
    iam = instance.client("iam")
    role = iam.create_role(RoleName=unique("caller"), AssumeRolePolicyDocument=TRUST)["Role"]
    iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaRole")
    deploy = deployer(instance)
    settings = dict(TracingConfig=ACTIVE, Role=role["Arn"], Timeout=60, MemorySize=512)
    callee = deploy(packages.python(TRACED), **settings)
    caller = Traced(instance, deploy(packages.package(sdk() | {"index.py": CALLER}), **settings))
    outer, inner = caller.invoke(call=callee)[0]
    assert outer.split(";")[0] == inner.split(";")[0]
    upper = by_name(spans_of(receiver, caller.name, 1)[0], caller.name)
    lower = by_name(spans_of(receiver, callee, 1)[0], callee)
    assert lower["service"].trace_id == upper["service"].trace_id
    assert lower["service"].parent_span_id == upper["function"].span_id
    assert instance.stop() == 0


@pytest.mark.parametrize("place, sentence", [("xray=127.0.0.1:2000", "there is otlp=URL"), ("otlp=here", "begins neither with http:// nor with https://")])
def test_mistakes(serve, place, sentence):
    with pytest.raises(AssertionError, match=f"(?s)--trace-destination {place}.*{sentence}"):
        serve("--isolation", "none", "--trace-destination", place)
