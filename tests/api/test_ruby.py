"""Ruby functions: what they return, raise, log and find around them."""

import base64
import json
import re

import pytest

import packages
from server import ACCOUNT, REGION, TOOLS, wait_until

ROOT = TOOLS / "roots/ruby3.3"
RUNTIME = "ruby3.3"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not ROOT.exists(), reason=f"Ruby is not in {ROOT}: ./dev test puts it there"),
]


class Ruby:
    """A server that has Ruby in a root file system, and functions of it."""

    def __init__(self, server, deployer):
        self.server, self.client, self.deployer = server, server.client(), deployer

    def deploy(self, files=None, handler="index.handler", **settings):
        package = packages.package({"index.rb": packages.source("ruby.rb")} | (files or {}))
        return self.deployer(self.server)(package, **{"runtime": RUNTIME, "handler": handler} | settings)

    def invoke(self, function, **event):
        answer = self.client.invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null"), tail

    def log(self, function):
        events = self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        return [event["message"] for event in events]


@pytest.fixture(scope="module")
def ruby(serve, deployer):
    # What newer runtimes do otherwise is shown on the same interpreter.
    server = serve("--isolation", "sandbox", "--runtime", f"{RUNTIME}={ROOT}", "--runtime", f"ruby4.0={ROOT}")
    yield Ruby(server, deployer)
    assert "panicked" not in server.log.read_text(errors="replace")
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(ruby):
    return ruby.deploy(Timeout=10)


def test_an_event_and_its_result(ruby, function):
    event = {"a": [1, 2.5, "ü", None, True], "b": {"c": "\u2603"}}
    error, result, tail = ruby.invoke(function, **event)
    assert (error, result) == (None, event) and "REPORT RequestId" in tail
    assert ruby.invoke(function, do="nothing")[:2] == (None, None)
    # The same process goes on.
    assert "Init Duration" not in ruby.invoke(function)[2]


@pytest.mark.parametrize(
    "handler, result", [("index.Several.handler", "of a class: here"), ("index.Nested::Inner.handler", "of a nested class")]
)
def test_handlers_of_classes(ruby, handler, result):
    assert ruby.invoke(ruby.deploy(handler=handler), word="here")[:2] == (None, result)


def test_a_handler_in_a_folder(ruby):
    files = {"lib/app.rb": "def handler(event:, context:) = File.basename(__FILE__)\n"}
    assert ruby.invoke(ruby.deploy(files, handler="lib/app.handler"))[:2] == (None, "app.rb")


def test_the_environment(ruby, function):
    found = ruby.invoke(function, do="environment")[1]
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_ruby3.3" and found["_HANDLER"] == "index.handler"
    assert found["LAMBDA_TASK_ROOT"] == "/var/task" and found["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert found["RUBYLIB"].startswith("/var/task:") and "/opt/ruby/gems/3.3.0" in found["GEM_PATH"]
    assert found["_X_AMZN_TRACE_ID"].startswith("Root=1-") and "_LAMBDA_TELEMETRY_LOG_FD" not in found


def test_the_context(ruby, function):
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    answer = ruby.client.invoke(FunctionName=function, Payload=b'{"do": "context"}', ClientContext=context)
    found = json.load(answer["Payload"])
    assert found["aws_request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert found["invoked_function_arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert (found["function_name"], found["function_version"], found["memory_limit_in_mb"]) == (function, "$LATEST", "128")
    assert found["log_group_name"] == f"/aws/lambda/{function}" and "[$LATEST]" in found["log_stream_name"]
    assert found["client_context"] == {"custom": {"a": "b"}} and found["identity"] is None
    assert 5000 < found["left"] <= 10_000


@pytest.mark.parametrize(
    "event, kind, message, header",
    [
        ("error", "Function<ArgumentError>", "as asked", "Error raised from handler method"),
        ("unusual", "Function<Unusual>", "a user's own: ü", "Error raised from handler method"),
        ("infinite", "Function<JSON::GeneratorError>", None, "Error raised from handler method"),
        ("undefined", "Function<NameError>", None, "Critical exception from handler"),
        ("exception", "Function<NotImplementedError>", "not a standard error", "Critical exception from handler"),
        ("quit", "Function<SystemExit>", "exit", "Critical exception from handler"),
    ],
)
def test_what_is_raised(ruby, function, event, kind, message, header):
    error, body, tail = ruby.invoke(function, do=event)
    assert (error, body["errorType"]) == ("Unhandled", kind)
    assert list(body) == ["errorMessage", "errorType", "stackTrace"]
    if message:
        assert body["errorMessage"] == message
    if event in ("error", "unusual"):
        assert re.fullmatch(r"/var/task/index\.rb:\d+:in [`']handler'", body["stackTrace"][0]) and len(body["stackTrace"]) == 1
    assert header in tail and f'"errorType": "{kind}"' in tail
    # A new process serves, where the old one has ended.
    assert ruby.invoke(function, a=1)[:2] == (None, {"a": 1})


@pytest.mark.parametrize(
    "files, handler, variables, kind, message",
    [
        ({}, "absent.handler", {}, "Init<LoadError>", "cannot load such file -- absent"),
        ({}, "index.handler", {"FAIL": "import"}, "Init<RuntimeError>", "at import"),
        ({}, "index.handler", {"FAIL": "exit"}, "Init<SystemExit>", "exit"),
        ({}, "nodot", {}, "Init<ArgumentError>", None),
        ({"broken.rb": "def ("}, "broken.handler", {}, "Init<SyntaxError>", None),
    ],
)
def test_what_cannot_be_loaded(ruby, files, handler, variables, kind, message):
    name = ruby.deploy(files, handler=handler, Environment={"Variables": variables})
    for _ in range(2):
        error, body, _ = ruby.invoke(name)
        assert (error, body["errorType"]) == ("Unhandled", kind)
        assert message is None or body["errorMessage"] == message
    wait_until(lambda: f"Init error when loading handler {handler}" in ruby.log(name), what="what the client says of it")
    assert any(f'"errorType": "{kind}"' in line for line in ruby.log(name))
    if handler == "nodot":
        assert 'Invalid handler ["nodot"], must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD' in body["errorMessage"]


def test_a_method_that_is_not_there(ruby):
    error, body, _ = ruby.invoke(ruby.deploy(handler="index.no_such_method"))
    assert (error, body["errorType"]) == ("Unhandled", "Function<NoMethodError>")


def test_ends_of_the_process(ruby, function):
    error, body, _ = ruby.invoke(function, do="exit")
    assert (error, body["errorType"]) == ("Unhandled", "Runtime.ExitError") and body["errorMessage"].endswith("exit status 5")
    error, body, _ = ruby.invoke(function, do="memory")
    assert (error, body["errorType"]) == ("Unhandled", "Runtime.OutOfMemory")
    error, body, _ = ruby.invoke(ruby.deploy(Timeout=1), do="sleep", seconds=30)
    assert (error, body["errorType"]) == ("Unhandled", "Sandbox.Timedout")


def test_results_of_every_size(ruby, function):
    assert ruby.invoke(function, do="large", bytes=6 * 1024 * 1024 - 2)[0] is None
    error, body, _ = ruby.invoke(function, do="large", bytes=6 * 1024 * 1024 + 200)
    assert (error, body["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    answer = ruby.client.invoke(FunctionName=function, Payload=b'{"do": "bytes"}')
    assert answer["Payload"].read() == b"\x00\xff", "what can be read is sent as it is"
    event = {"text": "x" * 5_000_000}
    assert ruby.invoke(function, **event)[1] == event


def test_what_is_logged(ruby):
    name = ruby.deploy()
    assert ruby.invoke(name, do="say")[1] == "said"
    wait_until(lambda: any(line.startswith("REPORT") for line in ruby.log(name)), what="the report")
    log = ruby.log(name)
    request = next(line.split()[2] for line in log if line.startswith("START"))
    assert "one\nevent" in log and {"printed", "warned", "straight"} <= set(log)
    (info,) = [line for line in log if "two" in line]
    form = rf"I, \[\d{{4}}-\d\d-\d\dT[0-9:.]+ #\d+\]  INFO {request} -- : two\nlines"
    assert re.fullmatch(form, info.rstrip("\n"))
    assert any(re.match(rf"E, \[.*\] ERROR {request} -- : logged \(ArgumentError\)", line) for line in log)


def test_logs_as_objects(ruby):
    settings = {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}}
    name = ruby.deploy(runtime="ruby4.0", **settings)
    assert ruby.invoke(name, do="say")[1] == "said"
    wait_until(lambda: any("platform.report" in line for line in ruby.log(name)), what="the report")
    log = ruby.log(name)
    request = next(json.loads(line)["record"]["requestId"] for line in log if "platform.start" in line)
    (info,) = [json.loads(line) for line in log if "two" in line]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{6}Z", info.pop("timestamp"))
    assert info == {"level": "INFO", "message": "two\nlines", "requestId": request}
    (error,) = [json.loads(line) for line in log if '"logged"' in line]
    assert (error["level"], error["errorType"], error["message"]) == ("ERROR", "ArgumentError", "logged")
    assert error["stackTrace"] == [] and not [line for line in log if "quiet" in line]
    assert "one\nevent" in log, "what no logger has written is left as it is"
    # Before Ruby 4.0 the runtime knows no JSON.
    older = ruby.deploy(**settings)
    ruby.invoke(older, do="say")
    wait_until(lambda: any("two\nlines" in line and line.startswith("I, [") for line in ruby.log(older)), what="text")


def test_layers_and_gems(ruby):
    layer = packages.package({
        "ruby/lib/of_layer.rb": "OF_LAYER = 'the layer'\n",
        "ruby/gems/3.3.0/gems/of_gem-1.0.0/lib/of_gem.rb": "module OfGem; NAME = 'the gem'; end\n",
        "ruby/gems/3.3.0/specifications/of_gem-1.0.0.gemspec": (
            "Gem::Specification.new { |s| s.name = 'of_gem'; s.version = '1.0.0'; s.summary = 's'; s.authors = ['a'];"
            " s.require_paths = ['lib'] }\n"
        ),
    })  # fmt: skip
    arn = ruby.client.publish_layer_version(LayerName="ruby", Content={"ZipFile": layer})["LayerVersionArn"]
    name = ruby.deploy(Layers=[arn])
    assert ruby.invoke(name, do="layer")[1] == "the layer"
    assert ruby.invoke(name, do="gem")[1] == "the gem"


def test_a_wrapper(ruby):
    """In the only language that there is."""
    files = {"wrap": "#!/var/lang/bin/ruby\nENV['WRAPPED'] = 'yes'\nexec(*ARGV)\n"}
    name = ruby.deploy(files, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
    assert ruby.invoke(name, do="environment")[1]["WRAPPED"] == "yes"
