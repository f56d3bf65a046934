""".NET functions with the client that the server brings. The only .NET to be had here is CoreCLR 3.1, in a root file system,
which stands for those that AWS has; Amazon.Lambda.Core is a stand-in too (functions/dotnet/Core.cs)."""

import base64
import json
import re
import shutil
import subprocess

import botocore.exceptions
import pytest

import packages
import root_file_systems
from conftest import ISOLATION
from server import ACCOUNT, REGION, REPOSITORY, TOOLS, wait_until
from test_snap_start import SNAP, Snapshots

SOURCES = REPOSITORY / "runtimes/dotnet"
CLIENT = SOURCES / "client/Rushlight.Runtime.dll"
DOTNET = TOOLS / "dotnet"
FRAMEWORK = DOTNET / "shared/Microsoft.NETCore.App/3.1.23"
RUNTIME = "dotnet8"
HANDLER = "Functions::Example.Functions::Do"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("mcs") or not FRAMEWORK.is_dir(), reason="./dev test installs mcs and .NET Core"),
]


def compile_(target, out, sources, *references):
    names = [f"System.{name}" for name in (
        "Private.CoreLib", "Runtime", "Console", "Collections", "Collections.Concurrent", "Linq", "Text.Json", "Memory", "Runtime.Extensions",
        "Threading.Tasks", "Threading.Thread", "Threading", "IO", "IO.FileSystem", "Net.Http", "Net.Primitives", "Private.Uri",
    )]  # fmt: skip
    options = ["-nologo", "-noconfig", "-nostdlib", "-nowarn:1685,1701,1702,1998", f"-target:{target}", f"-out:{out}"]
    known = [f"-r:{FRAMEWORK}/{name}.dll" for name in names] + [f"-r:{reference}" for reference in references]
    subprocess.run(["mcs", *options, *known, *(packages.FUNCTIONS / "dotnet" / source for source in sources)], check=True, timeout=120)
    return out.read_bytes()


def configured(name):
    """What `dotnet publish` puts beside an assembly."""
    framework = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
    config = {"runtimeOptions": {"tfm": "netcoreapp3.1", "framework": framework}}
    target = {"runtimeTarget": {"name": ".NETCoreApp,Version=v3.1"}, "targets": {".NETCoreApp,Version=v3.1": {}}, "libraries": {}}
    return {f"{name}.runtimeconfig.json": json.dumps(config), f"{name}.deps.json": json.dumps(target)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dotnet")
    core = {"Amazon.Lambda.Core.dll": compile_("library", directory / "Amazon.Lambda.Core.dll", ["Core.cs"])}
    reference = directory / "Amazon.Lambda.Core.dll"
    functions = compile_("library", directory / "Functions.dll", ["Functions.cs"], reference)
    hook = compile_("library", directory / "Hook.dll", ["StartupHook.cs"])
    program = compile_("exe", directory / "Program.dll", ["Executable.cs"])
    return {
        "function": core | configured("Functions") | {"Functions.dll": functions, "Hook.dll": hook},
        "executable": configured("Program") | {"Program.dll": program},
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("root") / "dotnet"
    shutil.copytree(DOTNET, root / "var/lang/bin")
    natives = [root / "var/lang/bin/dotnet", *(root / "var/lang/bin").rglob("*.so")]
    for native in natives:
        for library in root_file_systems.linked(native):
            if library.exists() and not str(library).startswith(str(root)):
                root_file_systems.put(root, library)
    root_file_systems.with_programs(root, "/bin/sh", "/bin/env")
    (root / "tmp").mkdir()
    return root


class Dotnet(Snapshots):
    def __init__(self, server, deployer, files):
        super().__init__(server, deployer, RUNTIME)
        self.files = files

    def deploy(self, handler=HANDLER, files=None, **settings):
        settings = {"MemorySize": 512, "Timeout": 10} | settings
        return self._deploy(packages.package(self.files["function"] if files is None else files), runtime=RUNTIME, handler=handler, **settings)

    def invoke(self, function, event=None, **more):
        answer = self.lambda_.invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail", **more)
        return answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null"), base64.b64decode(answer["LogResult"]).decode()


@pytest.fixture(scope="module")
def dotnet(serve, deployer, files, root):
    server = serve("--isolation", ISOLATION, "--runtime", f"{RUNTIME}={root}")
    yield Dotnet(server, deployer, files)
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(dotnet):
    return dotnet.deploy()


def test_the_client_is_made_of_its_sources(tmp_path):
    subprocess.run(["sh", SOURCES / "build.sh", FRAMEWORK, tmp_path / CLIENT.name], check=True, timeout=120)
    made, committed = (tmp_path / CLIENT.name).read_bytes(), CLIENT.read_bytes()
    assert len(made) == len(committed)
    # The compiler puts the time and a new identifier into each: 4 and 16 bytes.
    assert sum(one != other for one, other in zip(made, committed, strict=True)) <= 20


@pytest.mark.parametrize(
    "method, event, result",
    [
        ("Orders", {"Id": "1", "Lines": [{"Item": "a", "Price": 1.5}, {"Item": "b", "Price": 2}]},
         {"Id": "1", "Lines": [{"Item": "a", "Price": 1.5}, {"Item": "b", "Price": 2}], "Total": 3.5}),
        ("Upper", "snow \u2603", "SNOW \u2603"),
        ("Later", 41, 42),
        ("Nothing", {}, None),
        ("Silent", {}, None),
        ("Streams", [1, {"a": 2}], {"got": [1, {"a": 2}]}),
    ],
)  # fmt: skip
def test_handlers_of_every_kind(dotnet, method, event, result):
    assert dotnet.invoke(dotnet.deploy(f"Functions::Example.Functions::{method}"), event)[:2] == (None, result)


def test_the_context_and_the_environment(dotnet, function):
    context = base64.b64encode(json.dumps({"client": {"app_title": "app"}, "custom": {"a": "b"}, "env": {}}).encode()).decode()
    error, found, tail = dotnet.invoke(function, ClientContext=context)
    assert error is None
    assert (found["name"], found["version"], found["memory"]) == (function, "$LATEST", 512)
    assert found["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert (found["client"], found["custom"]) == ("app", {"a": "b"}) and found["identity"] is None and found["tenant"] is None
    assert 5000 < found["remaining"] <= 10000 and found["requestId"] in tail
    assert found["trace"] == found["traceVariable"] and found["trace"].startswith("Root=1-")
    assert found["group"] == f"/aws/lambda/{function}" and found["environment"]["AWS_LAMBDA_LOG_STREAM_NAME"] == found["stream"]
    environment = found["environment"]
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_dotnet8" and environment["_HANDLER"] == HANDLER
    assert environment["DOTNET_ROOT"] == "/var/lang/bin" and found["directory"] == "/var/task"
    assert found["arguments"] == ["/var/runtime/Rushlight.Runtime.dll", HANDLER]
    again = dotnet.invoke(function)[1]
    assert again["atInit"] == found["atInit"] and again["requestId"] != found["requestId"]


def test_what_is_thrown(dotnet, function):
    error, thrown, tail = dotnet.invoke(function, {"do": "raise"})
    assert error == "Unhandled" and (thrown["errorType"], thrown["errorMessage"]) == ("Refused", "no")
    assert thrown["stackTrace"][0].startswith("at Example.Functions.Do(") and len(thrown["stackTrace"]) == 1
    assert thrown["cause"] == {"errorType": "ArgumentException", "errorMessage": "for a reason"}
    assert re.search(r"Z\t[-0-9a-f]{36}\tfail\tExample\.Refused: no ?\n? *---> System\.ArgumentException: for a reason", tail)
    several = dotnet.invoke(function, {"do": "raise several"})[1]
    assert several["errorType"] == "AggregateException" and [cause["errorMessage"] for cause in several["causes"]] == ["one", "two"]
    # The process goes on.
    assert dotnet.invoke(function)[0] is None


@pytest.mark.parametrize(
    "handler, message",
    [
        ("Functions", "executable assembly /var/task/Functions.dll"),
        ("Functions::Example.Functions", "Invalid lambda function handler: 'Functions::Example.Functions'. The valid format is 'ASSEMBLY::TYPE::METHOD'."),
        ("Functions::::Do", "Invalid lambda function handler: 'Functions::::Do', the type is missing. The valid format is 'ASSEMBLY::TYPE::METHOD'."),
        ("Absent::A.B::C", "Could not find the specified handler assembly with the file name 'Absent'. The assembly should be located in the root of your uploaded .zip file."),
        ("Functions::Example.Absent::Do", "Unable to load type 'Example.Absent' from assembly 'Functions'."),
        ("Functions::Example.Functions::Absent", "Unable to find method 'Absent' in type 'Example.Functions' from assembly 'Functions': Found no methods matching method name 'Absent'."),
        ("Functions::Example.Functions::Wrong", "because it is an 'async void' method."),
        ("Functions::Example.Functions::Twice", "appears to have a number of overloads."),
        ("Functions::Example.Functions::Three", "Method 'Three' of type 'Example.Functions' is not supported: the method has more than 2 parameters."),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded(dotnet, handler, message):
    name = dotnet.deploy(handler)
    error, body, tail = dotnet.invoke(name)
    assert error == "Unhandled"
    if handler == "Functions":
        # It is an assembly, but nothing that could be started.
        assert body["errorType"] == "Runtime.ExitError"
        return
    assert body["errorType"] == "LambdaValidationException" and message in body["errorMessage"], body
    assert "stackTrace" not in body


def test_what_a_package_lacks(dotnet):
    files = {name: content for name, content in dotnet.files["function"].items() if not name.endswith(".deps.json")}
    error, body, tail = dotnet.invoke(dotnet.deploy(files=files))
    assert body["errorMessage"].endswith("Runtime exited with error: exit status 105")
    missing = dotnet.deploy("Absent", files=dotnet.files["executable"])
    assert dotnet.invoke(missing)[1]["errorMessage"].endswith("Runtime exited with error: exit status 104")
    assert any("Error: executable assembly /var/task/Absent.dll or binary /var/task/Absent not found." in line for line in dotnet.log(missing))


def test_an_initialisation_that_fails(dotnet):
    error, body, _ = dotnet.invoke(dotnet.deploy(Environment={"Variables": {"FAIL": "init"}}))
    assert (error, body["errorType"], body["errorMessage"]) == ("Unhandled", "InvalidOperationException", "as asked")
    assert any("Example.Functions..ctor()" in line for line in body["stackTrace"])


def test_ends_of_the_process(dotnet, function):
    assert dotnet.invoke(function, {"do": "exit"})[1]["errorType"] == "Runtime.ExitError"
    assert dotnet.invoke(function)[0] is None
    quick = dotnet.deploy(Timeout=2)
    assert "Task timed out after 2.00 seconds" in dotnet.invoke(quick, {"do": "time out"})[1]["errorMessage"]
    small = dotnet.deploy(MemorySize=256)
    body = dotnet.invoke(small, {"do": "out of memory"})[1]
    assert body["errorType"] in ("Runtime.OutOfMemory", "OutOfMemoryException"), body


def test_results_of_every_size(dotnet, function):
    assert len(dotnet.invoke(function, {"do": "large", "bytes": 6_000_000})[1]["x"]) == 6_000_000
    error, body, _ = dotnet.invoke(function, {"do": "large", "bytes": 7_000_000})
    assert body["errorType"] == "Function.ResponseSizeTooLarge"
    assert dotnet.invoke(function, {"do": "context", "x": "y" * 5_000_000})[0] is None


def test_what_is_logged(dotnet):
    name = dotnet.deploy()
    dotnet.invoke(name, {"do": "say"})
    wait_until(lambda: any(line.startswith("REPORT") for line in dotnet.log(name)))
    said = [line for line in dotnet.log(name) if not re.match("START|END|REPORT|INIT", line)]
    lines = [re.sub(r"^\S+Z\t[-0-9a-f]{36}", "<>", line) for line in said]
    assert lines[:8] == [
        "<>\tinfo\ta line", "<>\tfail\tan error", "<>\tinfo\tbegun, and ended: 5", "<>\tinfo\tby the logger", "<>\tinfo\tordered 2 of x",
        "<>\twarn\twatch", "<>\tfail\tfailed\nExample.Refused: no", "<>\tof no level\nin two lines",
    ]  # fmt: skip
    assert len(lines) == 8
    loud = dotnet.deploy(Environment={"Variables": {"AWS_LAMBDA_HANDLER_LOG_LEVEL": "Debug"}})
    dotnet.invoke(loud, {"do": "say"})
    wait_until(lambda: any(line.endswith("\tdbug\tunseen") for line in dotnet.log(loud)))


def test_logs_as_objects(dotnet):
    name = dotnet.deploy(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    request = dotnet.invoke(name, {"do": "say"})[1]["requestId"]
    wait_until(lambda: any("platform.report" in line for line in dotnet.log(name)))
    said = [json.loads(line) for line in dotnet.log(name) if '"platform.' not in line]
    assert [(entry["level"], entry["message"]) for entry in said] == [
        ("Error", "an error"), ("Warning", "watch"), ("Error", "failed"),
    ]  # fmt: skip
    assert {entry["requestId"] for entry in said} == {request} and (said[2]["errorType"], said[2]["errorMessage"]) == ("Example.Refused", "no")


def test_layers_hooks_and_wrappers(dotnet):
    layer = dotnet.lambda_.publish_layer_version(
        LayerName="dotnet",
        Content={"ZipFile": packages.package({
            "of-layer": "here", "wrap": "#!/bin/sh\nexport WRAPPED=\"$*\"\nexec \"$@\"\n",
        })},
    )["LayerVersionArn"]  # fmt: skip
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap", "DOTNET_STARTUP_HOOKS": "/var/task/Hook.dll"}
    found = dotnet.invoke(dotnet.deploy(Layers=[layer], Environment={"Variables": variables}))[1]
    assert found["layer"] == "here" and found["hook"] == "was here"
    assert found["environment"]["WRAPPED"].startswith("/var/lang/bin/dotnet exec --depsfile /var/task/Functions.deps.json")
    missing = dotnet.deploy(Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/absent"}})
    assert dotnet.invoke(missing)[1]["errorMessage"].endswith("exit status 127")
    assert "/opt/absent: does not exist" in dotnet.log(missing)


@pytest.mark.parametrize("handler", ["Program", "Program.dll"])
def test_an_executable_assembly(dotnet, handler):
    name = dotnet.deploy(handler, files=dotnet.files["executable"])
    assert dotnet.invoke(name, {"a": 1})[:2] == (None, {"executable": {"a": 1}})


def test_snapshots(dotnet):
    name = dotnet.deploy(SnapStart=SNAP)
    version = dotnet.publish(name)
    found = dotnet.call(name, version)
    assert found["course"] == ["before: last", "before: first", "after: first", "after: last"] and found["stream"] is None
    assert dotnet.call(name, version)["atInit"] == found["atInit"]
    failing = dotnet.deploy(SnapStart=SNAP, Environment={"Variables": {"FAIL": "after: first"}})
    version = dotnet.publish(failing)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        dotnet.call(failing, version)
    assert refused.value.response["Error"]["Code"] == "SnapStartException"
