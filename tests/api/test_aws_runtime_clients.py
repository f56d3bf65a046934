"""AWS' own runtime clients and ours through the whole server: the same code as a function of a managed runtime, with our
client, and as one of an OS-only runtime, with AWS' client out of a layer. Neither callers nor logs may tell them apart.

tests/runtime-clients holds the clients alone against each other, in far more detail; its functions are used here too.

What follows from the identifier of the runtime, and is made alike before or in the comparison:

| | managed runtime | OS-only runtime |
|---|---|---|
| AWS_EXECUTION_ENV, and Node.js' flags and NODE_PATH | are the runtime's | are set by the layer's bootstrap |
| the interpreter | is mounted at /var/lang | is that of the machine |
| INIT_START | has the runtime's version | has another one |
| the log descriptor | is there: an event may have several lines, and comes by another pipe than what is printed | is not: it is
printed, and each line of it is an event; some have carriage returns for line feeds |
"""

import base64
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import sys
from dataclasses import dataclass, field

import packages
import pytest
import root_file_systems
from conftest import ISOLATION
from server import REPOSITORY, unique, wait_until

CLIENTS = REPOSITORY / "tests/runtime-clients"
sys.path.append(str(CLIENTS))

import comparison  # noqa: E402
import interpreters  # noqa: E402

HOW = "tests/runtime-clients/run.sh -k nothing_matches fetches and builds it"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
JSON, DEBUG = {"LogFormat": "JSON"}, {"SystemLogLevel": "DEBUG"}


@dataclass
class Scenario:
    """A handler, what it is called with, and what is told of it."""

    name: str
    handler: str
    events: list = field(default_factory=lambda: [{}])
    # What kind of error each answer is, if it is one.
    error: str = None
    logging: dict = None
    timeout: int = 10
    # The caller wants the response piece by piece.
    streams: bool = False
    # What is written comes through more than one pipe: nobody promises an order between them.
    unordered: bool = False
    # The client goes on when its answer is refused: ours has asked for the next event by then, and so the log has its END.
    goes_on: bool = False
    # It has failed before there was an event. The START line is then written afterwards; on a machine that has much else
    # to do it may come before the last that the process said.
    at_init: bool = False


TWICE = [{}, {}]


def levels(handler, *names):
    return [Scenario(f"JSON, level {name}", handler, logging=JSON | {"ApplicationLogLevel": name}) for name in names]


PYTHON = [
    Scenario("a result", "results.echo", [{"a": [1, 2.5, "ü", None]}, "text", 5]),
    Scenario("no result", "results.nothing"),
    Scenario("a result that is no ASCII", "results.non_ascii"),
    Scenario("exotic results", "results.exotic"),
    Scenario("a result that is too large", "results.huge", TWICE, error="Function.ResponseSizeTooLarge", unordered=True, goes_on=True),
    Scenario("a result that cannot be serialised", "results.an_object", TWICE, error="Runtime.MarshalError"),
    Scenario("an exception", "errors.with_message", TWICE, error="ValueError"),
    Scenario("an exception that is no ASCII", "errors.non_ascii", error="ValueError"),
    Scenario("an exception with a cause", "errors.with_cause", error="CustomError"),
    Scenario("an exception, JSON", "errors.several_frames", error="RuntimeError", logging=JSON),
    Scenario("no such module", "no_such_module.handler", TWICE, error="Runtime.ImportModuleError", at_init=True),
    Scenario("no such handler", "results.no_such_function", TWICE, error="Runtime.HandlerNotFound", at_init=True),
    Scenario("no dot", "nodot", error="Runtime.MalformedHandlerName", at_init=True),
    Scenario("a module that cannot be imported", "init_import_error.handler", TWICE, error="Runtime.ImportModuleError", at_init=True),
    Scenario("a syntax error", "init_syntax_error.handler", TWICE, error="Runtime.UserCodeSyntaxError", at_init=True),
    Scenario("a syntax error, JSON", "init_syntax_error.handler", error="Runtime.UserCodeSyntaxError", logging=JSON, at_init=True),
    Scenario("an initialisation that raises", "init_raises.handler", TWICE, error="ValueError", at_init=True),
    Scenario("an initialisation that raises, JSON", "init_raises.handler", error="ValueError", logging=JSON | DEBUG, at_init=True),
    Scenario("an initialisation that raises once", "init_fails_once.handler", TWICE),
    Scenario("an initialisation that exits", "init_exit.handler", TWICE, error="Runtime.ExitError", at_init=True),
    Scenario("an initialisation that is gone", "init_os_exit.handler", TWICE, error="Runtime.ExitError", at_init=True),
    Scenario("an initialisation that logs", "init_logs.handler", unordered=True),
    Scenario("exit in the handler", "errors.os_exit", [{"status": 9}, {"status": 0}], error="Runtime.ExitError"),
    Scenario("sys.exit in the handler", "errors.sys_exit", [{"status": 7}, {"status": 0}], error="Runtime.ExitError"),
    Scenario("abort in the handler", "errors.abort", error="Runtime.ExitError"),
    Scenario("a timeout", "server.hang", TWICE, error="Sandbox.Timedout", timeout=1),
    Scenario("several lines", "server.lines"),
    Scenario("standard output and error", "logs.prints", unordered=True),
    Scenario("levels", "logs.levels"),
    Scenario("events of several lines", "logs.multi_line", unordered=True),
    Scenario("an exception that is logged", "logs.exception"),
    Scenario("log() of the context", "server.context_log"),
    Scenario("JSON", "server.structured", logging=JSON, unordered=True),
    Scenario("JSON, an event of several lines", "logs.multi_line", logging=JSON, unordered=True),
    *levels("logs.levels", "TRACE", "WARN", "FATAL"),
    Scenario("the system's level", "results.ok", TWICE, logging=JSON | DEBUG),
    Scenario("the trace id", "results.trace_id", TWICE),
    Scenario("fields of the context", "server.context_values"),
    Scenario("the whole context", "results.context_fields"),
]

NODEJS = [
    Scenario("a result", "results.echo", [{"a": [1, 2.5, "ü", None]}, "text", 5]),
    Scenario("no result", "results.nothing"),
    Scenario("a result that is too large", "results.huge", TWICE, error="Function.ResponseSizeTooLarge", unordered=True, goes_on=True),
    Scenario("a result that cannot be serialised", "results.circular", TWICE, error="Error"),
    Scenario("an exception", "errors.custom", TWICE, error="CustomError"),
    Scenario("an exception, JSON", "errors.nestedError", error="Error", logging=JSON),
    Scenario("text that is thrown", "errors.text", error="string"),
    Scenario("no such module", "no_such_module.handler", TWICE, error="Runtime.ImportModuleError", at_init=True),
    Scenario("no such handler", "results.noSuchFunction", TWICE, error="Runtime.HandlerNotFound", at_init=True),
    Scenario("no dot", "nodot", error="Runtime.MalformedHandlerName", at_init=True),
    Scenario("a module that cannot be imported", "init_missing_module.handler", TWICE, error="Runtime.ImportModuleError", at_init=True),
    Scenario("a syntax error", "init_syntax_error.handler", TWICE, error="Runtime.UserCodeSyntaxError", at_init=True),
    Scenario("an initialisation that throws", "init_throws.handler", TWICE, error="Error", at_init=True),
    Scenario("an initialisation that throws, JSON", "init_throws.handler", error="Error", logging=JSON | DEBUG, at_init=True),
    Scenario("an initialisation that throws once", "init_fails_once.handler", TWICE),
    Scenario("an initialisation that exits", "init_exit.handler", TWICE, error="Runtime.ExitError", at_init=True),
    Scenario("an initialisation that logs", "init_logs.handler"),
    Scenario("exit in the handler", "errors.exit", [{"status": 7}, {"status": 0}], error="Runtime.ExitError"),
    Scenario("abort in the handler", "errors.abort", error="Runtime.ExitError"),
    Scenario("an exception that nobody catches", "errors.uncaughtInTimer", error="Error"),
    Scenario("a rejection that nobody catches", "errors.unhandledRejection", error="Runtime.UnhandledPromiseRejection"),
    Scenario("a promise that is never settled", "errors.neverSettlesAsync"),
    Scenario("a timeout", "server.hang", TWICE, error="Sandbox.Timedout", timeout=1),
    Scenario("levels", "logs.levels"),
    Scenario("values", "logs.values"),
    Scenario("events of several lines", "logs.multiLine"),
    Scenario("errors that are logged", "logs.errors"),
    Scenario("past the console", "logs.other", unordered=True),
    Scenario("JSON", "server.structured", logging=JSON, unordered=True),
    *levels("logs.levels", "TRACE", "WARN", "FATAL"),
    Scenario("the trace id", "results.traceId", TWICE),
    Scenario("fields of the context", "server.contextValues"),
    Scenario("a stream", "streaming.ok", TWICE, streams=True),
    Scenario("a stream for a caller who wants it whole", "streaming.ok", TWICE),
    Scenario("a stream with a content type", "streaming.contentType", streams=True),
    Scenario("a stream of HTTP", "streaming.http", streams=True),
    Scenario("a large stream", "streaming.large", streams=True),
    Scenario("an empty stream", "streaming.empty", streams=True),
    Scenario("a stream that fails before it begins", "streaming.errorBefore", TWICE, error="Error", streams=True),
    Scenario("a stream that fails midway", "streaming.errorMidway", TWICE, error="TypeError", streams=True),
    Scenario("a stream that is not ended", "streaming.notFinished", error="Sandbox.Timedout", timeout=2, streams=True),
    Scenario("a result for who wants a stream", "results.ok", streams=True),
]


# The two sides


@dataclass
class Side:
    """How one of the clients is deployed, and where its own files are."""

    runtime: str
    layers: list
    folders: list


def tree(folder, beneath):
    """The files of a folder for a package."""
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {os.path.normpath(f"{beneath}/{path.relative_to(folder)}"): path.read_bytes() for path in files}


def on_the_machine(names):
    """The first of these programs that a sandbox has as well."""
    paths = (f"{place}/{name}" for place in ("/usr/local/bin", "/usr/bin") for name in names)
    return next((path for path in paths if os.access(path, os.X_OK) and os.path.realpath(path).startswith("/usr/")), None)


def python_with_aws_client():
    """A version of Python that a sandbox has as well, where it is, and the folder with AWS' client for it."""
    for version in reversed(interpreters.PYTHON_VERSIONS):
        interpreter, client = on_the_machine([f"python{version}"]), interpreters.aws_python(version)
        if interpreter and client:
            return version, interpreter, client
    pytest.skip(f"no Python of /usr with AWS' client for it: {HOW}")


def with_aws_python(root):
    """Makes a root file system with Python at /var/lang/bin/python3, and AWS' client in /packages."""
    _, interpreter, client = python_with_aws_client()
    root_file_systems.with_python(root, interpreter, "python3")
    shutil.copytree(client, root / "packages")
    for native in (root / "packages").glob("*.so"):
        for library in root_file_systems.linked(native):
            root_file_systems.put(root, library)
    return root


class Comparison:
    """Two sides of one language on one server."""

    def __init__(self, server, deployer, package, ours, bootstrap, client):
        self.deploy, self.package = deployer(server), package
        self.client, self.logs = server.client(), server.client("logs")
        self.client.meta.events.register("before-sign.lambda.*", trace)
        layer = packages.package({"bootstrap": bootstrap} | client)
        published = self.deploy.client.publish_layer_version(LayerName=unique("client"), Content={"ZipFile": layer})
        theirs = Side("provided.al2023", [published["LayerVersionArn"]], ["/opt/aws"])
        self.sides = [Side(ours, [], ["/var/runtime"]), theirs]

    def run(self, scenario):
        """What is seen of (ours, theirs)."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(lambda side: Run(self, side, scenario).seen(), self.sides))


class Run:
    """One function, from its deployment to its log."""

    def __init__(self, comparison, side, scenario):
        self.client, self.logs, self.side, self.scenario = comparison.client, comparison.logs, side, scenario
        settings = {"LoggingConfig": scenario.logging} if scenario.logging else {}
        self.name = comparison.deploy(
            comparison.package,
            name=unique("client"),
            runtime=side.runtime,
            handler=scenario.handler,
            Layers=side.layers,
            Timeout=scenario.timeout,
            MemorySize=512,
            **settings,
        )
        self.requests = []

    def seen(self):
        answers = []
        for event in self.scenario.events:
            answers.append(self.invoke(event))
            # The next one finds the same environment, which is done with this one.
            log = self.log(len(answers))
        alike = Alike(self.side, self.name, self.requests, log)
        # What is said of a refused answer comes after all that is waited for here, or in the middle of a stack.
        messages = [event["message"] for event in log if not (self.scenario.goes_on and "LAMBDA_RUNTIME" in event["message"])]
        lines = alike.log(messages)
        return {
            "answers": [alike.answer(answer, not (self.scenario.goes_on or self.scenario.at_init)) for answer in answers],
            "log": self.in_order(lines),
        }

    def in_order(self, lines):
        """As far as there is one."""
        if self.scenario.unordered:
            return sorted(lines)
        if not self.scenario.at_init:
            return lines
        ends = [number for number, line in enumerate(lines) if re.match(r'REPORT|INIT_REPORT.*Phase: init|.*"platform.report"', line)]
        return [sorted(lines[begin:end]) for begin, end in zip([0, *ends], [*ends, len(lines)])]

    def invoke(self, event):
        arguments = {"FunctionName": self.name, "Payload": json.dumps(event), "LogType": "Tail"}
        if self.scenario.streams:
            answer = self.client.invoke_with_response_stream(**arguments)
            self.requests.append(answer["ResponseMetadata"]["RequestId"])
            events = list(answer["EventStream"])
            payload = b"".join(each["PayloadChunk"]["Payload"] for each in events if "PayloadChunk" in each)
            (end,) = [each["InvokeComplete"] for each in events if "InvokeComplete" in each]
            end["LogResult"] = base64.b64decode(end.get("LogResult", "")).decode()
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            kinds = {name: value for name, value in headers.items() if "content-type" in name}
            return {"status": answer["StatusCode"], "payload": payload, "kinds": kinds} | end
        answer = self.client.invoke(**arguments)
        self.requests.append(answer["ResponseMetadata"]["RequestId"])
        return {
            "status": answer["StatusCode"],
            "error": answer.get("FunctionError"),
            "payload": answer["Payload"].read(),
            "LogResult": base64.b64decode(answer["LogResult"]).decode(),
        }

    def log(self, invocations):
        """Every event, when so many are reported."""
        pages = self.logs.get_paginator("filter_log_events")

        def complete():
            try:
                found = list(pages.paginate(logGroupName=f"/aws/lambda/{self.name}"))
            except self.logs.exceptions.ResourceNotFoundException:
                # Nothing was written to it yet.
                return None
            events = [event for page in found for event in page["events"]]
            reports = [event for event in events if event["message"].startswith("REPORT") or '"platform.report"' in event["message"]]
            return events if len(reports) == invocations else None

        return wait_until(complete, what=f"the reports of {self.scenario.name}")


def trace(request, **_):
    request.headers["X-Amzn-Trace-Id"] = TRACE


FIGURES = [
    (re.compile(r"\bDuration: \d+\.\d\d ms"), "Duration: <ms>"),
    (re.compile(r"Billed Duration: \d+ ms"), "Billed Duration: <ms>"),
    (re.compile(r"Max Memory Used: \d+ MB"), "Max Memory Used: <MB>"),
    (re.compile(r"^INIT_START .*", re.M), "INIT_START <version>"),
    (re.compile(r"(?<=requestId=)\S+?(?=,)"), "<request>"),
    (re.compile(r"/(?:var/lang|usr/local|usr)/(?=lib/python3|bin/)"), "<interpreter>/"),
    # Of the function, by which loops are seen.
    (re.compile(r"(?<=Lineage=)[0-9a-f]{8}"), "<function>"),
]
# Of the platform's events: what is measured, and what INIT_START has in JSON.
MEASURED = {"durationMs", "billedDurationMs", "maxMemoryUsedMB", "initDurationMs", "runtimeVersion", "runtimeVersionArn", "instanceId"}


class Alike:
    """Takes out of what was seen what cannot be the same twice, and what the module's documentation says."""

    def __init__(self, side, name, requests, log):
        self._normalizer = comparison.Normalizer(side.folders)
        self._words = {name: "<function>"} | {request: f"<request {number}>" for number, request in enumerate(requests)}
        self._words |= {event["logStreamName"]: "<stream>" for event in log}

    def text(self, text):
        for word, replacement in self._words.items():
            text = text.replace(word, replacement)
        text = self._normalizer(text.replace("\r", "\n"))
        for pattern, replacement in FIGURES:
            text = pattern.sub(replacement, text)
        return text

    def answer(self, answer, with_tail):
        alike = {what: self.text(value) if isinstance(value, str) else value for what, value in answer.items()}
        alike["payload"] = self.text(self._error(answer["payload"].decode("utf-8", "backslashreplace")))
        if "ErrorDetails" in answer:
            alike["ErrorDetails"] = self.text(self._error(answer["ErrorDetails"]))
        del alike["LogResult"]
        # What is printed and what is logged take different ways. Four kilobytes are cut at the front.
        if with_tail and len(answer["LogResult"].encode()) < 4096:
            alike["tail"] = sorted(self.log(answer["LogResult"].splitlines()))
        return alike

    def _error(self, payload):
        """Without the frames of the client."""
        try:
            error = json.loads(payload)
        except ValueError:
            return payload
        frames = {"stackTrace", "trace"} & set(error) if isinstance(error, dict) else set()
        for each in frames:
            error[each] = self._normalizer.stack(error[each])
        return json.dumps(error, ensure_ascii=False) if frames else payload

    def log(self, messages):
        """The lines, and none that is empty."""
        return [line for line in self.text("\n".join(map(self._event, messages))).split("\n") if line]

    def _event(self, message):
        try:
            event = json.loads(message)
        except ValueError:
            return message
        if isinstance(event, dict) and str(event.get("type", "")).startswith("platform."):
            return json.dumps(self._platform(event), ensure_ascii=False)
        return message

    def _platform(self, value):
        if isinstance(value, dict):
            return {key: "<figure>" if key in MEASURED else self._platform(inner) for key, inner in value.items()}
        return [self._platform(each) for each in value] if isinstance(value, list) else value


def check(comparison, scenario):
    ours, theirs = comparison.run(scenario)
    for mine, other in zip(ours["answers"], theirs["answers"], strict=True):
        assert mine == other
    assert ours["log"] == theirs["log"]
    # Neither has done something else altogether.
    assert {error_type(answer) for answer in ours["answers"]} == {scenario.error}


def error_type(answer):
    if answer.get("ErrorCode"):
        return json.loads(answer["ErrorDetails"])["errorType"]
    return json.loads(answer["payload"])["errorType"] if answer.get("error") else None


@pytest.fixture(scope="module")
def python(serve, deployer):
    version, interpreter, client = python_with_aws_client()
    server = serve("--isolation", ISOLATION, "--runtime", f"python{version}={interpreter}")
    bootstrap = (
        f"#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_python{version}\n"
        f"exec {interpreter} /opt/aws/start/bootstrap.py /opt/aws/packages\n"
    )
    files = tree(client, "aws/packages") | {"aws/start/bootstrap.py": (CLIENTS / "aws_python.py").read_bytes()}
    package = packages.package(tree(CLIENTS / "functions/python", "."))
    yield from compared(server, deployer, package, f"python{version}", bootstrap, files)


@pytest.fixture(scope="module")
def nodejs(serve, deployer):
    interpreter = on_the_machine(["node"])
    version = next((major for major in interpreters.NODEJS_VERSIONS if interpreter and interpreters.answers(interpreter, f"v{major}")), None)
    start = version and interpreters.aws_nodejs(version)
    if start is None:
        pytest.skip(f"no Node.js of /usr with AWS' client for it: {HOW}")
    server = serve("--isolation", ISOLATION, "--runtime", f"nodejs{version}.x={interpreter}")
    flags = ["--expose-gc", "--max-http-header-size=81920"]
    flags += ["--no-experimental-require-module"] if int(version) >= 20 else []
    folders = [f"/opt/nodejs/node{version}/node_modules", "/opt/nodejs/node_modules", "/var/runtime/node_modules", "/var/runtime", "/var/task"]
    bootstrap = (
        f"#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_nodejs{version}.x NODE_PATH={':'.join(folders)}\n"
        f"exec {interpreter} {' '.join(flags)} /opt/aws/client/start.mjs\n"
    )
    (module,) = pathlib.Path(interpreters.CACHE).glob(
        "ric-4.*/node_modules/aws-lambda-ric/index.mjs" if int(version) >= 24 else "ric-3.*/node_modules/aws-lambda-ric/dist/index.mjs"
    )
    run = 'import { run } from "./index.mjs";\nawait run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);\n'
    files = {f"aws/client/{path.name}": path.read_bytes() for path in module.parent.iterdir() if path.suffix in (".mjs", ".node")}
    files["aws/client/start.mjs"] = 'import "./index.mjs";\n' if int(version) >= 24 else run
    package = packages.package(tree(CLIENTS / "functions/nodejs", "."))
    yield from compared(server, deployer, package, f"nodejs{version}.x", bootstrap, files)


def compared(server, deployer, package, runtime, bootstrap, files):
    comparison = Comparison(server, deployer, package, runtime, bootstrap, files)
    yield comparison
    comparison.deploy.remove()
    assert "panicked" not in server.log.read_text(errors="replace"), server.log_tail(200)
    assert server.stop() == 0


@pytest.mark.parametrize("scenario", PYTHON, ids=lambda scenario: scenario.name)
def test_python(python, scenario):
    check(python, scenario)


@pytest.mark.parametrize("scenario", NODEJS, ids=lambda scenario: scenario.name)
def test_nodejs(nodejs, scenario):
    check(nodejs, scenario)
