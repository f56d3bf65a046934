"""What is set for events that nobody waits for: whole answers, every refusal, pages, restarts."""

import datetime
import time

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, arn, unique

PACKAGE = packages.python("def handler(event, context): return 1\n")
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
BUCKET = "arn:aws:s3:::bucket"


@pytest.fixture
def function(deploy, client):
    """A function with version 1 and alias live."""
    name = deploy(PACKAGE, name=unique("async"))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_life_of_a_config(recorded, golden, function):
    client, recorder = recorded

    def check(step):
        golden.check(f"event-invoke-{step}", recorder.answer(), {function: "<name>"})

    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    answer = client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
    check("put")
    assert before <= answer["LastModified"] <= datetime.datetime.now(datetime.timezone.utc)
    client.put_function_event_invoke_config(
        FunctionName=function,
        Qualifier="live",
        MaximumRetryAttempts=2,
        MaximumEventAgeInSeconds=21600,
        DestinationConfig={"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": BUCKET}},
    )
    check("put-alias")
    client.put_function_event_invoke_config(FunctionName=f"{function}:1", DestinationConfig={"OnSuccess": {}})
    check("put-version")
    client.get_function_event_invoke_config(FunctionName=arn(f"{function}:live"))
    check("put-alias")
    client.list_function_event_invoke_configs(FunctionName=function)
    check("list")
    client.update_function_event_invoke_config(FunctionName=function, DestinationConfig={"OnFailure": {"Destination": TOPIC}})
    check("update-merged")
    client.update_function_event_invoke_config(FunctionName=function, Qualifier="$LATEST", MaximumRetryAttempts=1, DestinationConfig={"OnSuccess": {"Destination": BUS}})
    check("update-merged-again")
    client.get_function_event_invoke_config(FunctionName=function)
    check("update-merged-again")
    client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=1)
    check("put-replaced")
    for qualifier in ("$LATEST", "1", "live"):
        client.delete_function_event_invoke_config(FunctionName=function, Qualifier=qualifier)
        check("delete")
    client.list_function_event_invoke_configs(FunctionName=function)
    check("list-empty")


def test_what_is_refused(recorded, golden, deploy, function):
    client, recorder = recorded
    put, update = client.put_function_event_invoke_config, client.update_function_event_invoke_config
    get, delete = client.get_function_event_invoke_config, client.delete_function_event_invoke_config

    def refused(step, call, name=function, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            call(FunctionName=name, **arguments)
        golden.check(f"event-invoke-refused-{step}", recorder.answer(), {function: "<name>"})

    for call in (put, update):
        refused("nothing", call)
        refused("nothing", call, name="nobody")
        for arguments in ({}, {"Qualifier": "1"}, {"Qualifier": "nobody"}):
            refused("no-function", call, name="nobody", MaximumRetryAttempts=1, **arguments)
        for qualifier in ("2", "nobody", "$LATEST.PUBLISHED"):
            refused("no-function", call, Qualifier=qualifier, MaximumRetryAttempts=1)
        refused("qualifiers", call, name=f"{function}:1", Qualifier="live", MaximumRetryAttempts=1)
        refused("qualifiers", call, name=f"{function}:live", Qualifier="$LATEST", MaximumRetryAttempts=1)
    refused("no-function", client.list_function_event_invoke_configs, name="nobody")
    for call, arguments in ((get, {}), (delete, {}), (update, {"MaximumRetryAttempts": 1})):
        refused("none", call, **arguments)
        refused("none-version", call, Qualifier="1", **arguments)
        refused("none-alias", call, name=f"{function}:live", **arguments)
    for call in (get, delete):
        refused("none-qualifier", call, Qualifier="nobody")
        refused("none-function", call, name="nobody")
    for call, arguments in ((get, {}), (delete, {}), (put, {"MaximumRetryAttempts": 1}), (client.list_function_event_invoke_configs, {})):
        refused("other-region", call, name=arn(function).replace(REGION, "eu-west-1"), **arguments)
        refused("other-account", call, name=arn(function).replace(ACCOUNT, "999999999999"), **arguments)
    refused("list-qualified", client.list_function_event_invoke_configs, name=f"{function}:1")
    refused("list-marker", client.list_function_event_invoke_configs, Marker="nonsense")
    put(FunctionName=function, MaximumRetryAttempts=1)
    for call in (put, update):
        refused("numbers-low", call, MaximumRetryAttempts=-1, MaximumEventAgeInSeconds=59)
        refused("numbers-high", call, MaximumRetryAttempts=3, MaximumEventAgeInSeconds=21601)
    assert get(FunctionName=function)["MaximumRetryAttempts"] == 1


def test_what_is_no_destination(recorded, golden, deploy, function):
    client, recorder = recorded
    other = deploy(PACKAGE, name=unique("destination"))
    client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=1)

    def refused(step, **destinations):
        given = {member: {"Destination": destination} for member, destination in destinations.items()}
        for call in (client.put_function_event_invoke_config, client.update_function_event_invoke_config):
            with pytest.raises(botocore.exceptions.ClientError):
                call(FunctionName=function, DestinationConfig=given)
            golden.check(f"event-invoke-refused-{step}", recorder.answer(), {function: "<name>", other: "<other>"})

    refused("pattern", OnFailure=f"arn:aws:_-/!lambda:{REGION}:{ACCOUNT}:function:f")
    refused("length", OnSuccess=f"{QUEUE}{'q' * (351 - len(QUEUE))}")
    refused("itself", OnSuccess=arn(function))
    refused("itself", OnFailure=arn(f"{function}:live"))
    refused("no-target", OnSuccess=arn("nobody"))
    refused("no-target-alias", OnFailure=arn(f"{other}:nobody"))
    refused("target-other-region", OnFailure=arn(other).replace(REGION, "eu-west-1"))
    refused("service", OnSuccess=f"arn:aws:iam:{REGION}:{ACCOUNT}:function:f")
    refused("service-failure", OnFailure=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s")
    refused("bucket-for-successes", OnSuccess=BUCKET, OnFailure=BUCKET)
    refused("fifo-queue", OnFailure=f"{QUEUE}.fifo")
    refused("fifo-topic", OnSuccess=f"{TOPIC}.fifo")
    refused("topic", OnSuccess=TOPIC.replace(":topic", "::topic"))
    for good in (QUEUE, TOPIC, BUS, arn(other), arn(f"{other}:$LATEST"), f"{QUEUE}{'q' * (350 - len(QUEUE))}"):
        answer = client.put_function_event_invoke_config(FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": good}})
        assert answer["DestinationConfig"] == {"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": good}}
    answer = client.update_function_event_invoke_config(FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": ""}})
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": good}}


def test_pages(client, function):
    for number in range(51):
        client.create_alias(FunctionName=function, Name=f"a{number:02}", FunctionVersion="1")
        client.put_function_event_invoke_config(FunctionName=function, Qualifier=f"a{number:02}", MaximumRetryAttempts=1)
    paginator = client.get_paginator("list_function_event_invoke_configs")
    expected = [arn(f"{function}:a{number:02}") for number in range(51)]
    for size, pages in ((None, 2), (50, 2), (17, 3), (1, 51)):
        config = {"PageSize": size} if size else {}
        listed = [page["FunctionEventInvokeConfigs"] for page in paginator.paginate(FunctionName=function, PaginationConfig=config)]
        assert [len(page) for page in listed][:-1] == [size or 50] * (pages - 1)
        assert [config["FunctionArn"] for page in listed for config in page] == expected
    first = client.list_function_event_invoke_configs(FunctionName=function, MaxItems=50)
    # What a page ended with may go meanwhile.
    client.delete_function_event_invoke_config(FunctionName=function, Qualifier="a49")
    rest = client.list_function_event_invoke_configs(FunctionName=function, Marker=first["NextMarker"])
    assert [config["FunctionArn"] for config in rest["FunctionEventInvokeConfigs"]] == expected[50:]
    assert "NextMarker" not in rest


def test_configs_go_with_what_they_are_set_for(client, function):
    def listed():
        answer = client.list_function_event_invoke_configs(FunctionName=function)
        return [config["FunctionArn"].removeprefix(arn(function)) for config in answer["FunctionEventInvokeConfigs"]]

    for qualifier in ("$LATEST", "1", "live"):
        client.put_function_event_invoke_config(FunctionName=function, Qualifier=qualifier, MaximumRetryAttempts=1)
    assert listed() == [":$LATEST", ":1", ":live"]
    client.delete_alias(FunctionName=function, Name="live")
    assert listed() == [":$LATEST", ":1"]
    client.delete_function(FunctionName=function, Qualifier="1")
    assert listed() == [":$LATEST"]
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="$LATEST")
    assert listed() == [":$LATEST"]


def test_configs_outlive_the_server(serve, deployer):
    instance = serve("--isolation", "none")
    deploy = deployer(instance)
    name = deploy(PACKAGE)
    put = instance.client().put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": QUEUE}})
    time.sleep(0.01)
    instance.kill()
    instance.start()
    kept = instance.client().get_function_event_invoke_config(FunctionName=name)
    for answer in (put, kept):
        del answer["ResponseMetadata"]
    assert kept == put
