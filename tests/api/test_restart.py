"""What a server keeps, and what it leaves behind, when it stops or is killed."""

import json
import random
import stat
import subprocess
import threading
import time

import leftovers
import packages
import pytest
from conftest import ISOLATION
from server import BINARY, wait_until
from story import Interrupted, Story, package

SLOW = "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'finished'\n"


def test_the_credentials_are_the_owners_alone(server):
    mode = stat.S_IMODE((server.data / "credentials").stat().st_mode)
    assert mode == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_functions_and_key_survive_a_restart(serve, deployer, directories):
    instance = serve("--isolation", ISOLATION)
    deploy = deployer(instance)
    name = deploy(packages.python("def handler(event, context): return event\n"))
    before, key = instance.client().get_function(FunctionName=name), instance.credentials
    assert instance.stop() == 0
    instance.start()
    assert instance.credentials == key
    after = instance.client().get_function(FunctionName=name)
    assert after["Configuration"] == before["Configuration"]
    assert json.loads(instance.client().invoke(FunctionName=name, Payload=b"[1]")["Payload"].read()) == [1]
    instance.stop()


CLIENTS = 4
FUNCTIONS_OF_A_CLIENT = 3
DEATHS = 20


@pytest.mark.timeout(900)
def test_kill_9_leaves_the_old_or_the_new(serve, python_runtime):
    """Clients create, update, publish and delete while the server is killed at random moments. Whatever was answered is
    there after the restart, each function is as it was before the unanswered call or as after it, and works; nothing is
    left Pending or in progress."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    instance = serve("--isolation", ISOLATION)
    stories = [
        [Story(f"crash-{client}-{function}", python_runtime) for function in range(FUNCTIONS_OF_A_CLIENT)]
        for client in range(CLIENTS)
    ]
    everything = [story for mine in stories for story in mine]
    interrupted = 0
    for _ in range(DEATHS):
        failures = live_and_die(instance, stories, chance)
        instance.start()
        assert not failures, failures
        client = instance.client()
        opened = [story for story in everything if story.is_open]
        interrupted += len(opened)
        for story in everything:
            story.check(client)
        there = {story.name for story in everything if story.known is not None}
        assert {function["FunctionName"] for function in client.list_functions()["Functions"]} == there
        for story in opened or chance.sample(everything, 1):
            story.invoke(client)
    client = instance.client()
    for story in everything:
        story.invoke(client)
    total = sum(
        len(package(mark))
        for story in everything
        if story.known
        for mark in (story.known["code"], *story.known["versions"].values())
    )
    assert client.get_account_settings()["AccountUsage"]["TotalCodeSize"] == total
    acknowledged = sum(story.acknowledged for story in everything)
    print("acknowledged", acknowledged, "interrupted", interrupted)
    assert acknowledged >= DEATHS and interrupted >= DEATHS / 4
    assert instance.stop() == 0


def live_and_die(instance, stories, chance):
    """Lets each client work on its functions until the server is killed; returns what must not have happened."""
    failures = []

    def work(client, mine, chance):
        try:
            while True:
                chance.choice(mine).step(client, chance)
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001
            failures.append(repr(error))

    workers = [
        threading.Thread(target=work, args=(instance.client(timeout=30), mine, random.Random(chance.randrange(1 << 32))))
        for mine in stories
    ]
    for worker in workers:
        worker.start()
    time.sleep(chance.uniform(0.05, 1.0))
    instance.kill()
    for worker in workers:
        worker.join()
    return failures


@pytest.mark.root
def test_kill_9_leaves_no_process_and_the_next_start_sweeps(serve, deployer):
    instance = serve("--isolation", "sandbox")
    name = deployer(instance)(packages.python(SLOW), Timeout=60)
    client = instance.client(timeout=2)
    threads = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: suppressed(client, name))
        thread.start()
        threads.append(thread)
    children = wait_until(lambda: functions_of(instance), what="that functions run")
    instance.kill()
    wait_until(lambda: not leftovers.alive(children), timeout=15, what="that the functions of the dead server end")
    for thread in threads:
        thread.join()
    instance.start()
    assert instance.client().list_functions()["Functions"][0]["FunctionName"] == name
    # Stopping checks that nothing at all is left.
    assert instance.stop() == 0


def suppressed(client, name):
    try:
        client.invoke(FunctionName=name, Payload=b'{"seconds": 50}')
    except Exception:
        pass


def functions_of(instance):
    children = leftovers.children_of(instance.process.pid)
    return children if len(children) >= 3 else None


def test_sigterm_lets_invocations_end(serve, deployer):
    instance = serve("--isolation", ISOLATION)
    name = deployer(instance)(packages.python(SLOW), Timeout=30)
    client = instance.client()
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(client.invoke(FunctionName=name, Payload=b'{"seconds": 2}')["Payload"].read())
    )
    thread.start()
    time.sleep(1)
    assert instance.stop() == 0
    thread.join()
    assert answers == [b'"finished"']


def test_sigterm_cuts_at_the_deadline(serve, deployer):
    instance = serve("--isolation", ISOLATION, "--shutdown-timeout", "1")
    name = deployer(instance)(packages.python(SLOW), Timeout=60)
    client = instance.client()
    thread = threading.Thread(target=lambda: suppressed(client, name))
    thread.start()
    time.sleep(1)
    begun = time.monotonic()
    assert instance.stop() == 0
    assert time.monotonic() - begun < 20
    thread.join()


def test_a_second_server_on_the_same_data(server):
    command = [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data), "--isolation", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    sentence = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and str(server.data) in sentence and sentence.startswith("rushlight: "), done.stderr


def test_a_port_that_is_taken(server, directories):
    command = [str(BINARY), "serve", "--listen", f"127.0.0.1:{server.port}", "--data-dir", str(directories() / "data"), "--isolation", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"cannot listen on 127.0.0.1:{server.port}" in done.stderr
