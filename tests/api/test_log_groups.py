"""Log groups, streams and events of one's own: what CloudWatch Logs does for those who write logs themselves."""

import time

import pytest

from golden import Recorder
from server import ACCOUNT, REGION, unique, wait_until

DAY = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def logs(server):
    return server.client("logs")


@pytest.fixture(scope="module")
def refused(server):
    """Makes a call that must be refused and returns status, code and message."""
    client = server.client("logs", validate=False)
    recorder = Recorder(client)

    def call(operation, **members):
        with pytest.raises(client.exceptions.ClientError) as refusal:
            getattr(client, operation)(**members)
        error = refusal.value.response["Error"]
        return recorder.last.status_code, error["Code"], error["Message"]

    return call


@pytest.fixture
def group(logs):
    name = unique("/own/group")
    logs.create_log_group(logGroupName=name)
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


def now():
    return int(time.time() * 1000)


def test_life_of_a_group(logs, refused, group):
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert abs(found.pop("creationTime") - now()) < 60_000
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    assert found == {
        "logGroupName": group,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    assert refused("create_log_group", logGroupName=group) == (
        400, "ResourceAlreadyExistsException", "The specified log group already exists",
    )  # fmt: skip
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    gone = (400, "ResourceNotFoundException", "The specified log group does not exist.")
    assert refused("delete_log_group", logGroupName=group) == gone
    assert refused("create_log_stream", logGroupName=group, logStreamName="s") == gone
    assert refused("put_retention_policy", logGroupName=group, retentionInDays=1) == gone
    assert refused("delete_retention_policy", logGroupName=group) == gone


def test_groups_in_pages(logs):
    prefix = unique("/paged")
    names = [f"{prefix}/{number}" for number in range(5)]
    for name in names:
        logs.create_log_group(logGroupName=name)
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    for name in names:
        logs.delete_log_group(logGroupName=name)


def test_retention(logs, refused, group):
    def days():
        (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return found.get("retentionInDays")

    assert days() is None
    for number in (1, 3653):
        logs.put_retention_policy(logGroupName=group, retentionInDays=number)
        assert days() == number
    status, code, message = refused("put_retention_policy", logGroupName=group, retentionInDays=2)
    assert (status, code) == (400, "InvalidParameterException")
    assert message.startswith("1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: ")
    assert days() == 3653
    logs.delete_retention_policy(logGroupName=group)
    assert days() is None


def test_life_of_a_stream(logs, refused, group):
    for name in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    assert refused("create_log_stream", logGroupName=group, logStreamName="one") == (
        400, "ResourceAlreadyExistsException", "The specified log stream already exists",
    )  # fmt: skip
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["one", "two"]
    assert streams[0]["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:one"
    assert "firstEventTimestamp" not in streams[0]
    logs.delete_log_stream(logGroupName=group, logStreamName="one")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["two"]
    gone = (400, "ResourceNotFoundException", "The specified log stream does not exist.")
    assert refused("delete_log_stream", logGroupName=group, logStreamName="one") == gone
    events = [{"timestamp": now(), "message": "m"}]
    assert refused("put_log_events", logGroupName=group, logStreamName="one", logEvents=events) == gone


def test_events_are_read_as_they_were_written(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    begun = now()
    events = [{"timestamp": begun + number, "message": f"event {number} – ünïcode"} for number in range(5)]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert "rejectedLogEventsInfo" not in answer

    def read():
        found = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)["events"]
        return [{key: event[key] for key in ("timestamp", "message")} for event in found]

    wait_until(lambda: read() == events, what="that the events are there")
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="s")["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (begun, begun + 4)
    found = logs.filter_log_events(logGroupName=group, filterPattern='"event 3"')["events"]
    assert [event["message"] for event in found] == ["event 3 – ünïcode"]


def test_events_outside_their_time_are_named(logs, refused, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    old = now() - 15 * DAY
    events = [{"timestamp": old, "message": "old"}, {"timestamp": old + 1, "message": "old"}]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    ahead = [{"timestamp": now(), "message": "now"}, {"timestamp": now() + DAY // 2, "message": "ahead"}]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=ahead)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert refused("put_log_events", logGroupName=group, logStreamName="s", logEvents=ahead[::-1]) == (
        400, "InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.",
    )  # fmt: skip
    assert refused("put_log_events", logGroupName=group, logStreamName="s", logEvents=[events[0], ahead[0]]) == (
        400, "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )  # fmt: skip
    large = [{"timestamp": now(), "message": "m" * 1_048_551}]
    assert refused("put_log_events", logGroupName=group, logStreamName="s", logEvents=large) == (
        400, "InvalidParameterException", "Upload too large: 1048577 bytes exceeds limit of 1048576",
    )  # fmt: skip
