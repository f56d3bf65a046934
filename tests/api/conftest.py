import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import conformance
import golden as golden_files
import identities
import images
import leftovers
import packages
import server as rushlight
from server import ROLE, Server, unique, wait_until

ROOT = os.geteuid() == 0


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the files in golden/ anew")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("root") and not ROOT:
        pytest.skip("needs root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test also fails when an answer that it got is not as the service model has it."""
    result = yield
    findings = conformance.take_findings()
    assert not findings, "answers that are not as the model has them:\n" + "\n".join(dict.fromkeys(findings))
    return result


@pytest.fixture(scope="session")
def golden(request):
    return golden_files.Golden(request.config.getoption("--update-golden"))


# Servers. Each has a data directory of its own, and after it was stopped nothing of it may be left on the machine.


@pytest.fixture(scope="session")
def directories():
    """Makes directories for servers; at the end of the session checks the machine and removes them."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="rushlight-tests-"))
    base.chmod(0o755)
    count = 0

    def make():
        nonlocal count
        count += 1
        directory = base / f"server-{count}"
        directory.mkdir()
        return directory

    yield make
    assert_nothing_left(base)
    shutil.rmtree(base)


def assert_nothing_left(directory):
    nothing = {"processes": [], "mounts": [], "loop devices": []}

    def left():
        found = leftovers.all_of(directory)
        return None if found == nothing else found

    try:
        wait_until(lambda: left() is None, timeout=10, what="that nothing is left")
    except AssertionError:
        assert left() == nothing


class Watched(Server):
    """A server that is held against what it leaves behind each time it is stopped."""

    def stop(self, *arguments, **options):
        if self.process is None:
            return None
        children = leftovers.children_of(self.process.pid)
        name = leftovers.instance(self.data)
        try:
            return super().stop(*arguments, **options)
        finally:
            wait_until(lambda: not leftovers.alive(children), timeout=10, what="that all processes of the server end")
            wait_until(lambda: not leftovers.named(name), timeout=10, what="that control groups and networks go")

    def kill(self):
        """kill -9: what the kernel does not clean up by itself is for the next start to remove."""
        Server.stop(self, 9)


@pytest.fixture(scope="session")
def serve(directories):
    """Starts a server with these flags. The caller stops it, or the end of the session does."""
    started = []

    def start(*flags, directory=None, **options):
        instance = Watched(directory or directories(), *flags, **options)
        started.append(instance)
        return instance.start()

    yield start
    for instance in started:
        if instance.process is not None:
            instance.stop()


ISOLATION = "sandbox" if ROOT else "rootless"


@pytest.fixture(scope="session")
def images_at_hand(tmp_path_factory):
    """A directory with an image in it that nobody runs, for both architectures: `localhost/team/app:latest`."""
    directory = tmp_path_factory.mktemp("images")
    layout = images.Layout(directory / "team/app")
    layout.add("latest", [images.layer({"app": "#!/bin/sh\n"})], ("amd64", "arm64"), Cmd=["/app"])
    return directory


@pytest.fixture(scope="session")
def server(serve, images_at_hand):
    """The enforcing server that most tests share."""
    instance = serve("--isolation", ISOLATION, "--auth", "enforce", "--image-directory", str(images_at_hand))
    yield instance
    assert instance.running(), f"the server died\n{instance.log_tail()}"
    # Tests offend, the server must not panic.
    assert "panicked" not in instance.log.read_text(errors="replace"), instance.log_tail(200)
    assert instance.stop() == 0


@pytest.fixture(scope="module")
def permissive(serve):
    instance = serve("--isolation", "none", "--auth", "permissive")
    yield instance
    instance.stop()


@pytest.fixture(scope="session")
def guarded(serve):
    """A server whose account has roles, and so asks for them: that of the others has none."""
    instance = serve("--isolation", ISOLATION, "--auth", "enforce")
    iam = instance.client("iam")
    iam.create_role(RoleName="service", AssumeRolePolicyDocument=identities.TRUST)
    reads_queues = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    iam.attach_role_policy(RoleName="service", PolicyArn=reads_queues)
    yield instance
    assert "panicked" not in instance.log.read_text(errors="replace"), instance.log_tail(200)
    assert instance.stop() == 0


@pytest.fixture(scope="session")
def iam(guarded):
    return guarded.client("iam")


@pytest.fixture(scope="session")
def sts(guarded):
    return guarded.client("sts")


@pytest.fixture
def user(guarded, iam):
    return identities.User(guarded, iam, unique("user"))


@pytest.fixture(scope="session")
def client(server):
    return server.client()


@pytest.fixture(scope="session")
def unchecked(server):
    """A client that sends what it is told without checking it first."""
    return server.client(validate=False)


@pytest.fixture(scope="session")
def at_isolation(serve, directories, deployer, unprivileged):
    """Runs a server at a level of isolation, as root or as another user, and yields it with a deployer for it."""

    @contextlib.contextmanager
    def run(level, *flags, unprivileged_user=False):
        directory, options = directories(), {}
        if unprivileged_user:
            # With a directory of its own, and the binary where that user may read it.
            os.chown(directory, unprivileged, -1)
            binary = directory / "rushlight"
            shutil.copy(rushlight.BINARY, binary)
            binary.chmod(0o755)
            options = {"user": unprivileged, "binary": binary, "environment": {"HOME": str(directory)}}
        instance = serve("--isolation", level, *flags, directory=directory, **options)
        deploy = deployer(instance)
        yield instance, deploy
        if not instance.running():
            return
        deploy.remove()
        assert "panicked" not in instance.log.read_text(errors="replace"), instance.log_tail(100)
        assert instance.stop() == 0

    return run


@pytest.fixture
def recorded(server):
    """A client as `unchecked`, and what keeps the last answer that it got."""
    client = server.client(validate=False)
    return client, golden_files.Recorder(client)


@pytest.fixture(scope="session")
def machine():
    return rushlight.runtimes()


def _first(machine, prefix):
    found = [name for name, listing in machine.items() if name.startswith(prefix) and listing["status"] == "found"]
    # Deprecated identifiers still run, but new ones are what users choose.
    supported = [name for name in found if name not in ("nodejs16.x", "nodejs18.x", "python3.8", "python3.9", "python3.10")]
    if not found:
        pytest.skip(f"no {prefix} interpreter on this machine")
    return (supported or found)[0]


@pytest.fixture(scope="session")
def python_runtime(machine):
    return _first(machine, "python")


@pytest.fixture(scope="session")
def node_runtime(machine):
    return _first(machine, "nodejs")


class Deployer:
    """Creates functions and removes them again."""

    def __init__(self, server, python_runtime):
        self.server = server
        self.client = server.client()
        self.python_runtime = python_runtime
        self.names = []

    def __call__(self, package=None, *, name=None, client=None, wait=True, runtime=None, handler="index.handler", **settings):
        client = client or self.client
        name = name or unique("test")
        settings.setdefault("Role", ROLE)
        client.create_function(
            FunctionName=name,
            Runtime=runtime or self.python_runtime,
            Handler=handler,
            Code={"ZipFile": packages.probe() if package is None else package},
            **settings,
        )
        self.names.append((client, name))
        if wait:
            self.wait(name, client)
        return name

    def wait(self, name, client=None):
        client = client or self.client

        def settled():
            configuration = client.get_function_configuration(FunctionName=name)
            return configuration["State"] != "Pending" and configuration.get("LastUpdateStatus") != "InProgress"

        wait_until(settled, what=f"that {name} is active")

    def remove(self):
        if not self.server.running():
            return
        for client, name in self.names:
            try:
                client.delete_function(FunctionName=name)
            except client.exceptions.ResourceNotFoundException:
                pass


@pytest.fixture(scope="module")
def deploy(server, python_runtime):
    deployer = Deployer(server, python_runtime)
    yield deployer
    deployer.remove()


@pytest.fixture(scope="session")
def deployer(python_runtime):
    """A deployer for another server than the shared one."""
    return lambda instance: Deployer(instance, python_runtime)


@pytest.fixture(scope="module")
def probe(deploy):
    """Calls a deployed functions/probe.py: probe("echo", ...) returns what it returned."""
    return Probe(deploy.client, deploy(Timeout=30, MemorySize=256))


class Probe:
    def __init__(self, client, name):
        self.client = client
        self.name = name

    def answer(self, action, **event):
        return self.client.invoke(FunctionName=self.name, Payload=json.dumps({"do": action} | event), LogType="Tail")

    def __call__(self, action, **event):
        answer = self.answer(action, **event)
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload


@pytest.fixture(scope="session")
def unprivileged():
    """An account without privileges, to run a server as."""
    if not ROOT:
        return None
    try:
        done = subprocess.run(["id", "-u", "nobody"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no user nobody")
    return int(done.stdout)
