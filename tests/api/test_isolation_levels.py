"""The same server at each level of isolation: functions run, fail, time out and leave nothing behind at all of them."""

import json
import signal

import pytest

import leftovers
import packages
from server import wait_until


@pytest.fixture(scope="module", params=["none", "rootless", "rootless as root"])
def level(request, at_isolation, unprivileged):
    """A server at this level, and a deployer for it."""
    if request.param == "rootless as root" and unprivileged is None:
        pytest.skip("needs root")
    other = request.param == "rootless" and unprivileged is not None
    with at_isolation(request.param.split(" ")[0], unprivileged_user=other) as running:
        yield running


def payload(answer):
    return json.loads(answer["Payload"].read())


def invoke(deploy, name, event):
    return deploy.client.invoke(FunctionName=name, Payload=json.dumps(event))


def test_python_and_its_failures(level):
    _, deploy = level
    name = deploy(Timeout=2)
    assert payload(invoke(deploy, name, {"a": "ü"})) == {"a": "ü"}
    first, second = (payload(invoke(deploy, name, {"do": "who"})) for _ in range(2))
    assert first["environment"] == second["environment"]
    assert payload(invoke(deploy, name, {"do": "raise", "text": "no"}))["errorMessage"] == "no"
    assert payload(invoke(deploy, name, {"do": "exit", "status": 3}))["errorType"] == "Runtime.ExitError"
    assert payload(invoke(deploy, name, {"do": "sleep", "seconds": 60}))["errorType"] == "Sandbox.Timedout"
    assert payload(invoke(deploy, name, {"a": 1})) == {"a": 1}


def test_custom_runtime(level):
    _, deploy = level
    if packages.compiled() is None:
        pytest.skip("no Rust compiler")
    name = deploy(packages.compiled(), runtime="provided.al2023")
    answer = invoke(deploy, name, {"name": "you"})
    assert "FunctionError" not in answer, payload(answer)


def test_files_of_another_function(level):
    """Where there is isolation, one function's code and files are out of another's reach."""
    instance, deploy = level
    if "none" in instance.flags:
        pytest.skip("--isolation none protects from nothing, and says so")
    secret = "a secret of the neighbour"
    neighbour = deploy(packages.package({"index.py": f"SECRET = {secret!r}\ndef handler(event, context): return open('/tmp/s', 'w').write(SECRET)\n"}))
    invoke(deploy, neighbour, {})
    # What hangs when it is read is not where secrets are: regular files, and what /proc tells of processes.
    code = (
        "import glob, stat\n"
        "found, looked = [], 0\n"
        "def look(path):\n"
        "    global looked\n"
        "    try: content = open(path, 'rb').read(100000)\n"
        "    except OSError: return\n"
        "    looked += 1\n"
        "    if b'of the neighbour' in content: found.append(path)\n"
        f"for start in ('/tmp', '/var', '/opt', '/root', '/home', {str(instance.data)!r}):\n"
        "    for base, _, files in os.walk(start):\n"
        "        for path in (os.path.join(base, file) for file in files):\n"
        "            try: regular = stat.S_ISREG(os.stat(path).st_mode)\n"
        "            except OSError: continue\n"
        "            if regular: look(path)\n"
        "for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/root/tmp/*'):\n"
        "    if '/root/tmp' not in path or os.path.isfile(path): look(path)\n"
        "result = (found, looked > 0)\n"
    )
    # The attacker's own request holds the words too, so they are put together where they are looked for.
    code = code.replace("b'of the neighbour'", "bytes(reversed(b'ruobhgien eht fo'))")
    name = deploy(Timeout=60, MemorySize=512)
    assert payload(invoke(deploy, name, {"do": "attempt", "code": code})) == {"done": "([], True)"}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_the_end(level, ending):
    instance, deploy = level
    name = deploy(Timeout=30)
    # A session of its own, so that no signal to the function's reaches it.
    invoke(deploy, name, {"do": "spawn", "seconds": 600})
    children = leftovers.children_of(instance.process.pid)
    assert instance.stop(ending) == (0 if ending == signal.SIGTERM else -ending)
    wait_until(lambda: not leftovers.alive(children), timeout=10, what="that all processes end")
    instance.start()
    deploy.client = instance.client()
    deploy.names = [(deploy.client, name) for _, name in deploy.names]
    assert payload(invoke(deploy, name, "after")) == "after"


def test_the_warning_of_none(level):
    instance, _ = level
    if "none" not in instance.flags:
        pytest.skip("only --isolation none warns")
    assert "WARNING: --isolation none" in instance.log.read_text()


@pytest.mark.root
def test_what_is_looked_for_after_a_stop_is_there_before(server, deploy):
    """Else the search for leftovers, which each stop of a server ends with, would find nothing whatever was left."""
    deploy.client.invoke(FunctionName=deploy(), Payload=b"{}")
    name = leftovers.instance(server.data)
    found = leftovers.named(name)
    assert any(path.startswith("/sys/fs/cgroup") for path in found), found
    assert any(line.startswith("table ") for line in found), found
    assert leftovers.processes_of(server.data) and leftovers.mounts_of(server.data)
    assert leftovers.alive(leftovers.children_of(server.process.pid))
