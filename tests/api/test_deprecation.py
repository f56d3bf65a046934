"""The end of runtimes: notices by each policy, once, wherever they are sent; and what is blocked, and never is."""

import datetime
import email
import email.policy
import http.server
import json
import socket
import subprocess
import threading

import botocore.exceptions
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import packages
from server import BINARY, REGION, arn, wait_until

PACKAGE = packages.python("def handler(event, context): return 'runs'\n")
DAY = datetime.timedelta(days=1)


class Webhook:
    """Takes notices; refuses the first few."""

    def __init__(self, refused=0):
        self.notices, webhook = [], self
        self.left = refused

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.left -= 1
                if webhook.left < 0:
                    webhook.notices.append((self.path, body))
                self.send_response(503 if webhook.left >= 0 else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/notices?key=1"


class Mails:
    """A mail server that wants to know who sends."""

    def __init__(self):
        self.mails, self.users = [], []
        self.controller = Controller(self, hostname="127.0.0.1", port=0, authenticator=self.authenticate, auth_require_tls=False)
        # An address that is free is only known once it is taken.
        self.controller.port = free_port()
        self.controller.start()
        self.url = f"smtp://rush:li%40ght@127.0.0.1:{self.controller.port}"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.users.append((data.login, data.password))
        return AuthResult(success=True)

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Years:
    def __init__(self, server, deployer):
        self.server, self.deploy = server, deployer(server)

    def now(self):
        return datetime.datetime.fromisoformat(json.loads(self.server.rushlight("clock", "advance", "0", "--json").stdout)["now"])

    def advance(self, days):
        self.server.rushlight("clock", "advance", str(days * 86_400))

    def advance_to(self, day):
        self.advance((datetime.date.fromisoformat(day) - self.now().date()).days)

    def notices(self):
        return json.loads(self.server.rushlight("runtimes", "notices", "--json").stdout)

    def given(self):
        return [(notice["runtime"], notice["channel"]) for notice in self.notices()]

    def update(self, name):
        self.server.client().update_function_configuration(FunctionName=name, Description=str(self.now()))

    def create(self, runtime):
        return self.deploy(PACKAGE, runtime=runtime)


@pytest.fixture
def years(serve, deployer):
    started = []

    def start(*flags):
        started.append(serve("--isolation", "none", "--clock", "virtual", *flags))
        return Years(started[-1], deployer)

    yield start
    for server in started:
        assert server.stop() == 0


@pytest.fixture(scope="module")
def runtime(machine):
    """One that this machine has and that is supported for long enough."""
    return next(name for name in ("python3.12", "python3.11", "python3.13") if machine[name]["status"] == "found")


@pytest.fixture(scope="module")
def calendar(tmp_path_factory):
    listed = subprocess.check_output([BINARY, "runtimes", "list", "--json", "--data-dir", tmp_path_factory.mktemp("data")])
    return {listing["identifier"]: listing for listing in json.loads(listed)}


def refused(call, identifier):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call()
    assert refusal.value.response["Error"]["Message"].startswith(f"The runtime parameter of {identifier} is no longer supported")


def test_ten_years_by_todays_policy(years, calendar, runtime):
    webhook, mails = Webhook(), Mails()
    here = years(
        "--notice-webhook", webhook.url, "--notice-smtp", mails.url, "--notice-from", "lambda@example.com",
        "--notice-to", "owner@example.com", "--notice-to", "other@example.com",
    )  # fmt: skip
    name = here.create(runtime)
    client = here.server.client()
    version = client.publish_version(FunctionName=name)["Version"]
    deprecation = datetime.date.fromisoformat(calendar[runtime]["deprecation"])
    assert here.notices() == []
    begin, told = here.now(), {}
    while here.now() - begin < 3650 * DAY:
        here.advance(30)
        if here.now().date() >= deprecation - 180 * DAY:
            # The day's round goes on behind the clock.
            wait_until(lambda: len(webhook.notices) == 3, what="that notice is given")
        told[here.now()] = here.given()
    # Ten years, and three notices: not before their time, and each once.
    first = min(time for time, given in told.items() if given)
    assert deprecation - 180 * DAY <= first.date() <= deprecation - 149 * DAY
    assert sorted(told[first]) == [(runtime, "advisor"), (runtime, "email"), (runtime, "health")]
    # The Health Dashboard forgets.
    assert sorted(here.given()) == [(runtime, "advisor"), (runtime, "email")]
    wait_until(lambda: len(mails.mails) == 1)
    assert len(webhook.notices) == 3 and {path for path, _ in webhook.notices} == {"/notices?key=1"}
    by_channel = {notice["channel"]: notice for _, notice in webhook.notices}
    assert by_channel["email"]["functions"] == [arn(name)]
    assert sorted(by_channel["advisor"]["functions"]) == sorted([arn(name, "$LATEST"), arn(name, version)])
    assert by_channel["health"] == by_channel["advisor"] | {"channel": "health"}
    assert (by_channel["email"]["region"], by_channel["email"]["deprecation"]) == (REGION, str(deprecation))
    sender, to, mail = mails.mails[0]
    assert (sender, sorted(to)) == ("lambda@example.com", ["other@example.com", "owner@example.com"])
    assert mail["Subject"] == f"Support for {runtime} ends on {deprecation}" and arn(name) in mail.get_content()
    assert mails.users == [(b"rush", b"li@ght")]
    assert f"email    {runtime:16} ends {deprecation}, created until {calendar[runtime]['blockCreate']}: 1 in account" in here.server.rushlight("runtimes", "notices").stdout
    # Invocation is never blocked.
    assert json.load(client.invoke(FunctionName=name, Qualifier=version)["Payload"]) == "runs"
    refused(lambda: here.create(runtime), runtime)
    refused(lambda: here.update(name), runtime)
    # Nor is what was told told again by another process.
    here.server.kill()
    here.server.start()
    here.advance(3650)
    here.advance(1)
    assert json.load(here.server.client().invoke(FunctionName=name)["Payload"]) == "runs"
    assert len(webhook.notices) == 3 and len(mails.mails) == 1


def test_the_days_of_todays_policy(years, calendar, runtime):
    here = years()
    name = here.create(runtime)
    listed = calendar[runtime]
    here.advance_to(listed["deprecation"])
    here.create(runtime)
    here.update(name)
    here.advance_to(listed["blockCreate"])
    refused(lambda: here.create(runtime), runtime)
    here.update(name)
    here.advance_to(listed["blockUpdate"])
    refused(lambda: here.update(name), runtime)
    # A function may always be moved to what is supported.
    here.server.client().update_function_configuration(FunctionName=name, Runtime="java17.al2023", Handler="a")


def test_the_classic_policy(years, calendar, runtime):
    here = years("--deprecation-policy", "classic")
    name = here.create(runtime)
    deprecation = datetime.date.fromisoformat(calendar[runtime]["deprecation"])
    for days, given in [(121, []), (119, ["advisor"]), (61, ["advisor"]), (59, ["advisor", "email"]), (1, ["advisor", "email"])]:
        here.advance_to(str(deprecation - days * DAY))
        wait_until(lambda given=given: [channel for _, channel in here.given()] == given, what=f"{given} {days} days before")
    assert here.notices()[1]["blockCreate"] == str(deprecation)
    here.create(runtime)
    here.advance(1)
    refused(lambda: here.create(runtime), runtime)
    here.advance(29)
    here.update(name)
    here.advance(1)
    refused(lambda: here.update(name), runtime)


def test_what_is_not_taken_is_sent_again(years):
    webhook = Webhook(refused=4)
    here = years("--notice-webhook", webhook.url)
    # Deprecated already, and still offered.
    here.create("nodejs20.x" if not here.server.rushlight("runtimes", "doctor", "nodejs20.x", check=False).returncode else "provided.al2")
    here.advance(1)
    wait_until(lambda: len(here.notices()) == 3)
    wait_until(lambda: webhook.left == 1, what="that each was refused once")
    assert webhook.notices == []
    here.advance(1)
    wait_until(lambda: len(webhook.notices) == 2)
    here.advance(1)
    wait_until(lambda: len(webhook.notices) == 3)
    assert len({notice["channel"] for _, notice in webhook.notices}) == 3


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["--notice-webhook", "ftp://a"], "begins neither with http:// nor with https://"),
        (["--notice-smtp", "smtp://127.0.0.1"], "--notice-smtp needs --notice-from ADDRESS"),
        (["--notice-smtp", "smtp://127.0.0.1", "--notice-from", "a@b"], "--notice-smtp needs --notice-to ADDRESS"),
        (["--notice-smtp", "smtp://127.0.0.1", "--notice-from", "a", "--notice-to", "a@b"], "--notice-from a: not an address of mail"),
        (["--notice-smtp", "smtp://u:secret@mail.example.com", "--notice-from", "a@b", "--notice-to", "a@b"], "a password is sent by smtps://"),
        (["--notice-smtp", "mail.example.com", "--notice-from", "a@b", "--notice-to", "a@b"], "smtps://USER:PASSWORD@HOST:PORT"),
    ],
)
def test_mistakes(serve, flags, sentence):
    with pytest.raises(Exception) as failure:
        serve("--isolation", "none", *flags)
    assert sentence in str(failure.value) and "secret" not in str(failure.value)
