"""Functions that attack the server, the host and each other, through the public API alone.

The sandbox has a deeper suite of its own (crates/sandbox/tests/conformance); this one shows that what is deployed runs
inside it.
"""

import json
import os
import threading
import time

import packages
import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("RUSHLIGHT_TEST_ISOLATION") == "none", reason="isolation is switched off for this run"
)

ATTACKER = r"""
import ctypes, errno, glob, json, os, resource, signal, socket, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)

def attempt(action):
    try:
        return {"succeeded": True, "value": repr(action())[:200]}
    except BaseException as error:
        return {"succeeded": False, "error": f"{type(error).__name__}: {error}"[:200]}

def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)

def connect(host, port):
    with socket.create_connection((host, port), timeout=3) as connection:
        return connection.getpeername()

def handler(event, context):
    attempts = {
        "host files": lambda: open(event["secret"]).read(),
        "server data": lambda: os.listdir(event["data"]),
        "root's home": lambda: os.listdir("/root") or 1 / 0,
        "shadow": lambda: open("/etc/shadow").read(),
        "overwrite code": lambda: write("/var/task/index.py"),
        "overwrite runtime": lambda: write("/var/runtime/bootstrap.py"),
        "overwrite interpreter": lambda: write(os.path.realpath(sys.executable)),
        "write usr": lambda: write("/usr/bin/rushlight-was-here"),
        "write etc": lambda: write("/etc/passwd"),
        "write opt": lambda: write("/opt/x"),
        "server port on loopback": lambda: connect("127.0.0.1", event["port"]),
        "port on the host's loopback": lambda: connect("127.0.0.1", event["listener"]),
        "metadata address": lambda: connect("169.254.169.254", 80),
        "become root": lambda: os.setuid(0),
        "new user namespace": lambda: call(272, 0x10000000),
        "new mount namespace": lambda: call(272, 0x00020000),
        "mount": lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, None),
        "pivot_root": lambda: call(155, b"/tmp", b"/tmp"),
        "chroot": lambda: os.chroot("/tmp"),
        "mknod": lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)),
        "mknod of memory": lambda: os.mknod("/tmp/memory", 0o20666, os.makedev(1, 1)),
        "ptrace init": lambda: call(101, 16, 1, 0, 0),
        "read init's memory": lambda: open("/proc/1/mem", "rb").read(1),
        "read init's environment": lambda: open("/proc/1/environ").read() or 1 / 0,
        "kill init": lambda: os.kill(1, signal.SIGKILL),
        "kernel keyring": lambda: call(250, 0, -3, 1),
        "bpf": lambda: call(321, 0, 0, 0),
        "perf": lambda: call(298, 0, 0, -1, -1, 0),
        "io_uring": lambda: call(425, 8, 0),
        "open by handle": lambda: call(304, -100, 0, 0),
        "sysrq": lambda: write("/proc/sysrq-trigger", "h"),
        "sysctl": lambda: write("/proc/sys/kernel/core_pattern", "|/tmp/x"),
        "kernel log": lambda: open("/dev/kmsg").read(1),
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
        "raise descriptor limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100_000, 100_000)),
        "disks": lambda: glob.glob("/dev/sd*") + glob.glob("/dev/vd*") or 1 / 0,
    }
    return {name: attempt(action) for name, action in attempts.items()}
"""


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("host") / "secret"
    path.write_text("nobody's business")
    path.chmod(0o644)
    for parent in path.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    return path


def test_attacks_on_the_host(deploy, client, server, secret):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        event = {
            "secret": str(secret),
            "data": str(server.data),
            "port": server.port,
            "listener": listener.getsockname()[1],
        }
        name = deploy(packages.python(ATTACKER), Timeout=60, MemorySize=512)
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    results = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, results
    assert len(results) > 30
    succeeded = {name: result["value"] for name, result in results.items() if result["succeeded"]}
    assert succeeded == {}


NEIGHBOUR = r"""
import glob, os, socket, threading, time

SECRET = "in memory: " + "s3cr3t" * 3

def handler(event, context):
    if event["do"] == "hide":
        os.makedirs("/tmp/hidden", exist_ok=True)
        open("/tmp/hidden/file", "w").write("secret of the neighbour")
        with socket.socket(socket.AF_UNIX) as named, socket.socket() as tcp:
            named.bind("\0neighbour")
            named.listen()
            tcp.bind(("127.0.0.1", 7777))
            tcp.listen()
            time.sleep(event["seconds"])
        return "hid"
    found = {}
    found["files"] = glob.glob("/tmp/hidden/*")
    found["processes"] = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    found["variables"] = []
    for pid in found["processes"]:
        try:
            found["variables"] += [v for v in open(f"/proc/{pid}/environ").read().split("\0") if "NEIGHBOURS_SECRET" in v]
        except OSError:
            pass
    for name, address in {"abstract socket": (socket.AF_UNIX, "\0neighbour"), "tcp": (socket.AF_INET, ("127.0.0.1", 7777))}.items():
        try:
            with socket.socket(address[0]) as connection:
                connection.settimeout(2)
                connection.connect(address[1])
            found[name] = True
        except OSError:
            found[name] = False
    found["code"] = [path for path in glob.glob("/var/task/*")]
    return found
"""


def test_neighbours_do_not_see_each_other(deploy, client):
    hider = deploy(packages.package({"index.py": NEIGHBOUR, "only-mine": "x"}), Timeout=30, Environment={"Variables": {"NEIGHBOURS_SECRET": "mine"}})
    seeker = deploy(packages.python(NEIGHBOUR), Timeout=30)
    hiding = threading.Thread(target=lambda: client.invoke(FunctionName=hider, Payload=b'{"do": "hide", "seconds": 5}'))
    hiding.start()
    time.sleep(1.5)
    found = json.loads(client.invoke(FunctionName=seeker, Payload=b'{"do": "seek"}')["Payload"].read())
    hiding.join()
    assert found["files"] == [] and found["variables"] == [] and found["code"] == ["/var/task/index.py"]
    assert found["abstract socket"] is False and found["tcp"] is False
    # Only the sandbox's own init and the runtime.
    assert len(found["processes"]) <= 2


def test_a_fork_bomb_harms_nobody_else(deploy, client):
    code = """
import os, time
def handler(event, context):
    children = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            children += 1
    except OSError as error:
        return [children, error.errno]
"""
    name = deploy(packages.python(code), Timeout=30, MemorySize=1024)
    children, number = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    assert children <= 1024 and number == 11
    other = deploy(packages.python("def handler(event, context): return 'fine'\n"))
    assert json.loads(client.invoke(FunctionName=other)["Payload"].read()) == "fine"


def test_a_disk_bomb_fills_its_own_tmp(deploy, client):
    code = """
import os
def handler(event, context):
    written = 0
    try:
        with open("/tmp/bomb", "wb") as file:
            while written < 2 << 30:
                written += file.write(bytes(1 << 20))
                file.flush()
    except OSError as error:
        os.remove("/tmp/bomb")
        return [written >> 20, error.errno]
    return [written >> 20, 0]
"""
    name = deploy(packages.python(code), Timeout=60, MemorySize=512, EphemeralStorage={"Size": 512})
    megabytes, number = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    # What was asked for, and at the most what the file system's own tables need not after all.
    assert 512 <= megabytes <= 514 and number == 28, "no space left, and not counted as memory"


def test_descriptors_end_at_the_limit(deploy, client):
    code = """
import os
def handler(event, context):
    count = 0
    try:
        while True:
            os.dup(0)
            count += 1
    except OSError as error:
        number = error.errno
    os.closerange(10, 2000)
    return [count, number]
"""
    count, number = json.loads(client.invoke(FunctionName=deploy(packages.python(code)))["Payload"].read())
    assert 900 < count <= 1024 and number == 24


def test_nothing_runs_on_after_a_timeout(deploy, client, server):
    """A daemon that left its session dies with the environment's processes."""
    code = """
import os, time
def handler(event, context):
    if event.get("look"):
        return [open(f"/proc/{pid}/comm").read().strip() for pid in os.listdir("/proc") if pid.isdigit()]
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(120)
        os._exit(0)
    time.sleep(60)
"""
    name = deploy(packages.python(code), Timeout=1)
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    assert json.loads(answer["Payload"].read())["errorType"] == "Sandbox.Timedout"
    names = json.loads(client.invoke(FunctionName=name, Payload=b'{"look": true}')["Payload"].read())
    assert len(names) <= 2, names


def test_named_pipes(deploy, client):
    """What is no device can be made, as on AWS."""
    code = """
import os, stat
def handler(event, context):
    os.mkfifo("/tmp/pipe")
    reader = os.open("/tmp/pipe", os.O_RDONLY | os.O_NONBLOCK)
    with open("/tmp/pipe", "w") as writer:
        writer.write("through")
    os.mknod("/tmp/file")
    return [os.read(reader, 100).decode(), stat.S_ISREG(os.stat("/tmp/file").st_mode)]
"""
    assert json.loads(client.invoke(FunctionName=deploy(packages.python(code)))["Payload"].read()) == ["through", True]
