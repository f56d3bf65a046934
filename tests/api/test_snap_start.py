"""SnapStart: versions that are initialised when they are published, hooks, restores, failures, and years of disuse."""

import concurrent.futures
import itertools
import json
import time

import botocore.exceptions
import pytest

import images
import packages
from conftest import ISOLATION
from server import ROLE, unique, wait_until
from test_aws_runtime_clients import with_aws_python

SNAP = {"ApplyOn": "PublishedVersions"}
CODE = """
import os, random, secrets, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot

course = ["init"]
at_init = {"uuid": str(uuid.uuid4()), "random": random.random(), "secret": secrets.token_hex()}

@register_before_snapshot
def first():
    course.append("before: first")

register_before_snapshot(lambda word: course.append(word), word="before: last")

@register_after_restore
def after():
    course.append("after")

def handler(event, context):
    if event == "exit":
        os._exit(3)
    if event == "time out":
        time.sleep(60)
    if event == "slow":
        time.sleep(0.3)
    return {
        "course": course,
        "at init": at_init,
        "now": {"uuid": str(uuid.uuid4()), "random": random.random(), "secret": secrets.token_hex()},
        "environment": dict(os.environ),
        "context": [context.log_group_name, context.log_stream_name, context.function_version],
    }
"""
# What the SDKs do: botocore is not on every interpreter that functions run on here.
SESSION = """
import json, os, urllib.request

def credentials(token=None):
    request = urllib.request.Request(
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": token or os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        return error.code
"""
PACKAGE = packages.package({"function.py": CODE})


class Snapshots:
    def __init__(self, server, deployer, runtime):
        self.server, self.runtime = server, runtime
        self._deploy = deployer(server)

    @property
    def lambda_(self):
        return self.server.client(timeout=150)

    def deploy(self, package=PACKAGE, **settings):
        settings = {"SnapStart": SNAP, "Timeout": 5, "MemorySize": 256, "handler": "function.handler"} | settings
        return self._deploy(package, runtime=self.runtime, **settings)

    def publish(self, name, state="Active"):
        version = self.lambda_.publish_version(FunctionName=name)
        assert version["State"] == "Pending" and version["StateReasonCode"] == "Creating"
        assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
        self.become(name, version["Version"], state)
        return version["Version"]

    def state(self, name, version):
        return self.lambda_.get_function_configuration(FunctionName=name, Qualifier=version)

    def become(self, name, version, state):
        wait_until(lambda: self.state(name, version)["State"] == state, timeout=60, what=f"that {name}:{version} is {state}")

    def call(self, name, version, event=None, client=None):
        answer = (client or self.lambda_).invoke(FunctionName=name, Qualifier=version, Payload=json.dumps(event))
        return json.load(answer["Payload"])

    def log(self, name):
        events = self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [event["message"].strip() for event in events]


@pytest.fixture(scope="module")
def snap_start_runtime(machine):
    return next(runtime for runtime in ("python3.13", "python3.12", "python3.14") if machine[runtime]["status"] == "found")


@pytest.fixture(scope="module")
def here(serve, deployer, snap_start_runtime):
    instance = serve("--isolation", ISOLATION, "--auth", "enforce")
    yield Snapshots(instance, deployer, snap_start_runtime)
    assert instance.stop() == 0


def test_published_and_restored(here):
    name = here.deploy()
    latest = here.lambda_.get_function_configuration(FunctionName=name)
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    version = here.publish(name)
    shown = here.state(name, version)
    assert shown["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    here.lambda_.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
    log = here.log(name)
    assert [line.split(" ")[0] for line in log] == ["INIT_START", "INIT_REPORT"] and log[1].endswith("Status: success")

    first = here.call(name, version)
    assert first["course"] == ["init", "before: last", "before: first", "after"]
    assert first["environment"]["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    assert first["context"] == [None, None, version]
    absent = {"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert not absent & set(first["environment"])
    again = here.call(name, version)
    assert again["course"] == first["course"] and again["at init"] == first["at init"]

    wait_until(lambda: sum(line.startswith("REPORT") for line in here.log(name)) == 2)
    restore, report, other = [line for line in here.log(name) if "Restore Duration" in line or line.startswith("REPORT")]
    start = next(line for line in here.log(name) if line.startswith("RESTORE_START"))
    assert start == f"RESTORE_START Runtime Version: {log[0].split('Version: ')[1].split(chr(9))[0]}\tRuntime Version ARN: {shown['RuntimeVersionConfig']['RuntimeVersionArn']}"
    assert restore.startswith("RESTORE_REPORT Restore Duration: ") and restore.endswith(" ms")
    duration = restore.split(": ")[1]
    assert f"\tRestore Duration: {duration}\tBilled Restore Duration: " in report and "Init Duration" not in report
    figures = {part.split(": ")[0]: part.split(": ")[1] for part in report.split("\t") if ": " in part}
    billed = int(figures["Billed Duration"].split()[0])
    assert billed >= int(figures["Billed Restore Duration"].split()[0]) and billed >= 1
    assert "Restore" not in other

    # $LATEST is as ever.
    assert here.call(name, "$LATEST")["course"] == ["init"]
    assert here.call(name, "$LATEST")["environment"]["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"


def test_extensions_and_telemetry(here):
    """An extension is started and subscribes before the snapshot, is told of what comes after the restore, and works."""
    layer = here.lambda_.publish_layer_version(
        LayerName=unique("subscriber"), Content={"ZipFile": packages.package({"extensions/agent": packages.source("subscriber.py")})}
    )
    variables = {"TELEMETRY": json.dumps({"api": "telemetry"})}
    name = here.deploy(Layers=[layer["LayerVersionArn"]], Environment={"Variables": variables})
    version = here.publish(name)
    log = here.log(name)
    assert "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]" in log
    assert "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]" in log

    def records():
        batches = [json.loads(line) for line in here.log(name) if line.startswith('{"extension"') and '"batch"' in line]
        return [record for batch in batches for record in batch["batch"]]

    # Both in one environment: the second invocation lets the extension say what came after the first.
    for count in (1, 2):
        assert here.call(name, version)["course"][-1] == "after"
        wait_until(lambda: sum(line.startswith("REPORT") for line in here.log(name)) == count)
    wait_until(lambda: "platform.report" in [record["type"] for record in records()], what="the report at the extension")
    kinds = [record["type"].removeprefix("platform.") for record in records()]
    for earlier, later in itertools.pairwise(
        ["initStart", "initRuntimeDone", "initReport", "restoreStart", "restoreRuntimeDone", "restoreReport", "start", "runtimeDone", "report"]
    ):
        assert kinds.index(earlier) < kinds.index(later), kinds
    by_kind = {record["type"].removeprefix("platform."): record["record"] for record in reversed(records())}
    assert [by_kind[kind]["initializationType"] for kind in ("initStart", "initRuntimeDone", "initReport")] == ["snap-start"] * 3
    start = by_kind["restoreStart"]
    assert (start["functionName"], start["functionVersion"]) == (name, version)
    assert start["runtimeVersionArn"] == here.state(name, version)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert by_kind["restoreRuntimeDone"] == {"status": "success"}
    assert by_kind["restoreReport"]["status"] == "success"
    metrics = by_kind["report"]["metrics"]
    assert metrics["restoreDurationMs"] == by_kind["restoreReport"]["metrics"]["durationMs"]
    assert "initDurationMs" not in metrics


def test_nothing_is_the_same_twice(here):
    """Ten environments at a time: whatever of them is random was not shared, before the snapshot or after."""
    name = here.deploy()
    version = here.publish(name)
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        client = here.lambda_
        answers = list(threads.map(lambda _: here.call(name, version, "slow", client), range(40)))
    by_environment = {answer["at init"]["uuid"]: answer for answer in answers}
    assert 5 <= len(by_environment) <= 10
    for kind in ("uuid", "random", "secret"):
        assert len({answer["at init"][kind] for answer in by_environment.values()}) == len(by_environment)
    for kind in ("uuid", "random", "secret"):
        assert len({answer["now"][kind] for answer in answers}) == len(answers)
    assert all(answer["course"][-1] == "after" and answer["course"].count("init") == 1 for answer in answers)


def test_credentials_are_asked_for(here):
    name = here.deploy(
        packages.package(
            {
                "function.py": "import session\ndef handler(event, context): return [session.credentials(), session.credentials(), session.credentials('x' * 32)]\n",
                "session.py": SESSION,
            }
        )
    )
    version = here.publish(name)
    one, two, wrong = here.call(name, version)
    assert wrong == 404 and set(one) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert one["Expiration"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    key = (one["AccessKeyId"], one["SecretAccessKey"], one["Token"])
    identity = here.server.client("sts", credentials=key).get_caller_identity()
    assert identity["Arn"].endswith(f":assumed-role/{here.lambda_.get_function_configuration(FunctionName=name)['Role'].rsplit('/', 1)[1]}/{name}")


def test_failures_after_the_restore(here):
    name = here.deploy()
    version = here.publish(name)
    answer = here.call(name, version, "exit")
    assert answer["errorType"] == "Runtime.ExitError"
    # Started anew, it goes through the same without a snapshot.
    assert here.call(name, version)["course"] == ["init", "before: last", "before: first", "after"]
    assert "Task timed out after 5.00 seconds" in here.call(name, version, "time out")["errorMessage"]
    assert here.call(name, version)["course"][-1] == "after"


HOOK = """
import os, time
from snapshot_restore_py import register_after_restore, register_before_snapshot

def fail():
    {body}

register_{which}(fail)

def handler(event, context):
    return 1
"""


def with_hook(which, body):
    return packages.package({"function.py": HOOK.format(which=which, body=body)})


def test_a_hook_after_the_restore_fails(here):
    name = here.deploy(with_hook("after_restore", "raise ValueError('no')"))
    version = here.publish(name)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        here.call(name, version)
    error = refused.value.response
    assert error["Error"]["Code"] == "SnapStartException" and error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error["Error"]["Message"] == (
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
    )
    log = here.log(name)
    assert any(line.startswith("RESTORE_REPORT Restore Duration: ") and line.endswith("Status: error\tError Type: Runtime.AfterRestoreError") for line in log)
    assert any("ValueError" in line and "no" in line for line in log)


def test_a_hook_after_the_restore_hangs(here):
    name = here.deploy(with_hook("after_restore", "time.sleep(60)"))
    version = here.publish(name)
    begin = time.monotonic()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        here.call(name, version)
    assert 9.5 < time.monotonic() - begin < 14
    error = refused.value.response
    assert error["Error"]["Code"] == "SnapStartTimeoutException" and error["ResponseMetadata"]["HTTPStatusCode"] == 408
    assert error["Error"]["Message"] == "Lambda couldn't restore the snapshot within the timeout limit."
    assert any(line.startswith("RESTORE_REPORT Restore Duration: 10") and line.endswith("Status: timeout") for line in here.log(name))


@pytest.mark.parametrize(
    "package, kind",
    [
        (with_hook("before_snapshot", "raise ValueError('no')"), "Runtime.BeforeSnapshotError"),
        (packages.package({"function.py": "raise ValueError('no')"}), "Runtime.Unknown"),
        (packages.package({"function.py": "import os; os._exit(3)"}), "Runtime.ExitError"),
    ],
    ids=["hook", "raises", "exits"],
)
def test_what_cannot_be_initialised(here, package, kind):
    name = here.deploy(package)
    version = here.publish(name, "Failed")
    shown = here.state(name, version)
    assert shown["StateReasonCode"] == "FunctionError.RuntimeInitError" and kind in shown["StateReason"]
    assert shown["SnapStart"]["OptimizationStatus"] == "Off"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        here.call(name, version)
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    # The function itself is none the worse for it, and neither is the next version.
    here.lambda_.update_function_code(FunctionName=name, ZipFile=PACKAGE)
    here.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    assert here.call(name, here.publish(name))["course"][-1] == "after"


def test_published_with_the_code(here):
    name = here.deploy()
    updated = here.lambda_.update_function_code(FunctionName=name, ZipFile=PACKAGE, Publish=True)
    assert updated["State"] == "Pending"
    here.become(name, updated["Version"], "Active")
    assert here.call(name, updated["Version"])["course"][-1] == "after"
    here.lambda_.delete_function(FunctionName=name, Qualifier=updated["Version"])
    assert here.call(name, "$LATEST")["course"] == ["init"]


def test_years_of_disuse(serve, deployer, snap_start_runtime):
    server = serve("--isolation", ISOLATION, "--clock", "virtual")
    here = Snapshots(server, deployer, snap_start_runtime)
    name = here.deploy()
    version, other = here.publish(name), None
    here.lambda_.update_function_configuration(FunctionName=name, Description="other")
    here.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    other = here.publish(name)
    days = lambda count: server.rushlight("clock", "advance", str(count * 86400))  # noqa: E731
    days(13)
    assert here.call(name, version)["course"][-1] == "after"
    days(2)
    # Only what nobody needed.
    here.become(name, other, "Inactive")
    shown = here.state(name, other)
    assert (shown["StateReasonCode"], shown["SnapStart"]["OptimizationStatus"]) == ("Idle", "Off")
    assert here.state(name, version)["State"] == "Active"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        here.call(name, other)
    error = refused.value.response
    assert error["Error"]["Code"] == "SnapStartNotReadyException" and error["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert error["Error"]["Message"] == (
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE."
    )
    here.become(name, other, "Active")
    assert here.call(name, other)["course"][-1] == "after"
    # Killed: what was initialised is so again, and when it was used is still known.
    server.kill()
    server.start()
    assert here.call(name, version)["course"] == ["init", "before: last", "before: first", "after"]
    assert server.stop() == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A directory with an image of Python and AWS' own client, `localhost/team/snap`, whose code is `PACKAGE`'s."""
    directory = tmp_path_factory.mktemp("images")
    root = with_aws_python(tmp_path_factory.mktemp("image") / "root")
    command = {"Entrypoint": ["/var/lang/bin/python3", "-m", "awslambdaric"], "WorkingDir": "/var/task", "Env": ["PYTHONPATH=/packages"]}
    layout = images.Layout(directory / "team/snap")
    layout.add("aws", [images.layer({}, root), images.layer({"var/task": None, "var/task/function.py": CODE})], Cmd=["function.handler"], **command)
    # Knows nothing of snapshots: it is stopped at its first request for an event.
    unaware = dict(command, Entrypoint=["/var/lang/bin/python3", "/unaware.py"])
    layout.add("unaware", [images.layer({"unaware.py": UNAWARE, "var/task": None}, root)], **unaware)
    return directory


UNAWARE = """
import http.client, os, uuid
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
at_init = str(uuid.uuid4())
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    event.read()
    api.request("POST", "/2018-06-01/runtime/invocation/" + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", '"' + at_init + '"')
    api.getresponse().read()
"""


@pytest.mark.root
@pytest.mark.parametrize("tag", ["aws", "unaware"])
def test_images(serve, deployer, image, tag):
    server = serve("--isolation", ISOLATION, "--image-directory", str(image))
    here = Snapshots(server, deployer, None)
    name = unique("snap")
    here.lambda_.create_function(
        FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": f"localhost/team/snap:{tag}"}, SnapStart=SNAP, MemorySize=256
    )
    wait_until(lambda: here.state(name, "$LATEST")["State"] != "Pending")
    assert here.state(name, "$LATEST").get("StateReason") is None
    version = here.publish(name)
    assert [line.split(" ")[0] for line in here.log(name)] == ["INIT_REPORT"]
    first = here.call(name, version)
    assert first == here.call(name, version) if tag == "unaware" else first["course"] == ["init", "before: last", "before: first", "after"]
    wait_until(lambda: any("Restore Duration" in line and line.startswith("REPORT") for line in here.log(name)))
    assert here.state(name, version)["SnapStart"]["OptimizationStatus"] == "On"
    assert server.stop() == 0
