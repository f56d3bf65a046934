"""An extension made with AWS' own library for Rust, as those of vendors are: see extensions/observer.

The library takes what it is told into types of its own: a record that is not as they have it loses it the whole batch.
"""

import json
import time

import pytest

import leftovers
import packages
from server import ACCOUNT, TOOLS, arn, unique, wait_until

OBSERVER = TOOLS / "build/observer/debug/observer"


class Observed:
    """A function with the extension, and what that said."""

    def __init__(self, deploy, layer, variables, **settings):
        self.client, self.logs = deploy.client, deploy.server.client("logs")
        self.name = deploy(Layers=[layer], Environment={"Variables": variables}, **({"Timeout": 10} | settings))

    def invoke(self, do="echo", **event):
        """The error, what was answered, and the request."""
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps({"do": do} | event))
        payload = json.loads(answer["Payload"].read())
        return answer.get("FunctionError"), payload, answer["ResponseMetadata"]["RequestId"]

    def log(self):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}")
        try:
            return [event["message"] for page in pages for event in page["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def said(self, member):
        lines = [json.loads(line) for line in self.log() if '"extension":"observer"' in line]
        return [line[member] for line in lines if member in line]

    def events(self, kind):
        return [event["event"] for event in self.said("event") if event["eventType"] == kind]

    def records(self, kind):
        return [each["record"] for each in self.said("telemetry") if each["type"] == kind]

    def wait_for(self, found, count=1):
        return wait_until(lambda: len(found()) >= count and found(), what=f"{count} of these")

    def end(self):
        """Ends the environments: they go with the configuration that they were made for."""
        self.client.update_function_configuration(FunctionName=self.name, Description=unique("changed"))


@pytest.fixture(scope="module")
def layer(client):
    assert OBSERVER.exists(), f"{OBSERVER} is missing; run ./dev test"
    package = packages.package({"extensions/observer": OBSERVER.read_bytes()})
    return client.publish_layer_version(LayerName=unique("observer"), Content={"ZipFile": package})["LayerVersionArn"]


@pytest.fixture
def observed(deploy, layer):
    return lambda variables=None, **settings: Observed(deploy, layer, variables or {}, **settings)


def test_its_life(observed):
    function = observed()
    requests = []
    for number in range(2):
        error, payload, request = function.invoke(number=number)
        assert (error, payload) == (None, {"do": "echo", "number": number})
        requests.append(request)
        # So that the next one finds the same environment.
        function.wait_for(lambda: [line for line in function.log() if line.startswith("REPORT")], number + 1)
    (registered,) = function.said("registered")
    assert registered == {
        "functionName": function.name, "functionVersion": "$LATEST", "handler": "index.handler", "accountId": ACCOUNT,
    }  # fmt: skip
    events = function.wait_for(lambda: function.events("INVOKE"), 2)
    assert [event["requestId"] for event in events] == requests
    assert {event["invokedFunctionArn"] for event in events} == {arn(function.name)}
    assert all(event["tracing"]["value"].startswith("Root=1-") for event in events)
    assert abs(events[0]["deadlineMs"] / 1000 - time.time()) < 60
    function.end()
    (event,) = function.wait_for(lambda: function.events("SHUTDOWN"))
    assert event["shutdownReason"] == "spindown"


def test_its_telemetry(observed):
    function = observed()
    _, _, request = function.invoke("print", lines=["one", "two"])
    (report,) = function.wait_for(lambda: function.records("platform.report"))
    assert (report["requestId"], report["status"], report["metrics"]["memorySizeMB"]) == (request, "success", 128)
    assert report["metrics"]["initDurationMs"] > 0 and report["metrics"]["billedDurationMs"] > 0
    assert function.records("function") == ["one", "two"]
    (start,) = function.records("platform.initStart")
    assert (start["initializationType"], start["phase"]) == ("on-demand", "init")
    (done,) = function.records("platform.initRuntimeDone")
    assert (done["status"], done["phase"]) == ("success", "init")
    (ready,) = function.records("platform.initReport")
    assert ready["metrics"]["durationMs"] > 0
    assert function.records("platform.extension") == [{"name": "observer", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}]
    subscription = {"name": "observer", "state": "Subscribed", "types": ["platform", "function"]}
    assert function.records("platform.telemetrySubscription") == [subscription]
    assert function.records("platform.start") == [{"requestId": request, "version": "$LATEST"}]
    (done,) = function.records("platform.runtimeDone")
    assert (done["requestId"], done["status"], done["metrics"]["producedBytes"]) == (request, "success", len("null"))
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration", "runtimeOverhead"]


def test_its_telemetry_of_a_function_that_is_traced(observed):
    function = observed(TracingConfig={"Mode": "Active"})
    function.invoke()
    (report,) = function.wait_for(lambda: function.records("platform.report"))
    assert report["tracing"]["type"] == "X-Amzn-Trace-Id" and report["tracing"]["spanId"]


def test_its_telemetry_of_a_function_that_logs_json(observed):
    """The version of the schema that the library asks for has lines as text, whatever is in them."""
    function = observed(LoggingConfig={"LogFormat": "JSON"})
    _, _, request = function.invoke("log", text="as an object")
    (record,) = function.wait_for(lambda: function.records("function"))
    record = json.loads(record)
    assert (record["message"], record["level"], record["requestId"]) == ("as an object", "WARNING", request)


@pytest.mark.parametrize(
    "do,event,status,error_type",
    [("exit", {"status": 3}, "error", "Runtime.ExitError"), ("sleep", {"seconds": 30}, "timeout", None)],
)
def test_its_telemetry_of_a_function_that_fails(observed, do, event, status, error_type):
    function = observed(Timeout=3)
    error, _, request = function.invoke(do, **event)
    assert error == "Unhandled"
    (done,) = function.wait_for(lambda: function.records("platform.runtimeDone"))
    assert (done["requestId"], done["status"], done.get("errorType")) == (request, status, error_type)
    (event,) = function.wait_for(lambda: function.events("SHUTDOWN"))
    assert event["shutdownReason"] == {"error": "failure", "timeout": "timeout"}[status]
    assert function.invoke()[:2] == (None, {"do": "echo"})
    assert len(function.wait_for(lambda: function.said("registered"), 2)) == 2


def test_its_telemetry_of_provisioned_environments(observed):
    function = observed()
    version = function.client.publish_version(FunctionName=function.name)["Version"]
    qualified = {"FunctionName": function.name, "Qualifier": version}
    function.client.put_provisioned_concurrency_config(**qualified, ProvisionedConcurrentExecutions=1)
    (start,) = function.wait_for(lambda: function.records("platform.initStart"))
    assert start["initializationType"] == "provisioned-concurrency"
    (report,) = function.wait_for(lambda: function.records("platform.initReport"))
    assert (report["initializationType"], report["phase"]) == ("provisioned-concurrency", "init")
    function.client.delete_provisioned_concurrency_config(**qualified)


def test_an_error_in_it(observed):
    """The library reports it and ends, and with it ends what the function was about."""
    function = observed({"OBSERVER_FAILS": "INVOKE"})
    error, payload, _ = function.invoke("sleep", seconds=3)
    assert error == "Unhandled"
    assert payload["errorType"] == "Extension.Crash"
    assert any("as told at INVOKE" in line for line in function.log())


def test_one_that_asks_for_more_after_the_end(client, deploy):
    """What the library does by itself: it is told of the end once, waits for what does not come, and is ended."""
    package = packages.package({"extensions/stays": OBSERVER.read_bytes()})
    layer = client.publish_layer_version(LayerName=unique("stays"), Content={"ZipFile": package})["LayerVersionArn"]
    function = Observed(deploy, layer, {"OBSERVER_STAYS": "1"})
    function.invoke()
    assert leftovers.running("/opt/extensions/stays")
    function.end()
    function.wait_for(lambda: function.events("SHUTDOWN"))
    wait_until(lambda: not leftovers.running("/opt/extensions/stays"), what="the end of the extension")
    assert len(function.events("SHUTDOWN")) == 1
