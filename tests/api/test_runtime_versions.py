"""Versions of a runtime: published, rolled out in two phases, watched, withdrawn, held, and gone back to."""

import concurrent.futures
import json
import os
import shutil
import threading
import time

import pytest

import packages
import root_file_systems
from server import unique, wait_until

pytestmark = pytest.mark.root
CODE = """
import os
def handler(event, context):
    marker = open('/marker').read() if os.path.exists('/marker') else 'own'
    if marker == 'broken':
        raise RuntimeError(marker)
    return marker
"""
PACKAGE = packages.python(CODE)


@pytest.fixture(scope="module")
def roots(tmp_path_factory, machine, python_runtime):
    """Root file systems with Python that differ in what is written in them."""
    base = tmp_path_factory.mktemp("roots")
    interpreter = machine[python_runtime]["detail"].split(" ")[0]
    first = root_file_systems.with_python(base / "first", interpreter, interpreter.rsplit("/", 1)[1])

    def make(marker):
        root = base / unique(marker)
        shutil.copytree(first, root, copy_function=os.link)
        (root / "marker").write_text(marker)
        return root

    return make


class Runtimes:
    """A server of its own, and what is asked of it."""

    def __init__(self, server, deployer, runtime):
        self.server, self.runtime = server, runtime
        self._deploy = deployer(server)

    @property
    def lambda_(self):
        # Anew, because a server that was started again is somewhere else.
        return self.server.client()

    def cli(self, verb, *arguments, **options):
        return self.server.rushlight("runtimes", verb, *arguments, **options)

    def publish(self, root):
        return json.loads(self.cli("publish", self.runtime, str(root), "--json").stdout)

    def versions(self):
        return json.loads(self.cli("versions", "--json").stdout)

    def phase(self):
        return self.versions()[-1]["phase"]

    def phase_of(self, published):
        return next(version["phase"] for version in self.versions() if version["hash"] == published["hash"])

    def deploy(self, wait=True, package=PACKAGE, **settings):
        return self._deploy(package, runtime=self.runtime, wait=wait, **settings)

    def call(self, name, **arguments):
        answer = self.lambda_.invoke(FunctionName=name, **arguments)
        payload = json.load(answer["Payload"])
        return payload["errorMessage"] if "FunctionError" in answer else payload

    def arn(self, name, **arguments):
        return self.lambda_.get_function_configuration(FunctionName=name, **arguments)["RuntimeVersionConfig"]["RuntimeVersionArn"]

    def mode(self, name, mode, **arguments):
        return self.lambda_.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn=mode, **arguments)

    def update(self, name):
        self.lambda_.update_function_configuration(FunctionName=name, Description=unique("d"))
        self.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def settle(self, phase):
        wait_until(lambda: self.phase() == phase, what=f"that the newest version is {phase}")


@pytest.fixture
def runtimes(serve, deployer, python_runtime):
    started = []

    def start(*flags):
        started.append(serve("--isolation", "sandbox", *flags))
        return Runtimes(started[-1], deployer, python_runtime)

    yield start
    for server in started:
        if server.running():
            assert server.stop() == 0


def test_two_phases(runtimes, roots):
    here = runtimes()
    old, pinned, by_update = here.deploy(), here.deploy(), here.deploy()
    own = here.arn(old)
    number = here.lambda_.publish_version(FunctionName=old)["Version"]
    here.mode(pinned, "Manual", RuntimeVersionArn=own)
    here.mode(by_update, "FunctionUpdate")
    assert here.versions() == []

    new = here.publish(roots("new"))
    built_in = json.loads(here.server.rushlight("runtimes", "list", "--data-dir", str(here.server.data), "--json").stdout)
    text = next(each["version"] for each in built_in if each["identifier"] == here.runtime)
    assert new["version"] == text[: text.rindex("v") + 1] + str(int(text[text.rindex("v") + 1 :]) + 1)
    arn = f"arn:aws:lambda:us-east-1::runtime:{new['hash']}"

    # Phase one: what is created or updated.
    created = here.deploy()
    assert here.arn(created) == arn and here.call(created) == "new"
    line = f"INIT_START Runtime Version: {new['version']}\tRuntime Version ARN: {arn}"
    logs = here.server.client("logs")
    messages = lambda: [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{created}")["events"]]  # noqa: E731
    wait_until(lambda: line in "".join(messages()), what="that the log names the version")
    assert [here.call(name) for name in (old, pinned, by_update)] == ["own"] * 3
    here.update(by_update)
    assert here.arn(by_update) == arn and here.call(by_update) == "new"
    here.update(pinned)
    assert here.arn(pinned) == own and here.call(pinned) == "own"

    # Phase two: all others, published versions too, without a request that fails or is answered by both.
    stop, seen, client = threading.Event(), [], here.lambda_

    def load(qualifier):
        while not stop.is_set():
            seen.append(json.load(client.invoke(FunctionName=old, Qualifier=qualifier)["Payload"]))

    with concurrent.futures.ThreadPoolExecutor() as threads:
        tasks = [threads.submit(load, qualifier) for qualifier in ("$LATEST", number) for _ in range(2)]
        assert here.cli("rollout", here.runtime, "--pause", "0").stdout == f"{new['version']} is on its way to all functions.\n"
        here.settle("complete")
        wait_until(lambda: seen[-20:] == ["new"] * 20, what="that all answers come from the new version")
        stop.set()
        [task.result() for task in tasks]
    assert set(seen) == {"own", "new"}
    assert here.arn(old) == arn and here.arn(old, Qualifier=number) == arn
    assert here.call(pinned) == "own" and here.arn(pinned) == own
    # It is the same function as before: there is nothing to publish.
    assert here.lambda_.publish_version(FunctionName=old)["Version"] == number
    # Who lets the service decide again gets what was missed.
    here.mode(pinned, "Auto")
    assert here.arn(pinned) == arn and here.call(pinned) == "new"
    # And back to an earlier one.
    here.mode(old, "Manual", RuntimeVersionArn=own)
    here.mode(old, "Manual", RuntimeVersionArn=own, Qualifier=number)
    assert here.call(old) == here.call(old, Qualifier=number) == "own" and here.arn(old, Qualifier=number) == own

    # All of it is there again after the server was killed.
    here.server.kill()
    here.server.start()
    assert here.call(created) == "new" and here.call(old) == "own" and here.phase() == "complete"


def test_batches_go_on_after_a_crash(runtimes, roots):
    here = runtimes("--clock", "virtual")
    names = [here.deploy() for _ in range(5)]
    here.publish(roots("new"))
    here.cli("rollout", here.runtime, "--after", "3600", "--batch", "2", "--pause", "600")
    answers = lambda: sorted(here.call(name) for name in names)  # noqa: E731
    advance = lambda seconds: here.server.rushlight("clock", "advance", str(seconds))  # noqa: E731
    moved = lambda count: wait_until(lambda: answers() == ["new"] * count + ["own"] * (5 - count))  # noqa: E731
    advance(3000)
    assert answers() == ["own"] * 5
    advance(600)
    moved(2)
    advance(300)
    assert answers() == ["new"] * 2 + ["own"] * 3
    advance(300)
    moved(4)
    here.server.kill()
    here.server.start()
    # The clock began anew: it is not yet time. What was moved stays.
    assert answers() == ["new"] * 4 + ["own"]
    advance(3600)
    moved(5)
    advance(600)
    here.settle("complete")


def test_a_crash_does_not_hurry(runtimes, roots):
    """A server that is started again moves the next batch, and not all that is left."""
    here = runtimes()
    names = [here.deploy() for _ in range(5)]
    here.publish(roots("new"))
    here.cli("rollout", here.runtime, "--batch", "2", "--pause", "3600")
    answers = lambda: sorted(here.call(name) for name in names)  # noqa: E731
    wait_until(lambda: answers() == ["new"] * 2 + ["own"] * 3)
    here.server.kill()
    here.server.start()
    wait_until(lambda: answers() == ["new"] * 4 + ["own"])
    time.sleep(1)
    assert answers() == ["new"] * 4 + ["own"]


def test_failures_roll_back(runtimes, roots):
    here = runtimes("--clock", "virtual")
    names = [here.deploy() for _ in range(3)]
    own = here.arn(names[0])
    assert [here.call(name) for name in names] == ["own"] * 3
    broken = here.publish(roots("broken"))
    created = here.deploy(wait=True)
    here.cli("rollout", here.runtime, "--batch", "2", "--pause", "600")
    moved = lambda: [name for name in names if here.arn(name) != own]  # noqa: E731
    wait_until(lambda: len(moved()) == 2, what="the first batch")
    for name in moved() * 2:
        assert here.call(name) == "broken"
    here.server.rushlight("clock", "advance", "600")
    here.settle("withdrawn")
    wait_until(lambda: moved() == [] and here.arn(created) == own, what="that all have what came before")
    assert [here.call(name) for name in [*names, created]] == ["own"] * 4
    assert here.versions()[-1]["detail"]["reason"] == (
        "4 of 4 invocations failed once their functions had it; 0 of 2 had failed before"
    )
    assert f"{broken['version']} " in here.cli("versions").stdout and "withdrawn" in here.cli("versions").stdout
    # The next one has a number of its own.
    assert int(here.publish(roots("good"))["version"].rsplit(".v", 1)[1]) == int(broken["version"].rsplit(".v", 1)[1]) + 1
    assert here.call(here.deploy()) == "good"


def test_withdrawn_by_the_operator(runtimes, roots):
    here = runtimes()
    old = here.deploy()
    here.publish(roots("one"))
    by_update = here.deploy()
    here.mode(by_update, "FunctionUpdate")
    here.cli("rollout", here.runtime, "--pause", "0")
    here.settle("complete")
    here.publish(roots("two"))
    newest = here.deploy()
    assert [here.call(name) for name in (old, by_update, newest)] == ["one", "one", "two"]
    done = here.cli("withdraw", here.runtime, "--reason", "it is slow")
    assert done.stdout.endswith("is withdrawn.\n") and here.versions()[-1]["detail"]["reason"] == "it is slow"
    wait_until(lambda: here.call(newest) == "one")
    here.cli("withdraw", here.runtime)
    # Also functions that are else left alone.
    wait_until(lambda: [here.call(name) for name in (old, by_update, newest)] == ["own"] * 3)
    mistake = here.cli("withdraw", here.runtime, check=False)
    assert mistake.returncode == 1 and f"no version of {here.runtime} was published that stands" in mistake.stderr


def test_mistakes(runtimes, roots, tmp_path):
    here = runtimes()
    name = here.deploy()

    def refused(sentence, *arguments):
        done = here.cli(*arguments, check=False)
        assert done.returncode == 1 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr

    refused("there is no runtime python9.9", "publish", "python9.9", str(roots("x")))
    refused("that can be executed", "publish", here.runtime, str(tmp_path))
    refused("names no image", "publish", here.runtime, "nothing")
    refused("there is no runtime a/b", "rollout", "a/b")
    refused("was published that stands", "rollout", here.runtime)
    assert here.versions() == [] and here.call(name) == "own"
    # One that is not here is kept and shown, and changes nothing.
    pinned = "arn:aws:lambda:us-east-1::runtime:8eeff65f6809a3ce81507fe733fe09b835899b99481ba22fd75b5a7338290ec1"
    own = here.arn(name)
    here.mode(name, "Manual", RuntimeVersionArn=pinned)
    assert here.arn(name) == own and here.call(name) == "own"
    # Nor is a version of another runtime.
    other = here.cli("publish", "provided.al2023", str(roots("y")), "--json")
    here.mode(name, "Manual", RuntimeVersionArn=f"arn:aws:lambda:us-east-1::runtime:{json.loads(other.stdout)['hash']}")
    assert here.arn(name) == own and here.call(name) == "own"


def test_a_withdrawal_does_not_wait_for_a_rollout(runtimes, roots):
    """Of another runtime, which is being watched."""
    here = runtimes()
    moved = here.deploy()
    here.publish(roots("new"))
    here.cli("rollout", here.runtime, "--pause", "3600")
    wait_until(lambda: here.call(moved) == "new", what="the first batch")

    root = str(roots("other"))
    other = json.loads(here.cli("publish", "provided.al2023", root, "--json").stdout)
    name = here._deploy(packages.package({"bootstrap": "#!/bin/sh\n"}), runtime="provided.al2023")
    assert here.arn(name).endswith(other["hash"])
    here.cli("withdraw", "provided.al2023")
    wait_until(lambda: not here.arn(name).endswith(other["hash"]), what="what came before")
    assert here.phase_of(other) == "withdrawn" and here.call(moved) == "new"
    here.cli("withdraw", here.runtime)
    wait_until(lambda: here.call(moved) == "own", what="what came before the rollout")
