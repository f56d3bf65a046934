"""Where log events go besides the built-in log store: CloudWatch Logs, files, OpenTelemetry."""

import json
import re
import socket
import time

import pytest

import packages
import receivers
import s3_server
from server import ACCOUNT, REGION, wait_until

TALKATIVE = """
import logging, sys
logging.getLogger().setLevel("INFO")

def handler(event, context):
    print("first line")
    logging.info("one event\\nof two lines, and a snowman: \u2603")
    sys.stdout.buffer.write(b"not text: \\xff\\n")
    for number in range(event.get("lines", 0)):
        print(number, "x" * 1000)
    return "done"
"""


@pytest.fixture
def talkative(serve, deployer):
    """Starts a server with a destination and a function; gives what it has logged, by its own log store."""

    started = []

    class Talkative:
        def __init__(self, *flags, **environment):
            self.server = serve("--isolation", "none", *flags, environment=environment)
            started.append(self.server)
            self.client = self.server.client()
            self.name = deployer(self.server)(packages.python(TALKATIVE), Timeout=60)
            self.group = f"/aws/lambda/{self.name}"

        def invoke(self, times=1, **event):
            for _ in range(times):
                answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event))
                assert answer["Payload"].read() == b'"done"'

        def events(self):
            pages = self.server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.group)
            return [event for page in pages for event in page["events"]]

        def whole(self, reports):
            """All events, once so many invocations are reported."""

            def read():
                found = self.events()
                return found if sum(event["message"].startswith("REPORT ") for event in found) >= reports else None

            return wait_until(read, what=f"{reports} reports")

    yield Talkative
    for instance in started:
        instance.stop()


@pytest.fixture
def receiver():
    receiver = receivers.Receiver()
    yield receiver
    receiver.close()


def essence(events):
    return [(event["timestamp"], event["logStreamName"], event["message"]) for event in events]


def filtered(logs, group):
    def read():
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return essence(event for page in pages for event in page["events"])
        except logs.exceptions.ResourceNotFoundException:
            return []

    return read


def test_another_rushlight_is_a_cloudwatch(talkative, serve):
    """It verifies signatures, as AWS does."""
    other = serve("--isolation", "none", "--auth", "enforce")
    keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), other.credentials, strict=True))
    here = talkative("--log-destination", f"cloudwatch={other.endpoint}", **keys)
    here.invoke(3)
    events = essence(here.whole(3))
    there = filtered(other.client("logs"), here.group)
    wait_until(lambda: len(there()) >= len(events), what="that all events arrive")
    assert there() == events
    here.invoke()
    events = essence(here.whole(4))
    wait_until(lambda: there() == events, what="that what comes later arrives too")


def test_cloudwatch_as_moto_has_it(talkative):
    with s3_server.moto() as port:
        here = talkative("--log-destination", f"cloudwatch=http://127.0.0.1:{port}", **s3_server.ENVIRONMENT)
        here.invoke(2, lines=50)
        events = essence(here.whole(2))
        there = filtered(s3_server.s3_client(f"http://127.0.0.1:{port}", service="logs"), here.group)
        wait_until(lambda: len(there()) >= len(events), what="that all events arrive")
        assert there() == events


def test_a_key_that_is_not_known(talkative, serve):
    """What is refused for good is lost, and said so."""
    other = serve("--isolation", "none", "--auth", "enforce")
    here = talkative("--log-destination", f"cloudwatch={other.endpoint}", **s3_server.ENVIRONMENT)
    here.invoke()
    wait_until(lambda: "UnrecognizedClientException" in here.server.log_tail(), what="that the refusal is logged")
    assert "delivery.lost" in here.server.log_tail()
    here.invoke()


def test_a_directory(talkative, tmp_path):
    here = talkative("--log-destination", f"directory={tmp_path}/logs")
    here.invoke(2)
    events = essence(here.whole(2))
    directory = tmp_path / "logs" / ACCOUNT / REGION / "aws/lambda" / here.name

    def lines():
        return [json.loads(line) for file in sorted(directory.glob("*.jsonl")) for line in file.read_text().splitlines()]

    wait_until(lambda: len(lines()) >= len(events), what="that all events are written")
    for line, (timestamp, stream, message) in zip(lines(), events, strict=True):
        assert (line["stream"], line["message"], line["group"]) == (stream, message, here.group)
        assert (line["account"], line["region"]) == (ACCOUNT, REGION)
        seconds, milliseconds = divmod(timestamp, 1000)
        time_of_day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        assert line["timestamp"] == f"{time_of_day}.{milliseconds:03}Z"
    assert not (directory.stat().st_mode | next(directory.iterdir()).stat().st_mode) & 0o007


def test_opentelemetry(talkative, receiver):
    here = talkative("--log-destination", f"otlp={receiver.url}", OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b")
    here.invoke(2)
    events = here.whole(2)
    wait_until(lambda: len(receiver.records()) >= len(events), what="that all events arrive")
    for (resource, record), event in zip(receiver.records(), events, strict=True):
        assert record.body.string_value == event["message"]
        assert record.time_unix_nano == event["timestamp"] * 1_000_000
        assert resource == {
            "service.name": here.name,
            "cloud.account.id": ACCOUNT,
            "cloud.region": REGION,
            "aws.log.group.names": [here.group],
            "aws.log.stream.names": [event["logStreamName"]],
        }
    assert all(headers["api-key"] == "a b" for headers in receiver.headers)


def test_all_at_once(talkative, receiver, tmp_path):
    with s3_server.moto() as port:
        places = f"cloudwatch=http://127.0.0.1:{port},directory={tmp_path},otlp={receiver.url}"
        here = talkative(RUSHLIGHT_LOG_DESTINATIONS=places, **s3_server.ENVIRONMENT)
        here.invoke()
        events = essence(here.whole(1))
        there = filtered(s3_server.s3_client(f"http://127.0.0.1:{port}", service="logs"), here.group)
        wait_until(lambda: there() == events, what="that CloudWatch has them")
        wait_until(lambda: len(receiver.records()) == len(events), what="that the receiver has them")
        files = lambda: [line for file in tmp_path.rglob("*.jsonl") for line in file.open()]  # noqa: E731
        wait_until(lambda: len(files()) == len(events), what="that the files have them")


def test_one_that_comes_back(talkative, receiver):
    receiver.status = 503
    here = talkative("--log-destination", f"otlp={receiver.url}")
    here.invoke()
    wait_until(lambda: "delivery.failed" in here.server.log_tail(), what="that it is refused")
    assert receiver.records() == []
    receiver.status = 200
    events = here.whole(1)
    wait_until(lambda: len(receiver.records()) >= len(events), what="that it is tried again")
    assert [record.body.string_value for _, record in receiver.records()] == [event["message"] for event in events]


def test_what_is_left_at_the_end_is_delivered(talkative, receiver):
    here = talkative("--log-destination", f"otlp={receiver.url}")
    here.invoke()
    assert here.server.stop() == 0
    said = [record.body.string_value for _, record in receiver.records()]
    assert sum(line.startswith("REPORT ") for line in said) == 1


def accounted(directory):
    """How many events were written, or counted as lost on a machine too busy to write them."""
    lines = [line for file in directory.rglob("*.jsonl") for line in file.read_text().splitlines()]
    lost = [re.search(r"(\d+) log events were dropped", line) for line in lines]
    return len(lines) + sum(int(found[1]) for found in lost if found)


def test_one_that_never_answers_holds_nobody_up(talkative, tmp_path):
    """Not invocations, not another destination, not the end of the server; what is lost is told where it was lost."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        here = talkative("--log-destination", f"otlp={url}", "--log-destination", f"directory={tmp_path}")
        # The first delivery hangs; beyond 16 MB more are dropped.
        here.invoke(5, lines=10_000)
        wait_until(lambda: accounted(tmp_path) > 50_000, what="that the other destination has all")
        begun = time.monotonic()
        assert here.server.stop() == 0
        assert time.monotonic() - begun < 30
        assert "delivery.lost" in here.server.log_tail() and "log_destination.dropped" in here.server.log_tail()


def test_losses_are_told_in_the_stream(talkative, receiver):
    receiver.status = 503
    here = talkative("--log-destination", f"otlp={receiver.url}")
    here.invoke(5, lines=10_000)
    receiver.status = 200
    told = lambda: [record.body.string_value for _, record in receiver.records() if b"dropped" in record.body.string_value.encode()]  # noqa: E731,E501
    wait_until(told, timeout=60, what="that losses are told")
    assert "log events were dropped: they came faster than they could be written" in told()[0]


@pytest.mark.parametrize(
    "place, sentence",
    [
        ("fluentd=http://127.0.0.1", "there are cloudwatch=URL, directory=DIR and otlp=URL"),
        ("directory=logs", "must be named by its whole path"),
        ("directory=/dev/null/logs", "cannot make the directory"),
        ("otlp=localhost:4318", "begins neither with http:// nor with https://"),
        ("cloudwatch=ftp://a", "begins neither with http:// nor with https://"),
    ],
)
def test_mistakes(serve, place, sentence):
    with pytest.raises(AssertionError, match=f"(?s)--log-destination {place}.*{sentence}"):
        serve("--isolation", "none", "--log-destination", place)
