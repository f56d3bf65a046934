"""Reserved and provisioned concurrency: whole answers, arithmetic, refusals, and environments that are really there."""

import concurrent.futures
import json
import time

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import arn, refused, unique, wait_until

PAUSE = "import os, time\nstarted = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\ndef handler(event, context):\n    time.sleep(event.get('seconds', 0))\n    return [started, os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]\n"


INVALID, NOT_FOUND, CONFLICT = "InvalidParameterValueException", "ResourceNotFoundException", "ResourceConflictException"
FUNCTIONS_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
    "Please specify either a function name or an unqualified function ARN."
)


@pytest.fixture(scope="module")
def small(serve, deployer):
    """A server whose accounts have 120 concurrent executions: 100 stay unreserved, 20 can be claimed."""
    instance = serve("--concurrent-executions", "120")
    deploy = deployer(instance)
    yield deploy
    deploy.remove()
    instance.stop()


@pytest.fixture
def published(small):
    name = small(packages.python(PAUSE), Timeout=30)
    small.client.publish_version(FunctionName=name)
    yield name
    small.client.delete_function(FunctionName=name)


def unreserved(client):
    return client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]


def invoke(client, name, qualifier, **event):
    answer = client.invoke(FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def ready(client, name, qualifier):
    def settled():
        config = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        return config if config["Status"] != "IN_PROGRESS" else None

    return wait_until(settled, what=f"that {name}:{qualifier} is provisioned")


def test_life_of_a_reservation(small, published, golden):
    client = small.server.client()
    recorder = Recorder(client)

    def check(step):
        golden.check(f"concurrency-{step}", recorder.answer(), {published: "<name>"})

    client.get_function_concurrency(FunctionName=published)
    check("none")
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=5)
    check("put")
    client.get_function_concurrency(FunctionName=published)
    check("get")
    assert client.get_function(FunctionName=published)["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    assert unreserved(client) == 115
    client.delete_function_concurrency(FunctionName=published)
    check("delete")
    assert unreserved(client) == 120 and "Concurrency" not in client.get_function(FunctionName=published)


def test_reservations_leave_a_hundred(small, published):
    client = small.client
    other = small(packages.python(PAUSE))
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=20)
    text = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
    for call in (
        dict(FunctionName=published, ReservedConcurrentExecutions=21),
        dict(FunctionName=other, ReservedConcurrentExecutions=1),
        dict(FunctionName=other, ReservedConcurrentExecutions=100000),
    ):
        assert "Type" not in refused(client.put_function_concurrency, INVALID, text, **call)
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=19)
    client.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=1)
    assert unreserved(client) == 100
    client.delete_function(FunctionName=other)
    assert unreserved(client) == 101


def test_callers_at_a_time_do_not_reserve_more_than_there_is(small):
    names = [small(packages.python(PAUSE), wait=False) for _ in range(8)]

    def reserve(name):
        try:
            small.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=6)
            return 1
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == INVALID
            return 0

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, names)) == 3
    for name in names:
        small.wait(name)
        small.client.delete_function(FunctionName=name)


def test_a_reservation_is_a_ceiling(small, published):
    client = small.client
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=0)
    error = refused(client.invoke, "TooManyRequestsException", "Rate Exceeded.", FunctionName=published)
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        # Over all versions together.
        running = [pool.submit(invoke, client, published, qualifier, seconds=2) for qualifier in ("$LATEST", "1", "1", "$LATEST")]
        outcomes = [type(future.exception()).__name__ for future in running]
    assert sorted(outcomes) == ["NoneType"] + ["TooManyRequestsException"] * 3


def test_refusals_of_reservations(small, published):
    client, missing = small.client, unique("missing")
    for call in (
        lambda **arguments: client.put_function_concurrency(ReservedConcurrentExecutions=1, **arguments),
        client.get_function_concurrency,
        client.delete_function_concurrency,
    ):
        refused(call, NOT_FOUND, f"Function not found: {arn(missing)}", FunctionName=missing)
        refused(call, INVALID, FUNCTIONS_ONLY, FunctionName=arn(published, "1"))


def test_life_of_provisioned_concurrency(small, published, golden):
    client = small.server.client()
    recorder = Recorder(client)

    def check(step):
        answer = recorder.answer()
        for shown in [answer["body"], *(answer["body"].get("ProvisionedConcurrencyConfigs", []) if answer["body"] else [])]:
            if shown and "LastModified" in shown:
                time.strptime(shown["LastModified"], "%Y-%m-%dT%H:%M:%S+0000")
                shown["LastModified"] = ""
        golden.check(f"provisioned-{step}", answer, {published: "<name>"})

    client.create_alias(FunctionName=published, Name="live", FunctionVersion="1")
    client.put_provisioned_concurrency_config(FunctionName=published, Qualifier="live", ProvisionedConcurrentExecutions=2)
    check("put")
    ready(client, published, "live")
    check("ready")
    client.list_provisioned_concurrency_configs(FunctionName=published)
    check("list")
    assert unreserved(client) == 118
    client.delete_provisioned_concurrency_config(FunctionName=published, Qualifier="live")
    check("delete")
    assert unreserved(client) == 120
    refused(
        client.get_provisioned_concurrency_config, "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function", FunctionName=published, Qualifier="live",
    )  # fmt: skip
    check("none")


def test_provisioned_environments_are_ready_and_more_is_served_on_demand(small, published):
    client = small.client
    client.put_provisioned_concurrency_config(FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=2)
    assert ready(client, published, "1")["AvailableProvisionedConcurrentExecutions"] == 2
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke(client, published, "1", seconds=2), range(4)))
    assert sorted(kind for kind, _ in answers) == ["on-demand", "on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    assert len({stream for _, stream in answers}) == 4
    assert invoke(client, published, "1")[0] == "provisioned-concurrency", "those that are ready come first"
    assert invoke(client, published, "$LATEST")[0] == "on-demand"


def test_provisioned_environments_come_back(serve, deployer):
    """After a change of the number, and after kill -9 of the server."""
    instance = serve("--concurrent-executions", "120")
    deploy = deployer(instance)
    name, client = deploy(packages.python(PAUSE)), deploy.client
    client.publish_version(FunctionName=name)
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    ready(client, name, "1")
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=3)
    assert ready(client, name, "1")["AllocatedProvisionedConcurrentExecutions"] == 3
    instance.kill()
    instance.start()
    client = instance.client()
    assert ready(client, name, "1")["AllocatedProvisionedConcurrentExecutions"] == 3
    assert invoke(client, name, "1")[0] == "provisioned-concurrency"
    assert unreserved(client) == 117
    instance.stop()


def test_what_cannot_be_initialised_fails(small):
    name = small(packages.python("raise Exception('no')\ndef handler(event, context): pass\n"))
    small.client.publish_version(FunctionName=name)
    small.client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    config = ready(small.client, name, "1")
    assert (config["Status"], config["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    small.client.delete_function(FunctionName=name)


def test_refusals_of_provisioned_concurrency(small, published):
    client, missing = small.client, unique("missing")

    def put(name=published, qualifier="1", count=1):
        return dict(FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count)

    refused(client.put_provisioned_concurrency_config, INVALID, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.", **put(qualifier="$LATEST"))
    for call in (client.get_provisioned_concurrency_config, client.delete_provisioned_concurrency_config):
        refused(call, INVALID, "The function resource provided must be an alias or a published version.", FunctionName=published, Qualifier="$LATEST")
    refused(client.put_provisioned_concurrency_config, NOT_FOUND, f"Function not found: {arn(published, 42)}", **put(qualifier="42"))
    refused(client.put_provisioned_concurrency_config, NOT_FOUND, f"Cannot find alias arn: {arn(published, 'nope')}", **put(qualifier="nope"))
    refused(client.put_provisioned_concurrency_config, NOT_FOUND, f"Function not found: {arn(missing, 1)}", **put(name=missing))
    refused(client.list_provisioned_concurrency_configs, NOT_FOUND, f"Function not found: {arn(missing)}", FunctionName=missing)

    refused(client.put_provisioned_concurrency_config, INVALID, "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [120].", **put(count=121))
    refused(client.put_provisioned_concurrency_config, INVALID, "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].", **put(count=21))
    client.put_provisioned_concurrency_config(**put(count=2))
    refused(client.put_function_concurrency, INVALID, " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].", FunctionName=published, ReservedConcurrentExecutions=1)
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=2)
    refused(client.put_provisioned_concurrency_config, INVALID, "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function", **put(count=3))

    client.create_alias(FunctionName=published, Name="live", FunctionVersion="1")
    refused(client.put_provisioned_concurrency_config, CONFLICT, "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version", **put(qualifier="live"))
    client.delete_provisioned_concurrency_config(FunctionName=published, Qualifier="1")
    client.put_provisioned_concurrency_config(**put(qualifier="live"))
    refused(client.put_provisioned_concurrency_config, CONFLICT, "Version is pointed by a Provisioned Concurrency alias", **put())


def hurry(client, name, requests):
    """How many of so many requests were taken, how many a rate of `rate` a second allows, and why the rest was not."""
    began, taken, reasons = time.monotonic(), 0, set()
    for _ in range(requests):
        try:
            client.invoke(FunctionName=name)
            taken += 1
        except client.exceptions.TooManyRequestsException as throttled:
            assert throttled.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            reasons.add(throttled.response["Reason"])
    return taken, time.monotonic() - began, reasons


def test_requests_at_aws_pace(serve, deployer):
    """Ten a second for each environment that there may be."""
    flags = ["--concurrent-executions", "3", "--minimum-unreserved-concurrency", "0", "--clock", "virtual"]
    instance = serve("--isolation", "none", "--quotas", "aws", *flags)
    assert not any("quotas" in line for line in instance.output)
    deploy = deployer(instance)
    client, one, other = deploy.client, deploy(), deploy()
    client.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=1)
    taken, seconds, reasons = hurry(client, one, 150)
    assert 30 <= taken <= 31 + 30 * seconds and reasons == {"FunctionInvocationRateLimitExceeded"}
    taken, seconds, reasons = hurry(client, other, 60)
    assert 10 <= taken <= 11 + 10 * seconds and reasons == {"ReservedFunctionInvocationRateLimitExceeded"}
    instance.rushlight("clock", "advance", "2")
    assert hurry(client, other, 10)[0] == 10
    deploy.remove()
    instance.stop()
