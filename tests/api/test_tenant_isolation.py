"""Functions whose tenants get environments of their own: who gets which, what is told, what does not go with it."""

import base64
import collections
import concurrent.futures
import json
import time

import botocore.exceptions
import pytest

import leftovers
import packages
from golden import Recorder
from server import ACCOUNT, REGION, refused, unique, wait_until

PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
CODE = packages.python("def handler(event, context): return 1\n")
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
INVALID = "InvalidParameterValueException"
MISSING = (
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
)
NOT_SUPPORTED = (
    "The invoked function is not enabled with tenancy configuration. "
    "Remove the tenant ID from your request and try again."
)

# Leaves behind what it can, and says what it finds of those who were there before.
VISITOR = packages.python(
    """
import glob, json, logging, os, subprocess, time, uuid

ENVIRONMENT = uuid.uuid4().hex
seen = []

def left():
    lines = []
    for path in glob.glob("/tmp/**", recursive=True) + glob.glob("/dev/shm/**", recursive=True):
        if os.path.isfile(path):
            lines.append(open(path).read())
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            lines.append(open(path, "rb").read().decode(errors="replace"))
        except OSError:
            pass
    return lines

def handler(event, context):
    tenant = context.tenant_id
    found = {"seen": list(seen), "left": [line for line in left() if "secret-of" in line]}
    seen.append(tenant)
    secret = f"secret-of:{tenant}"
    with open("/tmp/secret", "a") as file:
        file.write(secret + "\\n")
    os.environ["SECRET"] = secret
    if event.get("daemon"):
        subprocess.Popen(["sleep", "1000"], start_new_session=True, env={"SECRET": secret})
        time.sleep(0.1)
    logging.getLogger().error("for %s", tenant)
    time.sleep(event.get("seconds", 0))
    if event.get("exit"):
        os._exit(1)
    return found | {
        "tenant": tenant,
        "environment": ENVIRONMENT,
        "pid": os.getpid(),
        "variables": sorted(name for name, value in os.environ.items() if "TENANT" in name.upper()),
    }
"""
)


def invoke(client, name, tenant, event=None, **settings):
    answer = client.invoke(FunctionName=name, TenantId=tenant, Payload=json.dumps(event or {}), **settings)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


@pytest.fixture(scope="module")
def visited(deploy):
    return deploy(VISITOR, TenancyConfig=PER_TENANT, Timeout=30)


# Who gets which environment


def test_tenants_never_share(client, visited):
    """Neither a global variable, nor /tmp, nor a process, nor an environment variable of one is another's."""
    for call in range(3):
        for tenant in ("never-a", "never-b"):
            found = invoke(client, visited, tenant, {"daemon": call == 0})
            assert found["tenant"] == tenant and found["variables"] == []
            assert found["seen"] == [tenant] * call
            mine = f"secret-of:{tenant}"
            assert len(found["left"]) >= 2 * bool(call), "its own leftovers are there: the file and the daemon"
            for line in found["left"]:
                assert set(word for word in line.replace("\0", "\n").split("\n") if "secret-of" in word) <= {
                    mine,
                    f"SECRET={mine}",
                }


def test_tenants_that_look_alike_are_others(client, visited):
    names = ["alike", "Alike", "ALIKE", "alike.", "alike/", "alike:1", "alike 1", "alike=+-@_", "a" * 256]
    environments = {name: invoke(client, visited, name)["environment"] for name in names}
    assert len(set(environments.values())) == len(names)
    assert {name: invoke(client, visited, name)["environment"] for name in names} == environments


@pytest.mark.parametrize("end", ["exit", "timeout"])
def test_an_environment_that_was_reset_is_still_its_tenants(client, deploy, end):
    """A reset keeps /tmp, so the next tenant must not get what was reset either."""
    name = deploy(VISITOR, TenancyConfig=PER_TENANT, Timeout=1)
    event = {"exit": True} if end == "exit" else {"seconds": 3}
    answer = client.invoke(FunctionName=name, TenantId="first", Payload=json.dumps(event))
    assert answer["FunctionError"] == "Unhandled"
    other = invoke(client, name, "second")
    assert (other["seen"], other["left"]) == ([], [])
    mine = invoke(client, name, "first")
    assert mine["left"] == ["secret-of:first\n"] and mine["tenant"] == "first"


def test_versions_and_aliases_have_environments_of_their_own(client, deploy):
    name = deploy(VISITOR, TenancyConfig=PER_TENANT)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    latest = invoke(client, name, "t")
    published = invoke(client, name, "t", Qualifier="1")
    assert published["seen"] == [] and published["environment"] != latest["environment"]
    by_alias = invoke(client, name, "t", Qualifier="live")
    assert by_alias["environment"] == published["environment"]
    assert invoke(client, name, "u", Qualifier="live")["seen"] == []


def test_new_code_leaves_no_environment_of_the_old(client, deploy):
    name = deploy(VISITOR, TenancyConfig=PER_TENANT)
    before = {tenant: invoke(client, name, tenant)["environment"] for tenant in "abc"}
    client.update_function_code(FunctionName=name, ZipFile=VISITOR)
    deploy.wait(name)
    for tenant, environment in before.items():
        after = invoke(client, name, tenant)
        assert after["environment"] != environment and (after["seen"], after["left"]) == ([], [])


def test_many_tenants_at_a_time(client, deploy):
    """In threads, each several times: every environment is one tenant's, and each knows only its own."""
    name = deploy(VISITOR, TenancyConfig=PER_TENANT, Timeout=60)
    tenants = [f"tenant-{number}" for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(invoke, client, name, tenant) for _ in range(8) for tenant in tenants]
        answers = [call.result() for call in calls]
    assert [answer["tenant"] for answer in answers] == tenants * 8
    owners = collections.defaultdict(set)
    for answer in answers:
        owners[answer["environment"]].add(answer["tenant"])
        assert set(answer["seen"]) <= {answer["tenant"]}
        assert all(f"secret-of:{answer['tenant']}" in line for line in answer["left"])
    assert all(len(tenants) == 1 for tenants in owners.values())
    assert len(owners) < len(answers), "environments are used again"


def streamed(client, name, **arguments):
    events = list(client.invoke_with_response_stream(FunctionName=name, **arguments)["EventStream"])
    assert "ErrorCode" not in events[-1]["InvokeComplete"], events
    return json.loads(b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1]))


def test_streams_are_a_tenants_too(client, deploy, visited):
    mine = invoke(client, visited, "streams")
    again = streamed(client, visited, TenantId="streams")
    assert (again["tenant"], again["environment"]) == ("streams", mine["environment"])
    assert streamed(client, visited, TenantId="streams of another")["seen"] == []
    stream, plain = client.invoke_with_response_stream, deploy(CODE)
    refused(stream, INVALID, MISSING, FunctionName=visited)
    refused(stream, INVALID, NOT_SUPPORTED, FunctionName=plain, TenantId="a")
    refused(stream, INVALID, MISSING, FunctionName=visited, InvocationType="DryRun")
    refused(stream, INVALID, NOT_SUPPORTED, FunctionName=plain, InvocationType="DryRun", TenantId="a")


# How many


def test_concurrency_is_that_of_the_function(client, deploy):
    name = deploy(VISITOR, TenancyConfig=PER_TENANT, Timeout=30)
    invoke(client, name, "a")
    invoke(client, name, "b")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, client, name, "a", {"seconds": 5})
        time.sleep(1.5)
        error = refused(client.invoke, "TooManyRequestsException", "Rate Exceeded.", FunctionName=name, TenantId="b")
        assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        running.result()
    assert invoke(client, name, "b")["seen"] == ["b"], "its environment is still there"


def test_environments_are_limited_in_proportion_to_concurrency(client, deploy):
    """2,500 for every 1,000, idle ones too: five with a concurrency of two."""
    name = deploy(VISITOR, TenancyConfig=PER_TENANT, Timeout=30)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    for number in range(5):
        invoke(client, name, f"tenant-{number}")
    error = refused(client.invoke, "TooManyRequestsException", "Rate Exceeded.", FunctionName=name, TenantId="sixth")
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert invoke(client, name, "tenant-0")["seen"] == ["tenant-0"], "who has an environment is served"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    invoke(client, name, "sixth")
    invoke(client, name, "seventh")
    refused(client.invoke, "TooManyRequestsException", "Rate Exceeded.", FunctionName=name, TenantId="eighth")


def test_idle_environments_make_room_and_leave_nothing(serve, deployer):
    """More tenants than there may be environments, over two versions: none stays longer than it may be idle."""
    server = serve("--idle-timeout", "5", "--concurrent-executions", "2")
    at_rest = len(leftovers.children_of(server.process.pid))
    deploy = deployer(server)
    name = deploy(VISITOR, TenancyConfig=PER_TENANT)
    deploy.client.publish_version(FunctionName=name)

    def served(tenant, qualifier):
        try:
            return invoke(deploy.client, name, tenant, Qualifier=qualifier)
        except deploy.client.exceptions.TooManyRequestsException as error:
            assert error.response["Reason"] == "ConcurrentInvocationLimitExceeded"
            return None

    for number in range(5):
        assert served(f"tenant-{number}", ("$LATEST", "1")[number % 2])
    assert served("sixth", "$LATEST") is None and served("sixth", "1") is None
    answer = wait_until(lambda: served("sixth", "1"), what="room for another")
    assert (answer["tenant"], answer["seen"], answer["left"]) == ("sixth", [], [])
    wait_until(lambda: len(leftovers.children_of(server.process.pid)) <= at_rest, what="that they end")
    deploy.remove()
    server.stop()


# What callers are told


def test_a_tenant_must_be_named_where_they_are_kept_apart_and_only_there(server, golden, deploy, visited):
    client = server.client(validate=False)
    recorder = Recorder(client)
    plain = deploy(CODE)
    refused(client.invoke, INVALID, MISSING, FunctionName=visited)
    golden.check("tenant-isolation-invoke-without", recorder.answer())
    refused(client.invoke, INVALID, NOT_SUPPORTED, FunctionName=plain, TenantId="a")
    golden.check("tenant-isolation-invoke-not-enabled", recorder.answer())
    refused(client.invoke, INVALID, MISSING, FunctionName=visited, InvocationType="DryRun")
    refused(client.invoke, INVALID, NOT_SUPPORTED, FunctionName=plain, InvocationType="DryRun", TenantId="a")
    assert client.invoke(FunctionName=visited, InvocationType="DryRun", TenantId="a")["StatusCode"] == 204
    # What is not there is told first.
    refused(
        client.invoke,
        "ResourceNotFoundException",
        f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{visited}:99",
        FunctionName=visited,
        Qualifier="99",
    )


@pytest.mark.parametrize(
    "tenant, constraint",
    [
        ("a" * 257, "Member must have length less than or equal to 256"),
        ("a,b", r"Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+"),
        ("a;b", r"Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+"),
        ('a"b', r"Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+"),
        ("a\tb", r"Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+"),
    ],
)
def test_what_is_no_tenant(unchecked, visited, tenant, constraint):
    message = f"1 validation error detected: Value '{tenant}' at 'tenantId' failed to satisfy constraint: {constraint}"
    refused(unchecked.invoke, "ValidationException", message, FunctionName=visited, TenantId=tenant)


def test_the_command_line_names_a_tenant(server, visited):
    done = server.rushlight("invoke", visited, "--tenant-id", "of the command line")
    assert json.loads(done.stdout)["tenant"] == "of the command line"
    done = server.rushlight("invoke", visited, check=False)
    assert done.returncode != 0 and MISSING in done.stderr


# What functions and logs are told


def test_the_context_in_python(client, visited):
    assert invoke(client, visited, "a tenant/of:1@x")["tenant"] == "a tenant/of:1@x"


def test_the_context_in_node(client, deploy, node_runtime):
    code = packages.node("export const handler = async (event, context) => [context.tenantId, typeof context.tenantId]")
    name = deploy(code, runtime=node_runtime, TenancyConfig=PER_TENANT)
    assert [invoke(client, name, tenant)[0] for tenant in ("a", "b", "a")] == ["a", "b", "a"]
    plain = deploy(code, runtime=node_runtime)
    assert json.loads(client.invoke(FunctionName=plain)["Payload"].read()) == [None, "undefined"]


def tail(client, name, tenant):
    answer = client.invoke(FunctionName=name, TenantId=tenant, LogType="Tail")
    return base64.b64decode(answer["LogResult"]).decode()


def test_json_logs_name_the_tenant(client, deploy):
    name = deploy(VISITOR, TenancyConfig=PER_TENANT, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    for tenant in ("a", "b"):
        records = [json.loads(line) for line in tail(client, name, tenant).splitlines()]
        events = {record["type"]: record["record"] for record in records if "type" in record}
        for kind in ("platform.start", "platform.runtimeDone", "platform.report"):
            assert events[kind]["tenantId"] == tenant
        assert [record["tenantId"] for record in records if "level" in record] == [tenant]
    plain = deploy(VISITOR, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    answer = client.invoke(FunctionName=plain, LogType="Tail")
    assert "tenantId" not in base64.b64decode(answer["LogResult"]).decode()


def test_json_logs_of_node_name_the_tenant(client, deploy, node_runtime):
    code = packages.node("export const handler = async () => { console.log('hello'); }")
    name = deploy(code, runtime=node_runtime, TenancyConfig=PER_TENANT, LoggingConfig={"LogFormat": "JSON"})
    records = [json.loads(line) for line in tail(client, name, "a").splitlines()]
    assert [record["tenantId"] for record in records if "level" in record] == ["a"]


def test_text_logs_are_as_ever(client, visited):
    lines = tail(client, visited, "text-logs").splitlines()
    start = next(line for line in lines if line.startswith("START"))
    assert start.split(" ")[2:] == [start.split(" ")[2], "Version:", "$LATEST"]
    assert not any("text-logs" in line for line in lines if line.startswith(("START", "END", "REPORT")))


# What does not go with it


def test_what_is_shown(client, deploy):
    name = deploy(CODE, TenancyConfig=PER_TENANT)
    assert client.get_function_configuration(FunctionName=name)["TenancyConfig"] == PER_TENANT
    assert client.get_function(FunctionName=name)["Configuration"]["TenancyConfig"] == PER_TENANT
    client.update_function_configuration(FunctionName=name, Description="changed")
    deploy.wait(name)
    assert client.publish_version(FunctionName=name)["TenancyConfig"] == PER_TENANT
    assert "TenancyConfig" not in client.get_function_configuration(FunctionName=deploy(CODE))


def test_what_does_not_go_with_it(server, golden, deploy):
    client = server.client(validate=False)
    recorder = Recorder(client)
    name = deploy(CODE, name=unique("tenants"), TenancyConfig=PER_TENANT)
    client.publish_version(FunctionName=name)

    def refused(step, operation, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            operation(FunctionName=name, **arguments)
        golden.check(f"tenant-isolation-refused-{step}", recorder.answer(), {name: "<name>"})

    refused("mapping", client.create_event_source_mapping, EventSourceArn=QUEUE)
    refused("url", client.create_function_url_config, AuthType="NONE")
    refused(
        "provisioned", client.put_provisioned_concurrency_config, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    new = dict(Role=f"arn:aws:iam::{ACCOUNT}:role/r", Handler="a.b", Runtime="python3.13", Code={"ZipFile": CODE})
    snap_start = {"ApplyOn": "PublishedVersions"}
    refused("snap-start", client.create_function, **new, TenancyConfig=PER_TENANT, SnapStart=snap_start)
    later = client.update_function_configuration
    refused("snap-start-later", later, Runtime=new["Runtime"], SnapStart=snap_start)
    refused("mode", client.create_function, **new, TenancyConfig={"TenantIsolationMode": "PER_CALLER"})
