"""How functions fail, and what their callers and logs see of it."""

import base64
import json
import re
import time

import packages
import pytest
from server import wait_until



def payload(answer):
    return json.loads(answer["Payload"].read())


def tail(answer):
    return base64.b64decode(answer["LogResult"]).decode()


def failed(client, name, event=None):
    """Invokes; returns (payload with the request id replaced, log tail)."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    body = answer["Payload"].read().decode()
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST"
    assert answer.get("FunctionError") == "Unhandled", body
    return json.loads(body.replace(request_id, "<id>")), tail(answer).replace(request_id, "<id>")


def report(log):
    lines = [line for line in log.splitlines() if line.startswith("REPORT")]
    assert len(lines) == 1, log
    return lines[0]


# Errors of handlers


def test_python_raises(probe, golden):
    body, log = failed(probe.client, probe.name, {"do": "raise", "text": "it broke ü"})
    stack = body.pop("stackTrace")
    assert body == {"errorMessage": "it broke ü", "errorType": "ValueError", "requestId": "<id>"}
    assert stack[-1] == '  File "/var/task/index.py", line {}, in do_raise\n    raise ValueError(event.get("text", "raised"))\n'.format(
        re.search(r"line (\d+)", stack[-1])[1]
    )
    assert "[ERROR] ValueError: it broke ü\n" in log or "[ERROR] ValueError: it broke ü\r" in log
    assert "Status:" not in report(log)


def test_python_cannot_serialise(probe):
    body, _ = failed(probe.client, probe.name, {"do": "unserialisable"})
    assert body["errorType"] == "Runtime.MarshalError"
    assert body["errorMessage"] == "Unable to marshal response: Object of type object is not JSON serializable"


def test_node_throws(deploy, client, node_runtime):
    code = "export const handler = async (event) => { throw new TypeError(`bad ${event.what}`); };\n"
    name = deploy(packages.node(code), runtime=node_runtime)
    body, log = failed(client, name, {"what": "thing"})
    trace = body.pop("trace")
    assert body == {"errorType": "TypeError", "errorMessage": "bad thing"}
    assert trace[0] == "TypeError: bad thing" and "/var/task/index.mjs:1:" in trace[1]
    assert "\tERROR\tInvoke Error \t" in log


def test_node_returns_and_logs(deploy, client, node_runtime):
    code = "export const handler = async (event) => { console.log('seen', event.a); return { twice: event.a * 2 }; };\n"
    name = deploy(packages.node(code), runtime=node_runtime)
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 21}', LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert payload(answer) == {"twice": 42}
    assert re.search(rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request_id}\tINFO\tseen 21$", tail(answer), re.M)


def test_node_with_a_callback_and_common_js(deploy, client, node_runtime):
    if node_runtime >= "nodejs24":
        pytest.skip("callback handlers ended with Node.js 24")
    code = "exports.handler = (event, context, callback) => callback(null, context.functionName);\n"
    name = deploy(packages.package({"index.js": code}), runtime=node_runtime)
    assert payload(client.invoke(FunctionName=name)) == name


def test_no_result_is_null(deploy, client, node_runtime):
    for package, runtime in [
        (packages.python("def handler(event, context): pass\n"), None),
        (packages.node("export const handler = async () => {};\n"), node_runtime),
    ]:
        assert client.invoke(FunctionName=deploy(package, runtime=runtime))["Payload"].read() == b"null"


# Errors while starting


def test_init_raises(deploy, client, server):
    name = deploy(packages.python("raise RuntimeError('at import')\n"))
    body, log = failed(client, name)
    assert (body["errorType"], body["errorMessage"], body["requestId"]) == ("RuntimeError", "at import", "")
    assert any("/var/task/index.py" in line for line in body["stackTrace"])
    assert "Status: error\tError Type: " in log
    # The tail begins with the invocation; the log holds the initialisation too.
    events = wait_until(
        lambda: server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"], what="events"
    )
    messages = [event["message"] for event in events]
    assert any(message.startswith("INIT_START ") for message in messages)
    assert any(message.startswith("INIT_REPORT Init Duration: ") for message in messages)
    # It stays so, invocation after invocation.
    assert failed(client, name)[0]["errorMessage"] == "at import"


@pytest.mark.parametrize(
    "files,handler,error_type,message",
    [
        ({"other.py": "x = 1\n"}, "index.handler", "Runtime.ImportModuleError", "Unable to import module 'index': No module named 'index'"),
        ({"index.py": "x = 1\n"}, "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ({"index.py": "def ("}, "index.handler", "Runtime.UserCodeSyntaxError", None),
        ({"index.py": "x = 1\n"}, "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)"),
    ],
    ids=["no module", "no handler", "syntax", "malformed"],
)  # fmt: skip
def test_python_handlers_that_are_not_there(deploy, client, files, handler, error_type, message):
    name = deploy(packages.package(files), handler=handler)
    body, _ = failed(client, name)
    assert body["errorType"] == error_type
    if message:
        assert body["errorMessage"] == message
    else:
        assert body["errorMessage"].startswith("Syntax error in module 'index': ")


@pytest.mark.parametrize(
    "files,handler,error_type,message",
    [
        ({"other.mjs": "\n"}, "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'index'"),
        ({"index.mjs": "export const x = 1;\n"}, "index.handler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ({"index.mjs": "export const ("}, "index.handler", "Runtime.UserCodeSyntaxError", None),
        ({"index.mjs": "\n"}, "nodot", "Runtime.MalformedHandlerName", "Bad handler"),
    ],
    ids=["no module", "no handler", "syntax", "malformed"],
)  # fmt: skip
def test_node_handlers_that_are_not_there(deploy, client, node_runtime, files, handler, error_type, message):
    name = deploy(packages.package(files), runtime=node_runtime, handler=handler)
    body, _ = failed(client, name)
    assert body["errorType"] == error_type
    if message:
        assert body["errorMessage"].split("\n")[0] == message


def test_init_exits(deploy, client):
    name = deploy(packages.python("import os\nos._exit(7)\n"))
    body, log = failed(client, name)
    assert body == {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: <id> Error: Runtime exited with error: exit status 7"}
    assert "Runtime.ExitError" in log


# Custom runtimes


def test_a_compiled_custom_runtime(deploy, client):
    if packages.compiled() is None:
        pytest.skip("no Rust compiler")
    for runtime in ("provided.al2023", "provided.al2"):
        name = deploy(packages.compiled(), runtime=runtime)
        answer = client.invoke(FunctionName=name, Payload=b'{"name": "you"}', LogType="Tail")
        assert "FunctionError" not in answer
        assert "you" in answer["Payload"].read().decode()
        assert "REPORT RequestId: " in tail(answer)


@pytest.mark.parametrize(
    "files",
    [{"other": "#!/bin/sh\n"}, {"bootstrap": "not executable\n"}, {"bootstrap/inner": "x"}],
    ids=["missing", "not executable", "a directory"],
)
def test_no_bootstrap(deploy, client, files):
    body, _ = failed(client, deploy(packages.package(files), runtime="provided.al2023"))
    assert body == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: <id> Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    }


@pytest.mark.parametrize(
    "script,message",
    [
        ("#!/bin/sh\nexit 3\n", "Runtime exited with error: exit status 3"),
        ("#!/bin/sh\nexit 0\n", "Runtime exited without providing a reason"),
        ("#!/bin/sh\nkill -9 $$\n", "Runtime exited with error: signal: killed"),
        ("#!/bin/sh\nkill -SEGV $$\n", "Runtime exited with error: signal: segmentation fault"),
    ],
    ids=["status", "zero", "killed", "segfault"],
)
def test_a_bootstrap_that_ends(deploy, client, script, message):
    body, _ = failed(client, deploy(packages.bootstrap(script), runtime="provided.al2023"))
    assert body["errorType"] == "Runtime.ExitError"
    assert body["errorMessage"].startswith(f"RequestId: <id> Error: {message}")


# Misuse of the Runtime API, from a bootstrap of a few lines of Python

MISUSER = """#!/usr/bin/env python3
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=60)
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read()
while True:
    status, headers, event = call("GET", "/invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    seen = []
    def note(*answer):
        try: parsed = json.loads(answer[2])
        except ValueError: parsed = answer[2].decode()
        seen.append([answer[0], parsed])
    note(*call("POST", "/invocation/00000000-0000-4000-8000-000000000000/response", b"{}"))
    note(*call("POST", "/invocation/nonsense/response", b"{}"))
    note(*call("POST", "/init/error", b"{}"))
    note(*call("GET", "/nothing"))
    note(*call("GET", "/restore/next"))
    note(*call("POST", f"/invocation/{request_id}/response", b"{}", {"Lambda-Runtime-Invocation-Id": "wrong"}))
    call("POST", f"/invocation/{request_id}/response", json.dumps(
        {"seen": seen, "headers": sorted(name for name in headers if name.startswith("Lambda-"))}).encode())
"""


def test_misuse_of_the_runtime_api(deploy, client, python_runtime):
    name = deploy(packages.bootstrap(MISUSER), runtime="provided.al2023", Timeout=20)
    answer = client.invoke(FunctionName=name)
    body = payload(answer)
    assert "FunctionError" not in answer, body
    seen = body["seen"]
    invalid = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    assert seen[0] == [400, invalid]
    assert seen[1] == [400, invalid]
    assert seen[2][0] == 403 and seen[2][1]["errorType"] == "InvalidStateTransition"
    assert seen[3][0] == 404
    assert seen[4][0] in (403, 404)
    assert seen[5][0] == 400 and seen[5][1]["errorType"] == "InvalidInvocationId"
    assert {"Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms", "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id"} <= set(
        body["headers"]
    )
    assert payload(client.invoke(FunctionName=name))["seen"] == seen


HASTY = """#!/usr/bin/env python3
import os, re, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.create_connection((host, int(port)))
api.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
event = b""
while b"\\r\\n\\r\\n" not in event or event.endswith(b"\\r\\n\\r\\n"):
    event += api.recv(65536)
request = re.search(rb"Lambda-Runtime-Aws-Request-Id: (\\S+)", event)[1]
body = event.rsplit(b"\\r\\n\\r\\n", 1)[1]
api.sendall(b"POST /2018-06-01/runtime/invocation/" + request + b"/response HTTP/1.1\\r\\n"
            b"Host: x\\r\\nContent-Length: " + str(len(body)).encode() + b"\\r\\n\\r\\n" + body)
os._exit(5)
"""


def test_a_runtime_that_answers_and_ends_at_once(deploy, client):
    """What it has sent counts, whatever is noticed first: the answer, or the end."""
    name = deploy(packages.bootstrap(HASTY), runtime="provided.al2023", Timeout=20)
    for number in range(30):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(number))
        assert (answer.get("FunctionError"), payload(answer)) == (None, number)


# Ends


def test_timeout(deploy, client):
    name = deploy(Timeout=1)
    write = {"do": "write", "path": "/tmp/kept", "text": "kept"}
    client.invoke(FunctionName=name, Payload=json.dumps(write))
    before = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))
    began = time.monotonic()
    body, log = failed(client, name, {"do": "sleep", "seconds": 30})
    took = time.monotonic() - began
    assert body == {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: <id> Error: Task timed out after 1.00 seconds"}
    assert 1 <= took < 5
    line = report(log)
    duration = float(re.search(r"\tDuration: (\S+) ms", line)[1])
    assert 1000 <= duration < 1500
    assert line.endswith("\tStatus: timeout") or "\tStatus: timeout\t" in line
    assert "sleeping 30" in log
    # A new process, and the same /tmp.
    after = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))
    assert after["environment"] != before["environment"] and after["invocations"] == 1
    assert payload(client.invoke(FunctionName=name, Payload=b'{"do": "read", "path": "/tmp/kept"}')) == "kept"


def test_timeout_of_a_function_that_ignores_signals(deploy, client):
    code = (
        "import signal, time\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "def handler(event, context):\n"
        "    while True: pass\n"
    )
    name = deploy(packages.python(code), Timeout=1)
    began = time.monotonic()
    assert failed(client, name)[0]["errorType"] == "Sandbox.Timedout"
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("action", ["exit", "sys_exit"])
def test_exit_in_the_handler(deploy, client, action):
    name = deploy()
    before = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))
    body, log = failed(client, name, {"do": action, "status": 0})
    assert body == {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: <id> Error: Runtime exited without providing a reason"}
    assert "Status: error\tError Type: Runtime.ExitError" in report(log)
    after = payload(client.invoke(FunctionName=name, Payload=b'{"do": "who"}'))
    assert after["environment"] != before["environment"]


def test_exit_with_a_status(probe):
    body, _ = failed(probe.client, probe.name, {"do": "exit", "status": 42})
    assert body == {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: <id> Error: Runtime exited with error: exit status 42"}


def test_out_of_memory(deploy, client):
    name = deploy(MemorySize=128, Timeout=60)
    body, log = failed(client, name, {"do": "memory", "megabytes": 400})
    assert body["errorType"] == "Runtime.OutOfMemory"
    assert body["errorMessage"].startswith("RequestId: <id> Error: Runtime exited with error: signal: killed")
    assert "Status: error\tError Type: Runtime.OutOfMemory" in report(log)
    assert re.search(r"Max Memory Used: 1[0-3]\d MB", report(log)), log
    assert payload(client.invoke(FunctionName=name, Payload=b'"alive"')) == "alive"


def test_a_wrapper_script(deploy, client):
    files = {"index.py": "import os\ndef handler(event, context): return os.environ.get('WRAPPED')\n"}
    files["wrap"] = '#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n'
    name = deploy(packages.package(files), Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}})
    assert int(payload(client.invoke(FunctionName=name))) >= 2
    name = deploy(packages.package(files), Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/absent"}})
    body, _ = failed(client, name)
    assert body["errorType"] == "Runtime.ExitError" and body["errorMessage"].endswith("exit status 127")


def test_an_init_beyond_its_limit_runs_again_under_the_timeout(deploy, client, server):
    """After ten seconds it is ended, and repeated as part of the invocation; what it left in /tmp is there."""
    source = """
import os, time
again = os.path.exists("/tmp/begun")
open("/tmp/begun", "w").close()
time.sleep(0.5 if again else 60)
def handler(event, context): return again
"""
    name = deploy(packages.python(source), Timeout=5)
    answer = client.invoke(FunctionName=name)
    assert "FunctionError" not in answer and json.load(answer["Payload"]) is True
    group = f"/aws/lambda/{name}"
    read = lambda: [event["message"] for event in server.client("logs").filter_log_events(logGroupName=group)["events"]]  # noqa: E731
    wait_until(lambda: any(message.startswith("REPORT") for message in read()), what="the report")
    kinds = [re.match("[A-Z_]+", message)[0] for message in read()]
    assert kinds == ["INIT_START", "INIT_REPORT", "START", "END", "REPORT"]
    _, init_report, *_, report = read()
    duration = re.fullmatch(r"INIT_REPORT Init Duration: ([0-9.]+) ms\tPhase: init\tStatus: timeout\n?", init_report)[1]
    assert 10_000 <= float(duration) < 12_000
    # The second initialisation is part of the invocation, and its time is the invocation's.
    assert "Init Duration" not in report
    assert 500 <= float(re.search(r"\tDuration: ([0-9.]+) ms", report)[1]) < 5000


def test_an_init_that_takes_longer_than_the_timeout(deploy, client):
    """Init has ten seconds of its own: it does not eat the function's timeout."""
    name = deploy(packages.python("import time\ntime.sleep(3)\ndef handler(event, context): return 'late'\n"), Timeout=1)
    answer = client.invoke(FunctionName=name, LogType="Tail")
    assert payload(answer) == "late"
    assert float(re.search(r"Init Duration: (\S+) ms", tail(answer))[1]) >= 3000


def test_processes_left_behind_do_not_disturb(deploy, client):
    name = deploy()
    client.invoke(FunctionName=name, Payload=b'{"do": "spawn", "seconds": 600}')
    assert payload(client.invoke(FunctionName=name, Payload=b'"next"')) == "next"
