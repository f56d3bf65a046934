"""What a server keeps, and what it leaves behind, when it stops or is killed."""

import json
import os
import random
import signal
import stat
import subprocess
import threading
import time

import leftovers
import packages
import pytest
from conftest import ISOLATION
from server import BINARY, ROLE, ServerDied, wait_until

SLOW = "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'finished'\n"


def create(client, name, runtime, code="def handler(event, context): return event\n"):
    client.create_function(
        FunctionName=name, Runtime=runtime, Handler="index.handler", Role=ROLE, Code={"ZipFile": packages.python(code)}
    )


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


def test_kill_9_loses_nothing_acknowledged(serve, python_runtime):
    """Clients create and update functions while the server is killed again and again."""
    instance = serve("--isolation", ISOLATION)
    acknowledged, lock, stop = {}, threading.Lock(), threading.Event()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)

    def work(number):
        count = 0
        while not stop.is_set():
            name = f"kept-{number}-{count}"
            try:
                client = instance.client()
                create(client, name, python_runtime)
                with lock:
                    acknowledged[name] = 128
                client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
                client.update_function_configuration(FunctionName=name, MemorySize=256)
                with lock:
                    acknowledged[name] = 256
            except Exception:  # The server is gone; what was not acknowledged does not count.
                time.sleep(0.05)
            count += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for rounds in range(20):
        time.sleep(chance.uniform(0.5, 2.0))
        instance.kill()
        instance.start()
        # On a slow machine the clients get less done between two deaths.
        if rounds >= 3 and len(acknowledged) > 4:
            break
    stop.set()
    for worker in workers:
        worker.join()
    assert len(acknowledged) > 4
    client = instance.client()
    for name, memory in acknowledged.items():
        found = client.get_function_configuration(FunctionName=name)
        # An update may have been carried out without its answer having been heard.
        assert found["MemorySize"] >= memory, name
    sample = chance.sample(sorted(acknowledged), min(3, len(acknowledged)))
    for name in sample:
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        assert json.loads(client.invoke(FunctionName=name, Payload=b'"x"')["Payload"].read()) == "x"
    instance.stop()


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
