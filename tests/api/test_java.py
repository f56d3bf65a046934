"""Java functions: what they return, throw, log and find around them, with the runtime client that the server brings."""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import zipfile

import pytest

import packages
from conftest import ISOLATION
from server import ACCOUNT, REGION, REPOSITORY, TOOLS, wait_until

SOURCES = REPOSITORY / "runtimes/java"
CLIENT = SOURCES / "client/rushlight-runtime.jar"

pytestmark = pytest.mark.skipif(not shutil.which("javac"), reason="no compiler for Java: ./dev test installs it")


def compiled(directory, name):
    """The classes of functions/NAME as {path: content}."""
    sources = sorted((packages.FUNCTIONS / name).rglob("*.java"))
    options = ["--release", "8", "-Xlint:-options", "-cp", CLIENT, "-d", directory]
    subprocess.run(["javac", *options, *sources], check=True, timeout=120)
    return {str(path.relative_to(directory)): path.read_bytes() for path in pathlib.Path(directory).rglob("*.class")}


class Java:
    def __init__(self, server, deployer, runtime, directory):
        self.server, self.client, self.deployer, self.runtime = server, server.client(), deployer(server), runtime
        self.classes = compiled(directory / "classes", "java")
        self.jar = packages.package(self.classes)

    def deploy(self, handler="example.Functions", files=None, **settings):
        settings = {"MemorySize": 512, "Timeout": 20} | settings
        return self.deployer(packages.package(self.classes if files is None else files), runtime=self.runtime, handler=handler, **settings)

    def invoke(self, function, event, **more):
        answer = self.client.invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail", **more)
        tail = base64.b64decode(answer["LogResult"]).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null"), tail

    def log(self, function, last="REPORT"):
        read = lambda: [event["message"] for event in self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]]  # noqa: E731,E501
        wait_until(lambda: any(last in line for line in read()), what="the report")
        return read()


@pytest.fixture(scope="module")
def versions(machine):
    found = [name for name in ("java8.al2", "java11", "java17", "java21", "java25") if machine[name]["status"] == "found"]
    if not found:
        pytest.skip("no Java on this machine: ./dev test installs it")
    return found


@pytest.fixture(scope="module")
def java(serve, deployer, versions, tmp_path_factory):
    server = serve("--isolation", ISOLATION)
    yield Java(server, deployer, versions[0], tmp_path_factory.mktemp("java"))
    assert "panicked" not in server.log.read_text(errors="replace")
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(java):
    return java.deploy()


def test_the_client_is_made_of_its_sources(tmp_path):
    """What is committed is what a compiler makes of it."""
    subprocess.run([SOURCES / "build.sh", tmp_path / "made.jar"], check=True, timeout=120)
    committed, made = zipfile.ZipFile(CLIENT), zipfile.ZipFile(tmp_path / "made.jar")
    assert sorted(committed.namelist()) == sorted(made.namelist())
    for name in committed.namelist():
        assert committed.read(name) == made.read(name), f"{name}: run runtimes/java/build.sh"


def test_an_event_and_its_result(java, function):
    event = {"a": [1, 2.5, "ü\u2603\"\\\n", None, True, 12345678901234567890], "b": {"c": {}}, "d": -0.5, "e": 10**12}
    error, result, tail = java.invoke(function, event)
    assert (error, result) == (None, event) and "Init Duration" in tail
    # The same process goes on.
    assert "Init Duration" not in java.invoke(function, {})[2]


def test_every_version(java, versions):
    for version in versions:
        name = java.deployer(java.jar, runtime=version, handler="example.Functions", MemorySize=512, Timeout=20)
        found = java.invoke(name, {"do": "property", "name": "java.specification.version"})[1]
        assert found == {"java8.al2": "1.8"}.get(version, version.removeprefix("java"))
        assert java.invoke(name, {"do": "environment"})[1]["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{version}"


@pytest.mark.parametrize(
    "handler, event, result",
    [
        ("example.Functions$Streams", {"any": ["thing", 1]}, {"any": ["thing", 1]}),
        ("example.Functions::handleRequest", {"x": 1}, {"x": 1}),
        ("example.Functions::length", "four", 4),
        ("example.Functions::nothing", {}, None),
        ("example.Functions::doubled", [1, 2], [2, 4]),
        (
            "example.Functions::order",
            {"orderId": "1", "lines": [{"item": "a", "price": 1.5}], "counts": {"a": 2}, "kind": "LARGE", "paid": True, "unknown": {}},
            {"orderId": "1", "lines": [{"item": "a", "price": 2.5}], "counts": {"a": 2}, "kind": "LARGE", "paid": True},
        ),
    ],
)
def test_handlers_of_every_kind(java, handler, event, result):
    assert java.invoke(java.deploy(handler), event)[:2] == (None, result)


def test_libraries(java):
    """The code as an archive among its libraries, as build tools package it."""
    assert java.invoke(java.deploy(files={"lib/function.jar": java.jar}), {"x": 1})[:2] == (None, {"x": 1})


def test_the_environment(java, function):
    found = java.invoke(function, {"do": "environment"})[1]
    assert found["_HANDLER"] == "example.Functions" and found["LAMBDA_TASK_ROOT"] == "/var/task"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512" and found["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert 400 < java.invoke(function, {"do": "memory-limit"})[1] <= 436


def test_the_context(java, function):
    given = {"client": {"app_title": "title"}, "custom": {"a": "b"}, "env": {}}
    context = base64.b64encode(json.dumps(given).encode()).decode()
    found = java.invoke(function, {"do": "context"}, ClientContext=context)[1]
    assert (found["name"], found["version"], found["memory"]) == (function, "$LATEST", 512)
    assert found["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert re.fullmatch(r"[0-9a-f-]{36}", found["request"]) and 0 < found["remaining"] <= 20_000
    assert found["group"] == f"/aws/lambda/{function}" and "[$LATEST]" in found["stream"]
    assert (found["custom"], found["title"]) == ({"a": "b"}, "title") and found["trace"].startswith("Root=1-")


def test_what_is_thrown(java, function):
    error, payload, tail = java.invoke(function, {"do": "raise"})
    trace = payload.pop("stackTrace")
    assert (error, payload) == ("Unhandled", {"errorMessage": "as asked", "errorType": "java.lang.IllegalArgumentException"})
    # The second is what the compiler makes for the interface.
    assert len(trace) == 2 and all(re.fullmatch(r"example\.Functions\.handleRequest\(Functions\.java:\d+\)", line) for line in trace)
    assert "as asked: java.lang.IllegalArgumentException\njava.lang.IllegalArgumentException: as asked\n" in tail
    assert "Caused by: java.lang.IllegalStateException: the cause" in tail
    # The process goes on.
    assert "Init Duration" not in java.invoke(function, {})[2]


@pytest.mark.parametrize(
    "handler, variables, kind, message",
    [
        ("example.Missing", {}, "java.lang.ClassNotFoundException", "Class not found: example.Missing"),
        ("example.Functions::absent", {}, None, "No public method named absent with appropriate method signature found on class example.Functions"),
        ("example.Functions::hidden", {}, None, "No public method named hidden with appropriate method signature found on class example.Functions"),
        ("::b", {}, None, "Invalid handler: `::b'"),
        ("example.Functions", {"FAIL": "class"}, "java.lang.ExceptionInInitializerError", "Error loading class example.Functions"),
        ("example.Functions", {"FAIL": "constructor"}, "java.lang.IllegalStateException", "Error loading class example.Functions: in the constructor"),
    ],
)
def test_what_cannot_be_loaded(java, handler, variables, kind, message):
    name = java.deploy(handler, Environment={"Variables": variables})
    error, payload, _ = java.invoke(name, {})
    assert (error, payload["errorMessage"], payload.get("errorType")) == ("Unhandled", message, kind)


def test_ends_of_the_process(java):
    function = java.deploy(MemorySize=192, Timeout=5)
    error, payload, _ = java.invoke(function, {"do": "exit"})
    assert payload["errorType"] == "Runtime.ExitError" and payload["errorMessage"].endswith("exit status 7")
    error, payload, _ = java.invoke(function, {"do": "sleep"})
    assert payload["errorType"] == "Sandbox.Timedout"
    error, payload, _ = java.invoke(function, {"do": "memory"})
    assert error == "Unhandled" and payload["errorType"] in ("java.lang.OutOfMemoryError", "Runtime.OutOfMemory")
    assert java.invoke(function, {"x": 1})[:2] == (None, {"x": 1})


def test_results_of_every_size(java, function):
    assert len(java.invoke(function, {"do": "large", "bytes": 5_000_000})[1]) == 5_000_000
    error, payload, _ = java.invoke(function, {"do": "large", "bytes": 7_000_000})
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    event = {"text": "x" * 5_000_000}
    assert java.invoke(function, event)[1] == event


def test_what_is_logged(java):
    name = java.deploy()
    assert java.invoke(name, {"do": "say"})[1] == "said"
    log = java.log(name)
    assert {"initialised", "printed", "to the other"} <= {line.rstrip("\n") for line in log}
    assert {"two\nlines", "[DEBUG] quiet", "[ERROR] loud"} <= set(log)


def test_logs_as_objects(java):
    name = java.deploy(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    assert java.invoke(name, {"do": "say"})[1] == "said"
    log = java.log(name, "platform.report")
    request = next(json.loads(line)["record"]["requestId"] for line in log if "platform.start" in line)
    (loud,) = [json.loads(line) for line in log if "loud" in line]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{3}Z", loud.pop("timestamp"))
    assert loud == {"message": "loud", "level": "ERROR", "AWSRequestId": request}
    assert not [line for line in log if "quiet" in line]
    java.invoke(name, {"do": "raise"})
    wait_until(lambda: any("as asked" in line and json.loads(line)["level"] == "ERROR" for line in java.log(name, "platform.report")), what="the failure")


def test_a_layer_a_wrapper_and_an_agent(java, tmp_path):
    manifest = "Manifest-Version: 1.0\nPremain-Class: agent.Agent\n\n"
    agent = packages.package({"META-INF/MANIFEST.MF": manifest} | compiled(tmp_path / "agent", "java-agent"))
    layer = packages.package({
        "java/lib/of-layer.jar": packages.package(compiled(tmp_path / "layer", "java-layer")), "agent.jar": agent,
        "wrapper": "#!/bin/sh\nexport WRAPPED=\"$(basename $1)\"\nexec \"$@\"\n",
    })  # fmt: skip
    arn = java.client.publish_layer_version(LayerName="java", Content={"ZipFile": layer})["LayerVersionArn"]
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper", "JAVA_TOOL_OPTIONS": "-javaagent:/opt/agent.jar=was-here"}
    name = java.deploy(Layers=[arn], Environment={"Variables": variables})
    assert java.invoke(name, {"do": "layer"})[:2] == (None, "of the layer")
    assert java.invoke(name, {"do": "environment"})[1]["WRAPPED"] == "java"
    assert java.invoke(name, {"do": "property", "name": "agent"})[1] == "was-here true"


# Against AWS' own client.

AWS_CLIENT = TOOLS / "aws-java-client/jars"
# Started in place of ours, with all that ours is given.
INSTEAD = """#!/bin/sh
exec /var/lang/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --add-opens=java.base/java.io=ALL-UNNAMED \\
  --add-opens=java.base/java.util=ALL-UNNAMED -cp "/opt/aws/*" \\
  com.amazonaws.services.lambda.runtime.api.client.AWSLambda "$_HANDLER"
"""
ORDER = {"orderId": "1", "lines": [{"item": "a", "price": 1.5}], "counts": {"a": 2}, "kind": "LARGE", "paid": True, "other": {}}
SCENARIOS = {
    "example.Functions": [
        {"a": [1, 2.5, "ü\u2603\"\\\n", None, True, -0.5, 10**12], "b": {"c": {}}, "n": None}, {"do": "raise"}, {"do": "say"}, {"do": "exit"},
        "text", "", 5, [], {"do": "large", "bytes": 5_000_000},
    ],
    "example.Functions::order": [ORDER, {"lines": []}, {"kind": "NONE"}, "", [], {"lines": "", "counts": []}, {"counts": {"a": "3"}, "lines": [{}]}],
    "example.Functions::length": ["four", 12, {}],
    "example.Functions::doubled": [[1, 2], [], ["3"], {}],
    "example.Functions::nothing": [{}],
    "example.Functions$Streams": [{"a": 1}, "text"],
    "example.Functions::absent": [{}],
    "example.Missing": [{}],
    "a::b::c": [{}],
    "a::": [{}],
}  # fmt: skip


@pytest.fixture(scope="module")
def instead(java):
    """A layer with AWS' client and a wrapper that starts it."""
    if not AWS_CLIENT.is_dir():
        pytest.skip("AWS' client for Java is not here: ./dev test fetches it")
    files = {f"aws/{path.name}": path.read_bytes() for path in AWS_CLIENT.glob("*.jar")}
    layer = packages.package(files | {"instead": INSTEAD})
    return java.client.publish_layer_version(LayerName="aws-java", Content={"ZipFile": layer})["LayerVersionArn"]


def told(java, function, events, is_json):
    """What callers and the log are told, without what differs from one run to the next."""
    answers = [json.loads(ID.sub("<id>", json.dumps(java.invoke(function, event)[:2]))) for event in events]
    log = java.log(function, "platform.report" if is_json else "REPORT")
    said = [line for line in log if not re.match(r"(START|END|REPORT|INIT)|\{\"time\"", line)]
    return answers, [normal(line) for line in said]


ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def normal(line):
    line = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>", ID.sub("<id>", line))
    if not line.startswith("{"):
        if line.startswith("An error occurred during JSON parsing"):
            # What is wrong with it has other words in each.
            return line.splitlines()[:2]
        # How the class was looked for.
        return [part for part in line.splitlines() if not re.match(r"\tat (java|jdk|rushlight|com\.amazonaws)", part)]
    entry = json.loads(line)
    if re.match("No public|Class not|Invalid handler", entry["message"]):
        # AWS' client leaves out of these whose invocation it was.
        entry.pop("AWSRequestId", None)
    return entry | {"message": normal(entry["message"])}


@pytest.mark.parametrize("handler, is_json", [(handler, False) for handler in SCENARIOS] + [("example.Functions", True), ("example.Missing", True)])
def test_as_the_client_of_aws(java, instead, handler, is_json):
    settings = {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}} if is_json else {}
    ours = java.deploy(handler, **settings)
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/instead"}
    theirs = java.deploy(handler, Layers=[instead], Environment={"Variables": variables}, **settings)
    mine, other = (told(java, function, SCENARIOS[handler], is_json) for function in (ours, theirs))
    for event, answer, expected in zip(SCENARIOS[handler], mine[0], other[0], strict=True):
        assert answer == expected, event
    # Standard output and standard error are two pipes: which line of which comes first is chance, the order in each is not.
    on_error = lambda lines: [line for line in lines if line == ["to the other"]]  # noqa: E731
    on_output = lambda lines: [line for line in lines if line != ["to the other"]]  # noqa: E731
    assert on_output(mine[1]) == on_output(other[1]) and on_error(mine[1]) == on_error(other[1])
