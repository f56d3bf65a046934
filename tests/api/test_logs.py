"""Logs of functions, read as their users read them: the CloudWatch Logs API, the AWS CLI, `rushlight logs`."""

import json
import re
import subprocess
import threading
import time

import botocore.exceptions
import packages
import pytest
from server import TOOLS, unique, wait_until

TALKATIVE = """
import json, logging
logging.getLogger().setLevel("INFO")

def handler(event, context):
    print("first line")
    print("second line")
    logging.info("one event\\nof two lines")
    return "done"
"""


@pytest.fixture(scope="module")
def logs(server):
    return server.client("logs")


@pytest.fixture(scope="module")
def talkative(deploy, client):
    name = deploy(packages.python(TALKATIVE))
    for _ in range(2):
        client.invoke(FunctionName=name)
    return name


def messages(logs, name, **arguments):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}", **arguments)
    return [event["message"] for page in pages for event in page["events"]]


def complete(logs, name, reports):
    """All messages, once that many invocations are reported."""
    def read():
        found = messages(logs, name)
        return found if sum(message.startswith("REPORT ") for message in found) >= reports else None

    return wait_until(read, what=f"{reports} REPORT lines of {name}")


def test_what_a_function_logs(logs, talkative):
    found = complete(logs, talkative, 2)
    kinds = [re.split(r"[ :]", message)[0] for message in found if not message.startswith("[INFO]")]
    once = ["START", "first", "second", "END", "REPORT"]
    assert kinds == ["INIT_START", *once, *once]
    assert all(message.rstrip("\n").endswith("\t") for message in found if message.startswith("REPORT "))
    # Python's logging writes framed records: an event of two lines is one event.
    framed = [message for message in found if message.startswith("[INFO]")]
    assert len(framed) == 2 and all("one event\nof two lines" in message for message in framed)


def test_streams_and_groups(logs, talkative):
    complete(logs, talkative, 2)
    group = f"/aws/lambda/{talkative}"
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupName"] == group and found["arn"].endswith(f":log-group:{group}:*")
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert re.fullmatch(r"\d{4}/\d{2}/\d{2}/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    assert events["events"][0]["message"].startswith("INIT_START ")
    # The end is reached when the token no longer changes.
    again = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], nextToken=events["nextForwardToken"]
    )
    assert again["events"] == [] and again["nextForwardToken"] == events["nextForwardToken"]


def test_filters(logs, talkative):
    complete(logs, talkative, 2)
    assert messages(logs, talkative, filterPattern='"first line"') == ["first line"] * 2
    assert len(messages(logs, talkative, filterPattern="?first ?second")) == 4
    assert messages(logs, talkative, startTime=int(time.time() * 1000) + 60_000) == []


def test_unknown_groups(logs):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        logs.filter_log_events(logGroupName="/aws/lambda/nobody")
    error = refusal.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("ResourceNotFoundException", "The specified log group does not exist.")


def test_json_format(deploy, client, logs):
    code = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('careful %s', 7)\n"
    name = deploy(packages.python(code), LoggingConfig={"LogFormat": "JSON"})
    client.invoke(FunctionName=name)

    def read():
        events = [json.loads(message) for message in messages(logs, name)]
        return events if any(event.get("type") == "platform.report" for event in events) else None

    events = wait_until(read, what="a platform.report event")
    (own,) = [event for event in events if "type" not in event]
    assert (own["level"], own["message"]) == ("WARNING", "careful 7") and own["requestId"]
    report = next(event for event in events if event.get("type") == "platform.report")
    assert report["record"]["requestId"] == own["requestId"] and report["record"]["metrics"]["billedDurationMs"] > 0


def test_a_group_of_ones_own(deploy, client, logs):
    group = unique("/shared/group")
    name = deploy(packages.python("def handler(event, context): print('here')\n"), LoggingConfig={"LogGroup": group})
    client.invoke(FunctionName=name)
    found = wait_until(
        lambda: [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]] or None,
        what="events in the function's own group",
    )
    assert any("INIT_START" in message for message in found)


def test_a_flood_of_logs_is_bounded(deploy, client, logs, server):
    code = "def handler(event, context):\n    for i in range(200_000):\n        print('x' * 100, i)\n    return 'survived'\n"
    name = deploy(packages.python(code), Timeout=60, MemorySize=1769)
    answer = client.invoke(FunctionName=name)
    assert json.loads(answer["Payload"].read()) == "survived"
    assert server.running()


def test_rushlight_logs(server, talkative, logs):
    complete(logs, talkative, 2)
    text = server.rushlight("logs", talkative).stdout
    assert text.count("first line") == 2 and text.count("REPORT RequestId: ") == 2
    lines = server.rushlight("logs", talkative, "--json").stdout.splitlines()
    assert [json.loads(line)["message"] for line in lines].count("second line") == 2
    assert server.rushlight("logs", talkative, "--filter", "second").stdout.count("\n") == 2


@pytest.mark.skipif(not (TOOLS / "aws-cli-2/aws").exists(), reason="the AWS CLI version 2 is not here")
def test_aws_logs_tail(server, talkative, logs):
    complete(logs, talkative, 2)
    text = server.aws("logs", "tail", f"/aws/lambda/{talkative}", version=2).stdout
    assert text.count("first line") == 2 and text.count("REPORT RequestId: ") == 2


@pytest.mark.skipif(not (TOOLS / "aws-cli-2/aws").exists(), reason="the AWS CLI version 2 is not here")
def test_aws_logs_tail_follow(server, deploy, client):
    """What is logged comes as it is logged, each line once."""
    name = deploy(packages.python("def handler(event, context): print(event)\n"))
    client.invoke(FunctionName=name, Payload=b'"before"')
    group = f"/aws/lambda/{name}"
    wait_until(lambda: server.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"], what="the log group")
    command = [TOOLS / "aws-cli-2/aws", "logs", "tail", group, "--follow", "--format", "short"]
    environment = server.aws_environment() | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as following:
        lines = []
        reading = threading.Thread(target=lambda: lines.extend(iter(following.stdout.readline, "")), daemon=True)
        reading.start()
        said = lambda word: sum(line.rstrip().endswith(f" {word}") for line in lines)  # noqa: E731
        try:
            wait_until(lambda: said("before"), what="what was there before")
            for word in ("first", "second"):
                client.invoke(FunctionName=name, Payload=json.dumps(word))
                wait_until(lambda: said(word), what="what came while it followed")  # noqa: B023
        finally:
            following.terminate()
    assert [said(word) for word in ("before", "first", "second")] == [1, 1, 1]


WORDY = """
def handler(event, context):
    for number in range(100):
        print(event, "x" * 10_000)
"""


def stored(instance):
    return sum(path.stat().st_size for path in (instance.data / "logs").rglob("*.log"))


def test_the_oldest_make_room(serve, deployer):
    instance = serve("--isolation", "none", "--log-storage-bytes", "3000000")
    name = deployer(instance)(packages.python(WORDY))
    logs = instance.client("logs")
    for number in range(10):
        instance.client().invoke(FunctionName=name, Payload=json.dumps(f"<{number}>"))
    wait_until(lambda: messages(logs, name, filterPattern='"<9>"'), what="the last")
    # It is looked at every ten seconds.
    wait_until(lambda: stored(instance) <= 3_000_000, timeout=60, what="that there is no more than may be")
    assert not messages(logs, name, filterPattern='"<0>"')
    assert len(messages(logs, name, filterPattern='"<9>"')) == 100
    assert stored(instance) > 2_000_000, "no more goes than must"
    assert instance.stop() == 0


def test_what_has_expired_is_gone(serve, deployer):
    instance = serve("--isolation", "none", "--clock", "virtual")
    name = deployer(instance)(packages.python(WORDY))
    logs = instance.client("logs")
    instance.client().invoke(FunctionName=name, Payload=b'"old"')
    complete(logs, name, 1)
    logs.put_retention_policy(logGroupName=f"/aws/lambda/{name}", retentionInDays=1)
    assert len(messages(logs, name, filterPattern="old")) == 100 and stored(instance) > 1_000_000
    instance.rushlight("clock", "advance", str(25 * 3600))
    assert messages(logs, name) == [], "it is not shown from that moment on"
    wait_until(lambda: stored(instance) < 100_000, timeout=60, what="that it is removed from the disk")
    instance.client().invoke(FunctionName=name, Payload=b'"new"')
    wait_until(lambda: len(messages(logs, name, filterPattern="new")) == 100, what="what comes after")
    assert instance.stop() == 0
