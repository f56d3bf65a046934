"""The Telemetry API and the Logs API: what subscribers get, who may subscribe to what, and that nobody but the
subscriber pays for a subscriber that is slow, dead or malicious."""

import json
import socket
import time

import pytest

import packages
from server import unique, wait_until

FUNCTION = """
import json, logging, time
print("loading")

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(f"line {number} " + "x" * event.get("width", 0))
    if "say" in event:
        print(event["say"])
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        import os
        os._exit(event["exit"])
    return event
"""


class Subscribed:
    """A function with extensions that subscribe, and what they have got."""

    def __init__(self, deploy, config, *, names=("agent",), **settings):
        self.client, self.logs = deploy.client, deploy.server.client("logs")
        files = {f"extensions/{name}": packages.source("subscriber.py") for name in names}
        layer = self.client.publish_layer_version(LayerName=unique("subscriber"), Content={"ZipFile": packages.package(files)})
        variables = {"TELEMETRY": json.dumps(config)}
        settings = {"Timeout": 10, "Layers": [layer["LayerVersionArn"]], "Environment": {"Variables": variables}} | settings
        self.name = deploy(packages.package({"index.py": FUNCTION}), **settings)

    def invoke(self, event=None):
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event or {}))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def settle(self, invocations):
        """Waits until so many are over, so that the next one finds the same environment idle."""
        wait_until(lambda: len([line for line in self.log() if line.startswith("REPORT")]) == invocations, what="reports")

    def log(self):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}")
        return [event["message"] for page in pages for event in page["events"]]

    def said(self, member, name="agent"):
        lines = [json.loads(line) for line in self.log() if line.startswith('{"extension"')]
        return [line[member] for line in lines if line["extension"] == name and member in line]

    def records(self, kind=None, name="agent"):
        records = [record for batch in self.said("batch", name) for record in batch]
        return [record for record in records if kind in (None, record["type"])]

    def end(self):
        """Ends the environments; what they have to say is then said."""
        self.client.update_function_configuration(FunctionName=self.name, Description=unique("changed"))
        wait_until(lambda: "SHUTDOWN" in self.said("event"), what="the end")

    def wait_for(self, kind, count=1, name="agent"):
        wait_until(lambda: len(self.records(kind, name)) >= count, what=f"{count} times {kind}")
        return self.records(kind, name)


@pytest.fixture
def subscribe(deploy):
    return lambda config=None, **settings: Subscribed(deploy, {"api": "telemetry"} | (config or {}), **settings)


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_what_a_subscriber_gets(subscribe, protocol):
    function = subscribe({"protocol": protocol}, TracingConfig={"Mode": "Active"})
    assert function.invoke({"say": "hello", "a": 1})[0] is None
    function.settle(1)
    assert function.invoke({"say": "again"})[0] is None
    function.settle(2)
    function.end()
    assert function.said("subscribed") == [[200, "OK"]]
    assert "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]" in function.log()
    records = function.records()
    kinds = [record["type"] for record in records]
    invocation = ["platform.start", "function", "platform.runtimeDone", "platform.report"]
    assert sorted(kinds[:7]) == sorted([
        "platform.initStart", "platform.telemetrySubscription", "platform.extension", "function", "platform.initRuntimeDone",
        "platform.initReport", "platform.start",
    ])  # fmt: skip
    assert kinds[0] == "platform.initStart" and kinds.index("platform.initRuntimeDone") < kinds.index("platform.initReport")
    assert kinds[6:] == invocation * 2, kinds
    assert all(set(record) == {"time", "type", "record"} for record in records)
    times = [record["time"] for record in records]
    assert all(len(moment) == len("2026-01-01T00:00:00.000Z") and moment.endswith("Z") for moment in times)
    assert [record["record"] for record in records if record["type"] == "function"] == ["loading", "hello", "again"]

    def one(kind, index=0):
        return function.records(f"platform.{kind}")[index]["record"]

    start = one("initStart")
    assert (start["initializationType"], start["phase"]) == ("on-demand", "init")
    assert (start["functionName"], start["functionVersion"]) == (function.name, "$LATEST")
    assert one("initRuntimeDone") == {"initializationType": "on-demand", "phase": "init", "status": "success"}
    report = one("initReport")
    assert report.pop("metrics")["durationMs"] > 0
    assert report == {"initializationType": "on-demand", "phase": "init", "status": "success"}
    assert one("telemetrySubscription") == {"name": "agent", "state": "Subscribed", "types": ["platform", "function"]}
    assert one("extension") == {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    request = one("start")["requestId"]
    assert one("start")["version"] == "$LATEST"
    done = one("runtimeDone")
    assert (done["requestId"], done["status"]) == (request, "success")
    started, invoked = one("start")["tracing"], done["tracing"]
    assert started["type"] == invoked["type"] == "X-Amzn-Trace-Id"
    # The segment of the function is in that of the service, that of the invocation in that of the function.
    (root, _, sampled), (same, parent, _) = (told["value"].split(";")[:3] for told in (started, invoked))
    assert (root, sampled, parent) == (same, "Sampled=1", f"Parent={started['spanId']}")
    assert one("report")["tracing"] == invoked and invoked["spanId"] not in started.values()
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert all(span["durationMs"] >= 0 and span["start"].endswith("Z") for span in done["spans"])
    assert done["metrics"]["producedBytes"] == len('{"say": "hello", "a": 1}') and done["metrics"]["durationMs"] > 0
    report = one("report")
    assert (report["requestId"], report["status"]) == (request, "success")
    assert {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"} == set(report["metrics"])
    assert [span["name"] for span in report["spans"]] == ["extensionOverhead"]
    assert report["metrics"]["durationMs"] >= done["metrics"]["durationMs"]
    assert "initDurationMs" not in one("report", 1)["metrics"]
    if protocol == "HTTP":
        assert set(function.said("path")) == {"/batches"}
        (headers,) = {json.dumps(headers | {"Sequence-Id": ""}) for headers in function.said("headers")}
        headers = json.loads(headers)
        assert headers["Content-Type"] == "application/json" and headers["Host"].startswith("sandbox.localdomain:")


def test_what_is_not_sampled_is_not_told_of(subscribe):
    function = subscribe()
    function.invoke()
    function.settle(1)
    function.end()
    assert not any("tracing" in record["record"] for record in function.records() if record["type"] != "function")


def test_the_end_of_the_runtime_is_told_while_the_extension_works(subscribe):
    """What extensions that send telemetry away build upon: they ask for the next event when the function is done."""
    function = subscribe({"wait": "platform.runtimeDone"})
    for number in range(2):
        assert function.invoke() == (None, {})
        function.settle(number + 1)
    wait_until(lambda: len(function.said("waited")) == 2, what="both")
    assert function.said("waited") == [True, True]
    function.end()
    for report in function.records("platform.report"):
        (overhead,) = report["record"]["spans"]
        assert 0 < overhead["durationMs"] < report["record"]["metrics"]["durationMs"]


@pytest.mark.parametrize(
    "event,status,error_type", [({"sleep": 9}, "timeout", None), ({"exit": 3}, "error", "Runtime.ExitError")]
)
def test_failures(subscribe, event, status, error_type):
    function = subscribe(Timeout=2)
    assert function.invoke({"say": "last words"} | event)[0] == "Unhandled"
    wait_until(lambda: "SHUTDOWN" in function.said("event"), what="the end")
    # All of it before the extension hears that it has to end.
    lines = [json.loads(line) for line in function.log() if line.startswith('{"extension"')]
    before = lines[: next(index for index, line in enumerate(lines) if line.get("event") == "SHUTDOWN")]
    records = [record for line in before for record in line.get("batch", [])]
    assert [record["type"] for record in records][-3:] == ["platform.start", "function", "platform.runtimeDone"]
    done = records[-1]["record"]
    assert (done["status"], done.get("errorType")) == (status, error_type)
    # Whoever comes after, in the same environment, hears of the report, and of the initialisation within the invocation.
    wait_until(lambda: any(f"Status: {status}" in line for line in function.log()), what="the report")
    assert function.invoke({"say": "anew"})[0] is None
    (report,) = [each for each in function.wait_for("platform.report") if each["record"]["status"] == status][:1]
    assert report["record"]["requestId"] == done["requestId"]
    starts = [record["record"]["phase"] for record in function.wait_for("platform.initStart", 2)]
    assert starts == ["init", "invoke"]
    assert function.said("subscribed") == [[200, "OK"]] * 2


VALID = {"schemaVersion": "2022-12-13", "types": ["platform"], "destination": {"protocol": "HTTP", "URI": "http://sandbox:8080"}}


def attempts(*requests):
    return [[None, json.dumps(VALID | request) if isinstance(request, dict) else request] for request in requests]


def test_refusals(subscribe):
    unknown = "00000000-0000-0000-0000-000000000000"
    wrong = [
        [{}, json.dumps(VALID)],
        [{"Lambda-Extension-Identifier": "x"}, json.dumps(VALID)],
        [{"Lambda-Extension-Identifier": unknown}, json.dumps(VALID)],
    ] + attempts(
        {"types": [], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}},
        {"schemaVersion": "2021-01-01"},
        {"buffering": {"maxItems": 10, "maxBytes": 10_000_000, "timeoutMs": 1}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:9001"}},
        {"destination": {"protocol": "TCP", "port": 0}},
        {"destination": {"protocol": "UDP", "port": 1}},
        "nonsense",
    )
    function = subscribe({"attempts": wrong})
    assert function.invoke()[0] is None
    answers = [[status, answer["errorType"], answer["errorMessage"]] for status, answer in function.said("refused")]
    assert answers[:-1] == [
        [403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"],
        [403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"],
        [403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {unknown}"],
        [400, "ValidationError", "URI port is not provided; types should not be empty"],
        [400, "ValidationError", "schemaVersion 2021-01-01 is not supported"],
        [
            400, "ValidationError",
            "maxItems should be between 1000 and 10000; maxBytes should be between 262144 and 1048576; "
            "timeoutMs should be between 25 and 30000",
        ],
        [400, "ValidationError", "port 9001 is reserved"],
        [400, "ValidationError", "port should be between 1 and 65535"],
        [400, "ValidationError", "unknown protocol: UDP. Only TCP and HTTP are supported"],
    ]  # fmt: skip
    assert answers[-1][:2] == [400, "ValidationError"]
    # None of that stands in the way of a proper one.
    assert function.said("subscribed") == [[200, "OK"]]


@pytest.mark.parametrize("api", ["telemetry", "logs"])
def test_after_the_initialisation_nobody_subscribes(subscribe, api):
    function = subscribe({"api": api, "late": True})
    assert function.invoke()[0] is None
    wait_until(lambda: function.said("subscribed"), what="the answer")
    name = api.capitalize()
    refusal = {"errorMessage": f"{name} API subscription is closed already", "errorType": f"{name}.SubscriptionClosed"}
    assert function.said("subscribed") == [[403, refusal]]


@pytest.mark.parametrize("version,is_object", [("2022-07-01", False), ("2022-12-13", True), ("2025-01-29", True)])
def test_versions_and_json_logs(subscribe, version, is_object):
    config = {"request": {"schemaVersion": version, "types": ["function"]}}
    function = subscribe(config, LoggingConfig={"LogFormat": "JSON"})
    line = json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "INFO", "message": "structured"})
    assert function.invoke({"say": line})[0] is None
    records = [record["record"] for record in function.wait_for("function", 2)]
    assert records == ["loading", json.loads(line) if is_object else line]


def test_lines_of_extensions(subscribe):
    config = {"request": {"types": ["extension"]}, "print": "summary"}
    function = subscribe(config, names=("agent", "other"))
    assert function.invoke()[0] is None
    wait_until(lambda: function.said("summary") and function.said("summary", "other"), what="lines of extensions")
    for name in ("agent", "other"):
        assert all(set(summary) == {"extension"} for summary in function.said("summary", name))


def test_the_logs_api(subscribe):
    request = {"schemaVersion": "2021-03-18", "types": ["platform", "function"]}
    function = subscribe({"api": "logs", "request": request})
    assert function.invoke({"say": "hello"})[0] is None
    function.settle(1)
    function.end()
    assert function.said("subscribed") == [[200, "OK"]]
    assert "LOGS\tName: agent\tState: Subscribed\tTypes: [Platform, Function]" in function.log()
    kinds = [record["type"] for record in function.records()]
    assert kinds[-5:] == ["platform.start", "function", "platform.runtimeDone", "platform.end", "platform.report"]
    assert "platform.logsSubscription" in kinds and not [kind for kind in kinds if kind.startswith("platform.init")]
    request = {"requestId": function.records("platform.start")[0]["record"]["requestId"]}
    assert function.records("platform.end")[0]["record"] == request
    assert function.records("platform.runtimeDone")[0]["record"] == request | {"status": "success"}


def test_faults_in_the_logs_api(subscribe):
    """Also in the first version, which knows of no runtimeDone."""
    function = subscribe({"api": "logs", "request": {"schemaVersion": None, "types": ["platform"]}})
    assert function.invoke({"exit": 3})[0] == "Unhandled"
    wait_until(lambda: "SHUTDOWN" in function.said("event"), what="the end")
    request = function.records("platform.start")[0]["record"]["requestId"]
    faults = [record["record"] for record in function.records("platform.fault")]
    assert faults == [f"RequestId: {request} Error: Runtime exited with error: exit status 3"]
    assert not function.records("platform.runtimeDone")


def test_batches(subscribe):
    request = {"buffering": {"maxItems": 1000, "maxBytes": 1_048_576, "timeoutMs": 30_000}, "types": ["function"]}
    function = subscribe({"request": request, "print": "summary"})
    # Two batches are held, however slowly they are taken.
    assert function.invoke({"lines": 1500})[0] is None
    function.settle(1)
    wait_until(lambda: function.said("summary"), what="a whole batch")
    assert [summary["function"] for summary in function.said("summary")] == [1000], "the rest is waited with"
    function.end()
    # It may still be on its way when the extension hears of the end.
    wait_until(lambda: len(function.said("summary")) == 2, what="the rest, but not beyond the end")
    assert [summary["function"] for summary in function.said("summary")] == [1000, 501]


def test_nothing_is_sent_to_a_frozen_environment(subscribe):
    """An idle environment is frozen long before this batch is due; it gets it when it runs again."""
    function = subscribe({"request": {"buffering": {"timeoutMs": 3000}}})
    assert function.invoke()[0] is None
    time.sleep(4)
    function.settle(1)
    assert not function.records("platform.report")
    assert function.invoke()[0] is None
    assert function.wait_for("platform.report")[0]["record"]["metrics"]["initDurationMs"] > 0


@pytest.mark.parametrize(
    "behave,protocol", [("dead", "HTTP"), ("dead", "TCP"), ("refuse", "HTTP"), ("silent", "HTTP"), ("silent", "TCP")]
)
def test_nobody_waits_for_a_bad_subscriber(subscribe, behave, protocol):
    function = subscribe({"behave": behave, "protocol": protocol, "print": "summary"})
    assert function.invoke()[0] is None
    began = time.monotonic()
    for _ in range(5):
        assert function.invoke({"lines": 100})[0] is None
    assert time.monotonic() - began < 4
    began = time.monotonic()
    function.end()
    assert time.monotonic() - began < 8


def test_what_is_lost_is_counted(subscribe):
    """Ten megabytes for somebody who takes half a megabyte, and asks once a second for more."""
    request = {"buffering": {"maxItems": 1000, "timeoutMs": 1000}}
    function = subscribe({"request": request, "print": "summary"}, Timeout=60, MemorySize=512)
    assert function.invoke({"lines": 20_000, "width": 500})[0] is None
    function.settle(1)
    assert function.invoke()[0] is None
    function.settle(2)
    function.end()
    summaries = function.said("summary")
    dropped = [record for records in function.said("dropped") for record in records]
    assert dropped and all(set(record) == {"reason", "droppedRecords", "droppedBytes"} for record in dropped)
    came = sum(summary.get("function", 0) for summary in summaries)
    assert came + sum(record["droppedRecords"] for record in dropped) >= 20_001
    assert max(summary.get("function", 0) for summary in summaries) <= 1000


ELSEWHERE = [
    "http://169.254.169.254:80/latest/meta-data/", "http://example.com:80/", "http://127.0.0.2:8080/", "http://0.0.0.0:8080/",
    "http://[::1]:8080/", "http://localhost:8080/", "http://2130706433:8080/", "http://sandbox.localdomain.example.com:80/",
    "http://sandbox.localdomain@example.com:80/", "http://sandbox.localdomain:80@example.com:80/", "https://sandbox:8080/",
    "http://example.com#@sandbox.localdomain:80/", "http://sandbox:8080/ HTTP/1.1\r\nHost: example.com\r\n\r\n", "file:///etc/passwd",
    "http://sandbox:9001/2018-06-01/runtime/init/error", "http://sandbox:9002/", "http://127.0.0.1:9001/",
]  # fmt: skip


def test_an_extension_cannot_have_the_server_speak_to_others(subscribe):
    """Neither by a name of the destination, nor by the port: that is one of the sandbox's own."""
    with socket.create_server(("127.0.0.1", 0)) as host, socket.create_server(("0.0.0.0", 0)) as everywhere:
        for listener in (host, everywhere):
            listener.settimeout(0.5)
            port = listener.getsockname()[1]
            wrong = attempts(*({"destination": {"protocol": "HTTP", "URI": uri}} for uri in ELSEWHERE))
            function = subscribe({"attempts": wrong, "port": port})
            assert function.invoke({"lines": 10})[0] is None
            assert [status for status, _ in function.said("refused")] == [400] * len(ELSEWHERE)
            assert function.said("subscribed") == [[200, "OK"]]
            with pytest.raises(TimeoutError):
                listener.accept()
            function.end()


@pytest.mark.parametrize("level", ["none", "rootless"])
def test_at_other_levels_of_isolation(at_isolation, level):
    with at_isolation(level) as (_, deploy):
        for protocol in ("HTTP", "TCP"):
            function = Subscribed(deploy, {"protocol": protocol})
            assert function.invoke({"say": "hello"})[0] is None
            function.settle(1)
            function.end()
            assert [record["record"] for record in function.records("function")] == ["loading", "hello"]
            assert len(function.records("platform.report")) == 1
