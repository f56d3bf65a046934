"""What a long life of failures, timeouts, kills and changes leaves of a server: nothing more than it had at first.

RUSHLIGHT_SOAK multiplies how long these tests go on; `./dev soak` runs them in full.
"""

import base64
import collections
import json
import os
import random
import re
import threading
import time

import leftovers
import packages
import pytest
from conftest import ISOLATION
from server import unique, wait_until

FULL = float(os.environ.get("RUSHLIGHT_SOAK", "0.01"))
INVOCATIONS = int(100_000 * FULL)
FUNCTIONS = max(4, int(200 * FULL))
DEATHS = max(3, int(50 * FULL))
CLIENTS = 12

PACKAGE = packages.python("""
import os, signal, time

kept = []

def handler(event, context):
    do = event["do"]
    if do == "fail":
        raise RuntimeError("no")
    if do == "exit":
        os._exit(3)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "hang":
        time.sleep(60)
    if do == "memory":
        kept.append(bytearray(400_000_000))
    if do == "daemon" and os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    if do == "files":
        kept.extend(open(f"/tmp/{number}", "wb") for number in range(50))
        kept[-1].write(bytes(1_000_000))
    if do == "log":
        for number in range(100):
            print(number, "x" * 100)
    return event["number"]
""")

# What functions do, how often of a thousand, and the error that it is answered with.
WAYS = {
    "answer": (929, None),
    "fail": (20, "RuntimeError"),
    "exit": (10, "Runtime.ExitError"),
    "kill": (5, "Runtime.ExitError"),
    "hang": (1, "Sandbox.Timedout"),
    "memory": (5, "Runtime.OutOfMemory"),
    "daemon": (10, None),
    "files": (10, None),
    "log": (10, None),
}
REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: \S+ ms\tBilled Duration: (\d+) ms")


class Load:
    """Invocations by several clients at a time, each answered as it should be."""

    def __init__(self, server, names):
        self.server, self.names = server, names
        self.billed = {}
        self.failures = []
        self.counts = collections.Counter()

    def run(self, invocations):
        numbers = iter(range(invocations))
        workers = [threading.Thread(target=self._work, args=(numbers, random.Random(seed))) for seed in range(CLIENTS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not self.failures, self.failures[:5]

    def _work(self, numbers, chance):
        client = self.server.client()
        ways, weights = list(WAYS), [often for often, _ in WAYS.values()]
        for number in numbers:
            (way,) = chance.choices(ways, weights)
            try:
                self._invoke(client, chance.choice(self.names), way, number)
            except Exception as error:  # noqa: BLE001
                self.failures.append((way, repr(error)))

    def _invoke(self, client, name, way, number):
        event = json.dumps({"do": way, "number": number})
        answer = client.invoke(FunctionName=name, Payload=event, LogType="Tail")
        payload = json.loads(answer["Payload"].read())
        error = WAYS[way][1]
        # Without a memory limit of its own it may well have all of that.
        expected = {error} if way != "memory" or ISOLATION == "sandbox" else {None, error}
        found = payload["errorType"] if "FunctionError" in answer else None
        assert found in expected, (name, payload)
        if found is None:
            assert payload == number
        request, billed = REPORT.search(base64.b64decode(answer["LogResult"]).decode()).groups()
        assert request == answer["ResponseMetadata"]["RequestId"]
        self.billed[request] = int(billed)
        self.counts[way] += 1


def change(client, names, stop, failures):
    """Gives functions another configuration and other code, again and again: what runs is drained."""
    chance = random.Random(0)
    while not stop.wait(0.2):
        name = chance.choice(names)
        try:
            if chance.random() < 0.5:
                client.update_function_configuration(FunctionName=name, Environment={"Variables": {"CHANGED": unique("a")}})
            else:
                client.update_function_code(FunctionName=name, ZipFile=PACKAGE)
        except client.exceptions.ResourceConflictException:
            pass
        except Exception as error:  # noqa: BLE001
            failures.append(("change", repr(error)))


def held(server):
    """What the server has of the machine, without what it keeps to use again."""
    pid = server.process.pid
    return {
        "processes": len(leftovers.children_of(pid)),
        "control groups, interfaces, tables": sorted(leftovers.named(leftovers.instance(server.data))),
    }


def rested(server):
    """Waits until no environment is left, nor a network that was ready for one, and what was closed is closed."""
    name = leftovers.instance(server.data)
    sandboxes = lambda: [group for group in leftovers.named(name) if re.search("/[0-9a-f]{32}$", group)]  # noqa: E731
    wait_until(lambda: not sandboxes(), timeout=60, what="that all environments are gone")
    networks = lambda: [link for link in leftovers.named(name) if re.fullmatch("rl[0-9a-f]+-[0-9a-f]+", link)]  # noqa: E731
    wait_until(lambda: not networks(), timeout=60, what="that the networks that were ready are given back")
    time.sleep(2)


def disks(server):
    """File systems of a size that the server keeps for the next environments: as many as there were at a time."""
    return len(leftovers.loop_devices(server.data)), len(leftovers.mounts_of(server.data))


@pytest.mark.timeout(3600)
def test_nothing_is_leaked_and_every_millisecond_is_accounted_for(serve, deployer):
    server = serve("--isolation", ISOLATION, "--idle-timeout", "3")
    deploy = deployer(server)
    names = [deploy(PACKAGE, name=unique("soak"), Timeout=10, MemorySize=256, wait=False) for _ in range(FUNCTIONS)]
    for name in names:
        deploy.wait(name)
    client = server.client()
    load = Load(server, names)
    load.run(max(INVOCATIONS // 10, CLIENTS * 5))

    rested(server)
    before, memory, descriptors = held(server), leftovers.resident(server.process.pid), leftovers.descriptors(server.process.pid)

    stop = threading.Event()
    changer = threading.Thread(target=change, args=(client, names, stop, load.failures))
    changer.start()
    began = time.monotonic()
    try:
        load.run(INVOCATIONS)
    finally:
        stop.set()
        changer.join()
    seconds = time.monotonic() - began
    assert not load.failures, load.failures[:5]
    rested(server)
    assert held(server) == before
    # Connections of clients, and of the store, come and go. Files of the log are open until a pause of ten seconds.
    few = lambda: leftovers.descriptors(server.process.pid) < descriptors + 2 * CLIENTS  # noqa: E731
    wait_until(few, timeout=30, what="that no more descriptors are open than before")
    assert max(disks(server)) < FUNCTIONS + 4 * CLIENTS
    after = leftovers.resident(server.process.pid)
    print(f"{len(load.billed)} invocations, {seconds:.0f} s, {dict(load.counts)}; {memory >> 20} MB before, {after >> 20} MB after")
    assert after < memory * 1.5 + (64 << 20)
    wait_until(lambda: reported(server, names) == load.billed, timeout=60, interval=2, what="that each invocation is reported")
    assert server.stop() == 0


def reported(server, names):
    """Billed milliseconds by request, as the logs have them."""
    logs, found = server.client("logs"), {}
    for name in names:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}", filterPattern='"REPORT RequestId"')
        for event in (event for page in pages for event in page["events"]):
            request, billed = REPORT.search(event["message"]).groups()
            assert request not in found, f"{request} is reported twice"
            found[request] = int(billed)
    return found


@pytest.mark.root
@pytest.mark.timeout(3600)
def test_kill_9_under_load_leaves_nothing(serve, deployer):
    """At whatever moment: the next start finds what the dead one has left, and takes it away."""
    chance = random.Random(os.environ.get("RUSHLIGHT_SEED"))
    server = serve("--isolation", "sandbox")
    fresh, at_first, descriptors = held(server), disks(server), leftovers.descriptors(server.process.pid)
    deploy = deployer(server)
    names = [deploy(PACKAGE, name=unique("killed"), Timeout=5, MemorySize=256) for _ in range(4)]
    for death in range(DEATHS):
        stop = threading.Event()
        workers = [threading.Thread(target=hammer, args=(server.client(timeout=5), names, stop)) for _ in range(6)]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0.02, 1.0))
        children = leftovers.children_of(server.process.pid)
        server.kill()
        stop.set()
        for worker in workers:
            worker.join()
        wait_until(lambda: not leftovers.alive(children), timeout=15, what=f"that the processes end, death {death}")
        server.start()
        assert held(server) == fresh, death
        assert leftovers.descriptors(server.process.pid) < descriptors + CLIENTS
        assert disks(server) == at_first
        answer = server.client().invoke(FunctionName=chance.choice(names), Payload=b'{"do": "answer", "number": 7}')
        assert answer["Payload"].read() == b"7"
    # Stopping checks that nothing at all is left.
    assert server.stop() == 0


def hammer(client, names, stop):
    chance = random.Random()
    while not stop.is_set():
        try:
            client.invoke(FunctionName=chance.choice(names), Payload=json.dumps({"do": chance.choice(["answer", "exit", "daemon", "files"]), "number": 1}))
        except Exception:  # noqa: BLE001
            pass
