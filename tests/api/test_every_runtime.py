"""One table of scenarios for every version of Python, Node.js and Ruby that is here, of either architecture. Other languages
have tests of their own: test_java, test_dotnet, test_go, test_rust_function, and test_architectures for arm64."""

import base64
import json
import os
import platform

import pytest

import packages
from conftest import ISOLATION, ROOT
from server import ACCOUNT, REGION, TOOLS, runtimes, wait_until
from test_aws_runtime_clients import interpreters

FAMILIES = ("python", "nodejs", "ruby")
NATIVE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
EMULATOR = TOOLS / "emulator/usr/bin"


def here():
    """Runtimes, with `/arm64` those of the other architecture, and what they are run on where the server does not find it."""
    found = {name: None for name, listing in runtimes().items() if listing["status"] == "found" and name.startswith(FAMILIES)}
    found |= {f"nodejs{version}.x": path for version, path in interpreters.nodejs_interpreters().items()}
    roots = {name: TOOLS / "roots" / name for name in ("python3.14", "ruby3.3")}
    if NATIVE == "x86_64" and (EMULATOR / "qemu-aarch64-static").exists():
        roots |= {f"{name}/arm64": TOOLS / f"roots/{name}-arm64" for name in ("python3.13", "nodejs20.x", "ruby3.3")}
    return found | {name: path for name, path in roots.items() if ROOT and path.exists()}


HERE = here()
LAYERS = {
    "python": {"python/of_layer.py": "NAME = 'the layer'\n"},
    "nodejs": {
        "nodejs/node_modules/of-layer/package.json": '{"name": "of-layer", "main": "index.js"}',
        "nodejs/node_modules/of-layer/index.js": "module.exports = 'the layer';\n",
    },
    "ruby": {"ruby/lib/of_layer.rb": "OF_LAYER = 'the layer'\n"},
}
WRAPPER = {"wrap": "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n"}
SOURCES = {"python": "scenarios.py", "nodejs": "scenarios.mjs", "ruby": "scenarios.rb"}
ERRORS = {
    "python": ("KeyError", "'as asked'", "RuntimeError"),
    "nodejs": ("RangeError", "as asked", "Error"),
    "ruby": ("Function<KeyError>", "as asked", "Init<RuntimeError>"),
}


def test_which_are_here():
    """What `./dev test` can have: a table with fewer rows shows less than it says."""
    assert len([name for name in HERE if name.startswith("python")]) >= 3 and any(name.startswith("nodejs") for name in HERE)
    if ROOT and NATIVE == "x86_64":
        assert {"ruby3.3", "python3.13/arm64", "nodejs20.x/arm64", "ruby3.3/arm64"} <= set(HERE)


class Scenarios:
    def __init__(self, server, deployer, runtime):
        self.server, self.client, self._deploy = server, server.client(), deployer(server)
        self.runtime, _, architecture = runtime.partition("/")
        self.architecture = architecture or NATIVE
        self.is_emulated = self.architecture != NATIVE
        self.family = next(family for family in FAMILIES if runtime.startswith(family))
        source = SOURCES[self.family]
        self.files = {f"index.{source.rsplit('.')[1]}": packages.source(source)}
        layer = packages.package(LAYERS[self.family] | WRAPPER)
        arn = self.client.publish_layer_version(LayerName=runtime.translate({ord(sign): "-" for sign in "./"}), Content={"ZipFile": layer})["LayerVersionArn"]
        self.layers = [arn]
        self.name = self.deploy()

    def deploy(self, **settings):
        settings = {"Layers": self.layers, "Timeout": 10, "MemorySize": 256, "Architectures": [self.architecture]} | settings
        return self._deploy(packages.package(self.files), runtime=self.runtime, **settings)

    def __call__(self, do=None, name=None, **event):
        answer = self.client.invoke(FunctionName=name or self.name, Payload=json.dumps({"do": do} | event), LogType="Tail")
        self.tail = base64.b64decode(answer["LogResult"]).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def server(serve):
    flags = [flag for name, path in HERE.items() if path for flag in ("--runtime", f"{name}={path}")]
    instance = serve("--isolation", ISOLATION, *flags, environment={"PATH": f"{EMULATOR}:{os.environ['PATH']}"})
    yield instance
    assert instance.stop() == 0


@pytest.fixture(scope="module", params=sorted(HERE))
def run(server, deployer, request):
    return Scenarios(server, deployer, request.param)


def test_events_context_and_environment(run):
    event = {"do": None, "a": [1, 2.5, "\u2603\u0000\"", None, True, {}]}
    error, found = run(a=event["a"])
    assert error is None and found["event"] == event
    assert run.runtime in (f"{run.family}{found['runtime']}", f"{run.family}{found['runtime']}.x")
    assert found["machine"] == {"x86_64": "x86_64", "arm64": "aarch64"}[run.architecture]
    assert (found["name"], found["version"], found["memory"]) == (run.name, "$LATEST", 256)
    assert found["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{run.name}"
    assert found["group"] == f"/aws/lambda/{run.name}" and "[$LATEST]" in found["stream"] and 5000 < found["remaining"] <= 10000
    environment = found["environment"]
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{run.runtime}" and environment["_HANDLER"] == "index.handler"
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "_X_AMZN_TRACE_ID", "TZ"} <= set(environment)
    again = run()[1]
    assert again["request"] != found["request"] and again["stream"] == found["stream"]


def test_errors(run):
    kind, message, init = ERRORS[run.family]
    error, body = run("raise")
    assert error == "Unhandled" and (body["errorType"], body["errorMessage"]) == (kind, message)
    assert any("index" in line for line in body.get("stackTrace") or body["trace"])
    assert kind in run.tail and run()[0] is None
    error, body = run(name=run.deploy(Environment={"Variables": {"FAIL": "yes"}}))
    assert error == "Unhandled" and (body["errorType"], body["errorMessage"]) == (init, "as asked")


def test_ends_of_the_process(run):
    assert run("exit")[1]["errorType"] == "Runtime.ExitError"
    assert run()[0] is None
    error, body = run("sleep", name=run.deploy(Timeout=1))
    assert body["errorMessage"].endswith("Task timed out after 1.00 seconds") and body["errorType"] == "Sandbox.Timedout"
    assert run("memory", name=run.deploy(MemorySize=128))[1]["errorType"] == "Runtime.OutOfMemory"


def test_payloads_of_every_size(run):
    assert run("large", size=6_000_000) == (None, "x" * 6_000_000)
    assert run("large", size=7_000_000)[1]["errorType"] == "Function.ResponseSizeTooLarge"
    # Several times: the next event may come in one piece with the answer to a result, and in pieces of its own.
    for size in (5_900_000, 70_000, 5_900_000, 200_000, 5_900_000):
        error, found = run(padding="y" * size)
        assert error is None and found["event"]["padding"] == "y" * size, found


def test_logs(run):
    run("say")
    lines = run.tail.splitlines()
    assert "printed" in lines and any("logged" in line and line.upper().count("INFO") for line in lines)
    if run.family == "ruby":
        return  # JSON comes with Ruby 4.0, as on AWS.
    name = run.deploy(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    request = run("say", name=name)[1]["request"]
    read = lambda: [event["message"] for event in run.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]  # noqa: E731,E501
    wait_until(lambda: any("platform.report" in line for line in read()))
    logged = next(json.loads(line) for line in read() if line.startswith("{") and '"logged"' in line)
    assert logged["level"] == "INFO" and request in (logged.get("requestId"), logged.get("AWSRequestId")) and "timestamp" in logged


def test_layers(run):
    assert run("layer") == (None, "the layer")


def test_wrappers(run):
    name = run.deploy(Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}})
    assert run(name=name)[1]["environment"]["WRAPPED"] == "yes"
    missing = run.deploy(Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/absent"}})
    assert run(name=missing)[1]["errorMessage"].endswith("Runtime exited with error: exit status 127")
