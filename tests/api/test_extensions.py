"""External and internal extensions: who is told what and when, what waits for whom, and what happens when one fails."""

import json
import re
import time

import pytest

import leftovers
import packages
from server import ACCOUNT, arn, unique, wait_until

HIDDEN = {
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}  # fmt: skip


@pytest.fixture(scope="module")
def layers(client):
    """Publishes layers; by default one with the extension of functions/extension.py."""

    def publish(files=None):
        files = files or {"extensions/agent": packages.source("extension.py")}
        return client.publish_layer_version(LayerName=unique("extension"), Content={"ZipFile": packages.package(files)})[
            "LayerVersionArn"
        ]

    return publish


@pytest.fixture
def extended(server, deploy, layers, client):
    """A function with the extension, and its log."""

    class Extended:
        def __init__(self, *files, **variables):
            arns = [layers(each) for each in files] or [layers()]
            self.settings = dict(Layers=arns, Environment={"Variables": variables})
            self.name = deploy(Timeout=3, **self.settings)

        def invoke(self, event=None, **settings):
            answer = client.invoke(FunctionName=self.name, Payload=json.dumps(event or {"do": "echo"}), **settings)
            return answer.get("FunctionError"), json.loads(answer["Payload"].read())

        def log(self):
            events = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
            return [event["message"] for event in events]

        def said(self, member, name="agent"):
            """What an extension said of this."""
            lines = [json.loads(line) for line in self.log() if line.startswith('{"extension"')]
            return [line[member] for line in lines if line["extension"] == name and member in line]

        def events(self, name="agent"):
            return self.said("event", name)

        def wait_for(self, member, count=1, name="agent"):
            wait_until(lambda: len(self.said(member, name)) >= count, what=f"{count} times {member}")
            return self.said(member, name)

    return Extended


def test_the_life_of_an_extension(extended, server):
    function = extended()
    first = function.invoke()
    assert first == (None, {"do": "echo"})
    # Until the extension has asked for the next event the environment is taken, and another would be started.
    wait_until(lambda: any(line.startswith("REPORT") for line in function.log()), what="the end of the invocation")
    assert function.invoke() == first
    (registered,) = function.wait_for("registered")
    assert registered == {
        "functionName": function.name, "functionVersion": "$LATEST", "handler": "index.handler", "accountId": ACCOUNT,
    }  # fmt: skip
    (variables,) = function.said("variables")
    assert not HIDDEN & set(variables) and not [name for name in variables if name.startswith("_")]
    assert {"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_ACCESS_KEY_ID", "AWS_REGION", "PATH"} <= set(variables)
    events = function.wait_for("event", 2)
    assert [event["eventType"] for event in events] == ["INVOKE", "INVOKE"]
    assert events[0]["invokedFunctionArn"] == arn(function.name)
    assert events[0]["tracing"]["type"] == "X-Amzn-Trace-Id" and events[0]["tracing"]["value"].startswith("Root=1-")
    log = function.log()
    starts = [line.split()[2] for line in log if line.startswith("START")]
    assert [event["requestId"] for event in events] == starts
    assert "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]" in log
    assert function.said("identified") == [True, True]
    assert 0 < events[0]["deadlineMs"] / 1000 - function.said("now")[0] <= 3
    # The environment goes with the configuration that it was made for.
    server.client().update_function_configuration(FunctionName=function.name, Description="changed")
    events = function.wait_for("event", 3)
    assert events[2]["shutdownReason"] == "spindown" and events[2]["eventType"] == "SHUTDOWN"
    assert 0 < events[2]["deadlineMs"] / 1000 - function.said("now")[2] <= 2


def test_a_response_does_not_wait_for_an_extension_but_the_next_invocation_does(extended, client):
    function = extended(EXTENSION_SLOW="0.6")
    function.invoke()
    began = time.monotonic()
    function.invoke({"do": "who"})
    first = time.monotonic() - began
    began = time.monotonic()
    _, again = function.invoke({"do": "who"})
    assert again["invocations"] >= 1
    wait_until(lambda: len([line for line in function.log() if line.startswith("REPORT")]) >= 3, what="reports")
    durations = [float(re.search(r"\tDuration: ([\d.]+) ms", line)[1]) for line in function.log() if line.startswith("REPORT")]
    assert all(duration >= 590 for duration in durations), durations
    # The caller hears of the response when it is there: each call took what was left of the one before, at most.
    assert first < 1.2


def test_an_extension_that_takes_longer_than_the_function_may(extended):
    function = extended(EXTENSION_SLOW="30")
    assert function.invoke() == (None, {"do": "echo"}), "the caller was served in time"
    wait_until(lambda: any("Status: timeout" in line for line in function.log()), what="the report")
    assert function.invoke() == (None, {"do": "echo"}), "another environment, or this one anew"


def test_several_extensions_and_what_each_has_registered_for(extended):
    quiet = packages.source("extension.py").replace(b'"INVOKE,SHUTDOWN"', b'"SHUTDOWN"')
    silent = packages.source("extension.py").replace(b'"INVOKE,SHUTDOWN"', b'""')
    files = {
        "extensions/agent": packages.source("extension.py"),
        "extensions/quiet": quiet,
        "extensions/silent": silent,
        "extensions/notes.txt": "no program",
        "extensions/folder/program": "#!/bin/sh\nexit 1\n",
    }
    function = extended(files)
    assert function.invoke() == (None, {"do": "echo"})
    function.wait_for("event")
    assert [len(function.events(name)) for name in ("agent", "quiet", "silent")] == [1, 0, 0]
    log = function.log()
    for name, events in [("agent", "INVOKE,SHUTDOWN"), ("quiet", "SHUTDOWN"), ("silent", "")]:
        assert f"EXTENSION\tName: {name}\tState: Ready\tEvents: [{events}]" in log


def test_a_later_layer_lies_over_an_earlier_one(extended):
    earlier = {"extensions/agent": "#!/bin/sh\nexit 1\n"}
    later = {"extensions/agent": packages.source("extension.py")}
    function = extended(earlier, later)
    assert function.invoke() == (None, {"do": "echo"})
    assert function.wait_for("registered")


@pytest.mark.parametrize(
    "fail,error_type,message",
    [
        ("crash-start", "Extension.Crash", "exit status 3"),
        ("crash-registered", "Extension.Crash", "exit status 4"),
        ("init-error", "Extension.InitError", "Extension.NoReason"),
    ],
)
def test_a_failure_at_initialisation(extended, fail, error_type, message):
    function = extended(EXTENSION_FAIL=fail)
    error, payload = function.invoke()
    assert error == "Unhandled"
    assert payload["errorType"] == error_type
    assert re.fullmatch(rf"RequestId: \S+ Error: {re.escape(message)}", payload["errorMessage"])
    assert any(f"Status: error\tError Type: {error_type}" in line for line in function.log())
    if fail == "init-error":
        assert "EXTENSION\tName: agent\tState: InitError\tEvents: [INVOKE,SHUTDOWN]\tError Type: Extension.InitError" in function.log()


@pytest.mark.parametrize("fail", ["never-register", "never-ready"])
def test_one_that_never_gets_ready(extended, fail):
    """The initialisation takes its ten seconds, is begun anew with the invocation, and takes its timeout."""
    function = extended(EXTENSION_FAIL=fail)
    error, payload = function.invoke()
    assert (error, payload["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert any(line.startswith("INIT_REPORT") and "Phase: init\tStatus: timeout" in line for line in function.log())


@pytest.mark.parametrize(
    "fail,error_type",
    [("exit-error", "Extension.ExitError"), ("crash-invoke", "Extension.Crash")],
)
def test_a_failure_while_serving(extended, fail, error_type):
    function = extended(EXTENSION_FAIL=fail)
    error, payload = function.invoke({"do": "sleep", "seconds": 2})
    assert (error, payload["errorType"]) == ("Unhandled", error_type)
    # It is begun anew, with the files that it left.
    error, payload = function.invoke({"do": "sleep", "seconds": 2})
    assert (error, payload["errorType"]) == ("Unhandled", error_type)
    assert len(function.wait_for("registered", 2)) == 2


def test_what_extensions_are_told_of_failures(extended):
    function = extended()
    assert function.invoke({"do": "exit", "status": 1})[0] == "Unhandled"
    wait_until(lambda: len(function.events()) >= 2, what="the end")
    assert function.events()[1]["shutdownReason"] == "failure"
    assert function.invoke({"do": "sleep", "seconds": 10})[1]["errorType"] == "Sandbox.Timedout"
    wait_until(lambda: len(function.events()) >= 4, what="the end")
    assert function.events()[3]["shutdownReason"] == "timeout"
    assert function.invoke() == (None, {"do": "echo"})
    # The runtime is gone by the time that the extensions are told.
    assert len(function.said("registered")) == 3


def test_an_extension_that_ignores_the_end(extended, client):
    function = extended({"extensions/stubborn": packages.source("extension.py")}, EXTENSION_FAIL="hang")
    function.invoke()
    assert leftovers.running("/opt/extensions/stubborn")
    began = time.monotonic()
    client.update_function_configuration(FunctionName=function.name, Description="changed")
    function.wait_for("event", 2, "stubborn")
    # It has two seconds, and no more.
    wait_until(lambda: not leftovers.running("/opt/extensions/stubborn"), timeout=6, what="the end of the extension")
    assert time.monotonic() - began < 6


INTERNAL = """
import json, os, threading, urllib.request, urllib.error

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
told, invocations = [], 0

def call(path, body=None, method=None, **headers):
    request = urllib.request.Request(f"{API}/{path}", None if body is None else body.encode(), headers=headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())

def register(name="inside", body='{"events":["INVOKE"]}', **more):
    headers = {"Lambda-Extension-Name": name} if name else {}
    return call("register", body, **headers, **more)

status, headers, first = register()
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
refusals = {
    "twice": register(),
    "no name": register(None),
    "no json": register("x", "nope"),
    "keys": register("x", '{"events":[],"configurationKeys":["a"]}'),
    "no event": register("x", '{"events":["RESTORE"]}'),
    "shutdown": register("x", '{"events":["SHUTDOWN"]}'),
    "no id": call("event/next"),
    "bad id": call("event/next", **{"Lambda-Extension-Identifier": "x"}),
    "unknown id": call("event/next", **{"Lambda-Extension-Identifier": "00000000-0000-0000-0000-000000000000"}),
    "no error type": call("init/error", "{}", **identifier),
}
more = [register(f"more-{number}", '{"events":[]}') for number in range(1, 10)]
refusals["too many"] = register("more-10", '{"events":[]}')

def listen(identifier):
    while True:
        status, headers, event = call("event/next", **identifier)
        if status != 200:
            told.append((status, event))
            return
        told.append(event["eventType"])

for headers in [identifier] + [{"Lambda-Extension-Identifier": each[1]["Lambda-Extension-Identifier"]} for each in more]:
    threading.Thread(target=listen, args=(headers,), daemon=True).start()

def handler(event, context):
    global invocations
    invocations += 1
    if event.get("late"):
        return register("late")[::2]
    return {"status": status, "first": first, "told": told, "invocations": invocations, "more": [each[0] for each in more],
            "refusals": {name: [answer[0], answer[2]["errorType"], answer[2]["errorMessage"]] for name, answer in refusals.items()}}
"""


def test_extensions_within_the_runtime(deploy, client):
    name = deploy(packages.python(INTERNAL))
    answer = json.loads(client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    assert (answer["status"], answer["first"]) == (200, {"functionName": name, "functionVersion": "$LATEST", "handler": "index.handler"})
    assert answer["more"] == [200] * 9
    assert answer["refusals"] == {
        "twice": [403, "Extension.InvalidExtensionState", "Extension with this name already registered"],
        "no name": [403, "Extension.InvalidExtensionName", "Empty extension name"],
        "no json": [403, "InvalidRequestFormat", answer["refusals"]["no json"][2]],
        "keys": [403, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead"],
        "no event": [403, "Extension.InvalidEventType", "RESTORE: ErrorInvalidEventType"],
        "shutdown": [403, "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"],
        "no id": [403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"],
        "bad id": [403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"],
        "unknown id": [403, "Extension.UnknownExtensionIdentifier", "Unknown extension 00000000-0000-0000-0000-000000000000"],
        "no error type": [403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"],
        "too many": [403, "Extension.TooManyExtensions", "Extension limit (10) reached"],
    }
    late = json.loads(client.invoke(FunctionName=name, Payload=b'{"late": true}')["Payload"].read())
    assert late == [403, {"errorType": "Extension.RegistrationClosed", "errorMessage": "Extension registration closed already"}]

    def hears_of_each():
        """Every invocation that was before in this environment, and maybe this one: another may be the first to be ready."""
        answer = json.loads(client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
        count = answer["invocations"]
        assert answer["told"] in (["INVOKE"] * (count - 1), ["INVOKE"] * count)
        return count >= 3

    wait_until(hears_of_each, what="a third invocation in one environment")


def test_a_shell_script_is_an_extension_too(extended):
    script = """#!/bin/bash
    # As in AWS' own examples: curl and nothing else.
    api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
    headers=$(mktemp)
    curl -sS -D "$headers" -X POST "$api/register" -H "Lambda-Extension-Name: ${0##*/}" -d '{"events": ["INVOKE", "SHUTDOWN"]}' > /dev/null
    id=$(grep -i '^lambda-extension-identifier' "$headers" | tr -d '[:space:]' | cut -d: -f2)
    while true; do
      event=$(curl -sS "$api/event/next" -H "Lambda-Extension-Identifier: $id")
      echo "{\\"extension\\": \\"${0##*/}\\", \\"event\\": $event}"
      case $event in *SHUTDOWN*) exit 0 ;; esac
    done
    """.replace("\n    ", "\n")
    function = extended({"extensions/agent": script})
    assert function.invoke() == (None, {"do": "echo"})
    assert function.wait_for("event")[0]["eventType"] == "INVOKE"


def test_extensions_of_provisioned_environments(extended, client):
    function = extended()
    version = client.publish_version(FunctionName=function.name)["Version"]
    client.put_provisioned_concurrency_config(FunctionName=function.name, Qualifier=version, ProvisionedConcurrentExecutions=1)
    ready = lambda: client.get_provisioned_concurrency_config(FunctionName=function.name, Qualifier=version)["Status"] == "READY"
    wait_until(ready, what="provisioned concurrency")
    (registered,) = function.wait_for("registered")
    assert registered["functionVersion"] == version
    assert function.events() == []
    assert function.invoke(Qualifier=version) == (None, {"do": "echo"})
    assert function.wait_for("event")[0]["invokedFunctionArn"] == arn(function.name, version)
    client.delete_provisioned_concurrency_config(FunctionName=function.name, Qualifier=version)
