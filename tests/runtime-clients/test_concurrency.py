"""`AWS_LAMBDA_MAX_CONCURRENCY`: AWS' clients and ours serve as many events at once as it says.

All handlers wait until all are there, so a client that serves one after the other fails.
"""

import json
import os
import shutil
import subprocess

import pytest

import test_nodejs as nodejs
import test_python as python
from comparison import comparable
from interpreters import HERE
from scenario import Scenario, event, observe

RUNTIMES = os.path.join(HERE, "..", "..", "runtimes")
TOOLS = os.path.join(HERE, "..", "..", "target", "tools")
JAVA_CLIENT = os.path.abspath(os.path.join(RUNTIMES, "java", "client", "rushlight-runtime.jar"))
DOTNET_CLIENT = os.path.abspath(os.path.join(RUNTIMES, "dotnet", "client"))
DOTNET = os.path.abspath(os.path.join(TOOLS, "dotnet"))
FRAMEWORK = os.path.join(DOTNET, "shared", "Microsoft.NETCore.App", "3.1.23")

EXPECTED = 4
FIRST_WITH_CONCURRENCY = {"python": (3, 13), "nodejs": (22,)}


def identifier(index):
    return "8476a536-e9f4-11e8-9739-00000000000%d" % index


def scenario(place, **env):
    events = [
        event(
            json.dumps(
                {
                    "place": str(place),
                    "id": identifier(index),
                    "expected": EXPECTED,
                    "fails": index == 0,
                }
            ),
            lambda_runtime_aws_request_id=identifier(index),
        )
        for index in range(EXPECTED)
    ]
    env = {"AWS_LAMBDA_MAX_CONCURRENCY": str(EXPECTED), "AWS_LAMBDA_LOG_FORMAT": "JSON", **env}
    # What worker threads of Node.js write takes its way through the main thread.
    return Scenario("concurrent", "meets.handler", events, env, is_concurrent=True, watch=0.5)


def answers(seen):
    """{path: body} of what was posted; of errors, whose traces depend on who came first, type and message."""
    return {
        item["call"]: item["body"][:2] if isinstance(item["body"], list) else item["body"]
        for item in seen["requests"]
        if item["call"].startswith("POST")
    }


def logged(seen):
    """(request id, message) of the lines that the handlers wrote, less those of errors."""
    written = [text for _, text in seen["frames"]] or seen["stdout"].splitlines()
    lines = [json.loads(line) for line in written if line.startswith("{")]
    return sorted(
        (line.get("requestId") or line.get("AWSRequestId"), line["message"])
        for line in lines
        if str(line["message"]).rstrip() in ["met " + identifier(index) for index in range(EXPECTED)]
    )


def has_concurrency(language, version):
    return tuple(map(int, version.split("."))) >= FIRST_WITH_CONCURRENCY[language]


@pytest.mark.parametrize("version", python.INTERPRETERS)
def test_python(version, tmp_path):
    ours = python.ours(version, scenario(made(tmp_path / "ours")))
    check_answers(ours)
    if has_concurrency("python", version):
        theirs = python.theirs(version, scenario(made(tmp_path / "theirs")))
        assert answers(ours) == answers(theirs)


# Before Node.js 24 a worker serves one event at a time.
NODEJS = [(version, "4") for version in nodejs.INTERPRETERS]
NODEJS += [(version, "1") for version in nodejs.INTERPRETERS if int(version) >= 24]


@pytest.mark.parametrize("version, workers", NODEJS)
def test_nodejs(version, workers, tmp_path):
    env = {"AWS_LAMBDA_NODEJS_WORKER_COUNT": workers}
    place = made(tmp_path / "ours")
    ours = nodejs.ours(version, scenario(place, **env))
    check_answers(ours)
    assert logged(ours) == [(identifier(index), "met " + identifier(index)) for index in range(EXPECTED)]
    assert len({(place / name).read_text() for name in os.listdir(place)}) <= int(workers)
    if int(version) >= 24:
        theirs = nodejs.theirs(version, scenario(made(tmp_path / "theirs"), **env))
        assert answers(ours) == answers(theirs)


@pytest.mark.parametrize("version", python.INTERPRETERS)
def test_python_workers_outlive_refusals(version, tmp_path):
    item = scenario(made(tmp_path / "ours"))
    item.response_status = 500
    seen = python.ours(version, item)
    assert len(answers(seen)) == EXPECTED
    assert seen["exit"] is None, "a worker that was refused goes on"


@pytest.mark.skipif(not shutil.which("javac"), reason="./dev test installs javac")
def test_java(tmp_path):
    source = os.path.join(HERE, "functions", "java", "Meets.java")
    subprocess.run(["javac", "-cp", JAVA_CLIENT, "-d", tmp_path, source], check=True, timeout=120)
    item = scenario(made(tmp_path / "place"))
    item.handler = "Meets::handler"
    item.log_descriptor = True
    options = ["--add-opens=java.base/java.io=ALL-UNNAMED"]
    command = ["java", *options, "-jar", JAVA_CLIENT]
    seen = comparable(observe(command, str(tmp_path), item, {}), item, [])
    check_answers(seen)
    assert logged(seen) == sorted(
        (identifier(index), "met " + identifier(index) + "\n") for index in range(EXPECTED)
    )


@pytest.mark.skipif(
    not shutil.which("mcs") or not os.path.isdir(FRAMEWORK), reason="./dev test installs them"
)
def test_dotnet(tmp_path):
    source = os.path.join(HERE, "functions", "dotnet", "Meets.cs")
    names = ["Private.CoreLib", "Runtime", "Console", "IO.FileSystem", "Text.Json", "Memory",
             "Runtime.Extensions", "Threading.Thread"]  # fmt: skip
    known = ["-r:%s/System.%s.dll" % (FRAMEWORK, name) for name in names]
    options = ["-nologo", "-noconfig", "-nostdlib", "-nowarn:1685,1701,1702"]
    library = ["-target:library", "-out:%s/Meets.dll" % tmp_path]
    subprocess.run(["mcs", *options, *library, *known, source], check=True, timeout=120)
    framework = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
    config = {"runtimeOptions": {"tfm": "netcoreapp3.1", "framework": framework}}
    (tmp_path / "Meets.runtimeconfig.json").write_text(json.dumps(config))
    item = scenario(made(tmp_path / "place"))
    item.handler = "Meets::Meets::Handle"
    arguments = ["--runtimeconfig", str(tmp_path / "Meets.runtimeconfig.json")]
    client = os.path.join(DOTNET_CLIENT, "Rushlight.Runtime.dll")
    command = [os.path.join(DOTNET, "dotnet"), "exec", *arguments, client, item.handler]
    env = {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "true"}
    seen = comparable(observe(command, str(tmp_path), item, env), item, [])
    check_answers(seen)
    assert logged(seen) == sorted(
        (identifier(index), "met " + identifier(index)) for index in range(EXPECTED)
    )


def made(place):
    place.mkdir()
    return place


def check_answers(seen):
    assert seen["exit"] is None
    posted = answers(seen)
    assert len(posted) == EXPECTED
    for index in range(1, EXPECTED):
        path = "POST /2018-06-01/runtime/invocation/%s/response" % identifier(index)
        answer = json.loads(posted[path])
        assert (answer["id"], answer["met"]) == (identifier(index), True)
        assert answer.get("mine", True)
    failure = posted["POST /2018-06-01/runtime/invocation/%s/error" % identifier(0)]
    assert "errorMessage=met " + identifier(0) in failure
