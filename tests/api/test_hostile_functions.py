"""Functions and extensions that mean harm to the server: after each attack others are answered as before, the server has
grown by no more than is stated here, and nothing of the attacker is left.

What is out of a function's reach is shown in test_isolation.py; what becomes of functions that fail without meaning to,
in test_function_failures.py.
"""

import json
import re
import statistics
import threading
import time

import leftovers
import packages
import pytest
from conftest import ISOLATION
from server import unique, wait_until

MEGABYTE = 1 << 20
# What the server may need beside what it had before the attack, at any time of it: an answer of 6 MB here and there.
MEMORY = 64 * MEGABYTE
# Connections of the Runtime API that are open at a time for one environment, and some more.
DESCRIPTORS = 64 + 40
# What may come and go by itself: connections of clients, files of the store.
CHANCE = 12


class Attack:
    """One attack, and the most that the server had of the machine meanwhile."""

    def __init__(self, server, deployer, neighbour):
        self.server, self.deploy, self.neighbour = server, deployer(server), neighbour
        self.client = server.client()
        self.memory = MEMORY
        self.pid = server.process.pid
        self.neighbour_answers()
        self.before = {"memory": leftovers.resident(self.pid), "descriptors": leftovers.descriptors(self.pid)}
        self.most, self.held = dict(self.before), self._held()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    def _look(self):
        while not self._over.wait(0.03):
            self.most["memory"] = max(self.most["memory"], leftovers.resident(self.pid))
            self.most["descriptors"] = max(self.most["descriptors"], leftovers.descriptors(self.pid))

    def _held(self):
        """Processes, control groups, networks and firewall tables."""
        names = leftovers.named(leftovers.instance(self.server.data))
        return len(leftovers.children_of(self.pid)), sorted(names)

    def layer(self, **files):
        files = {name.replace("__", "/"): content for name, content in files.items()}
        content = {"ZipFile": packages.package(files)}
        return self.client.publish_layer_version(LayerName=unique("hostile"), Content=content)["LayerVersionArn"]

    def invoke(self, name, event=None):
        """(error type, payload); no error type where the function has not failed."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}))
        payload = json.loads(answer["Payload"].read())
        return (payload.get("errorType") if "FunctionError" in answer else None), payload

    def log(self, name):
        """What has been written to it; it may be on its way."""
        logs = self.server.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        try:
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def neighbour_answers(self):
        event = {"said": unique("to the neighbour")}
        assert self.invoke(self.neighbour, event) == (None, event)

    def end(self):
        self._over.set()
        self._watch.join()

    def check(self):
        self.neighbour_answers()
        self.deploy.remove()
        wait_until(lambda: self._held() == self.held, what="that what the attacker had is gone")
        few = self.before["descriptors"] + CHANCE
        wait_until(lambda: leftovers.descriptors(self.pid) <= few, what="that descriptors are closed")
        grown = {what: self.most[what] - self.before[what] for what in self.most}
        print(f"the server had {grown['memory'] / MEGABYTE:.0f} MB and {grown['descriptors']} descriptors more")
        assert grown["descriptors"] <= DESCRIPTORS
        assert grown["memory"] <= self.memory, f"{grown['memory'] >> 20} MB"


@pytest.fixture(scope="module")
def attacked(serve, deployer):
    """A server of its own, so that whatever it holds it holds for the attack; its end checks that nothing is left."""
    # Networks that are ready for the next sandboxes would look like what an attacker has left.
    server = serve("--isolation", ISOLATION, "--sandboxes-ahead", "0")
    deploy = deployer(server)
    neighbour = deploy(Timeout=30, MemorySize=1769)
    for _ in range(20):
        server.client().invoke(FunctionName=neighbour, Payload=json.dumps("x" * 100_000))
    yield server, neighbour
    deploy.remove()
    assert "panicked" not in server.log.read_text(errors="replace"), server.log_tail(200)
    assert server.stop() == 0


@pytest.fixture
def attack(attacked, deployer):
    attack = Attack(attacked[0], deployer, attacked[1])
    try:
        yield attack
    finally:
        attack.end()
    attack.check()


# Processes that outlive what started them

DAEMON = """
import os, signal, sys, time

for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.monotonic()}\\n")
    time.sleep(0.01)
    # A process that is another one each time is hard to catch.
    if sys.argv[2] == "restless" and os.fork():
        os._exit(0)
"""

LAUNCH = """
import json, os, pathlib, sys, time

def launch(path, kind):
    '''A daemon: of nobody's session, and nobody's child.'''
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            os.execv(sys.executable, [sys.executable, "/opt/daemon.py", path, kind])
        os._exit(0)
    os.wait()
"""

LAUNCHING_FUNCTION = (
    LAUNCH
    + """
def handler(event, context):
    began = time.monotonic()
    for path, kind in event.get("launch", {}).items():
        launch(path, kind)
    time.sleep(event.get("sleep", 0.5))
    ticks = {path: [float(tick) for tick in pathlib.Path(path).read_text().split()] for path in event["read"]}
    return {"began": began, "ended": time.monotonic(), "ticks": ticks}
"""
)

LAUNCHING_EXTENSION = (
    "#!/usr/bin/env python3\nimport urllib.request\n"
    + LAUNCH
    + """
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
request = urllib.request.Request(f"{API}/register", b'{"events": []}', headers={"Lambda-Extension-Name": "launcher"})
with urllib.request.urlopen(request) as answer:
    identifier = answer.headers["Lambda-Extension-Identifier"]
launch(os.environ["DAEMON"] + "-steady", "steady")
launch(os.environ["DAEMON"] + "-restless", "restless")
request = urllib.request.Request(f"{API}/event/next", headers={"Lambda-Extension-Identifier": identifier})
urllib.request.urlopen(request, timeout=None)
"""
)


def test_daemons_are_frozen_with_their_environment_and_end_with_it(attack):
    mark = f"/tmp/{unique('daemon')}"
    own = {f"{mark}-function-{kind}": kind for kind in ("steady", "restless")}
    daemons = [*own, f"{mark}-extension-steady", f"{mark}-extension-restless"]
    layer = attack.layer(extensions__launcher=LAUNCHING_EXTENSION, **{"daemon.py": DAEMON})
    variables = {"DAEMON": f"{mark}-extension"}
    name = attack.deploy(
        packages.python(LAUNCHING_FUNCTION), Timeout=5, MemorySize=512, Layers=[layer], Environment={"Variables": variables}
    )

    def running():
        """One that is another process each time is not there at every look."""
        return [path for path in daemons if any(leftovers.running(path) for _ in range(5))]

    error, first = attack.invoke(name, {"launch": own, "read": daemons})
    assert error is None, first
    time.sleep(3)
    error, second = attack.invoke(name, {"read": daemons})
    assert error is None, second
    for path, ticks in second["ticks"].items():
        assert any(first["began"] < tick < first["ended"] for tick in ticks), path
        assert any(second["began"] < tick < second["ended"] for tick in ticks), f"{path} did not go on"
        between = [tick for tick in ticks if first["began"] < tick < second["ended"]]
        gap = max(later - earlier for earlier, later in zip(between, between[1:]))
        assert gap > 1, f"{path} was never still"
    assert running() == daemons

    # What fails, fails with everything that it began.
    assert attack.invoke(name, {"read": daemons, "sleep": 30})[0] == "Sandbox.Timedout"
    wait_until(lambda: not running(), timeout=10, what="the end of the daemons")

    # And so does what is not needed any more.
    assert attack.invoke(name, {"launch": own, "read": daemons})[0] is None
    assert running() == daemons
    attack.client.update_function_configuration(FunctionName=name, Description="changed")
    wait_until(lambda: not running(), timeout=10, what="the end of the daemons")


# Connections to the Runtime API

HOLDER = """
import os, socket, threading, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
HEAD = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\nX: "
BODY = b"POST /2018-06-01/runtime/invocation/00000000-0000-4000-8000-000000000000/response HTTP/1.1\\r\\nContent-Length: 999\\r\\n\\r\\n{"
held, slow, invocations = [], [], 0

def drip():
    while True:
        for connection in slow:
            try: connection.send(b"x")
            except OSError: pass
        time.sleep(0.05)

def hold(count):
    '''Connections that say nothing, half a head, half a body, or a head byte by byte.'''
    for _ in range(count):
        connection = socket.socket()
        # Where the kernel has no room for more of them they are not there yet, and it goes on trying.
        connection.setblocking(False)
        connection.connect_ex((host, int(port)))
        held.append(connection)
    time.sleep(0.2)
    for number, connection in enumerate(held):
        beginning = [b"", HEAD, BODY, HEAD[:10]][number % 4]
        try: connection.send(beginning)
        except OSError: pass
        if number % 4 == 3:
            slow.append(connection)
    threading.Thread(target=drip, daemon=True).start()

def handler(event, context):
    global invocations
    invocations += 1
    if event.get("hold"):
        hold(event["hold"])
    return [len(held), invocations]
"""


def test_hundreds_of_connections_to_the_runtime_api(attack):
    """Some are served, the rest waits in the kernel; the runtime goes on with the one that it has."""
    name = attack.deploy(packages.python(HOLDER), Timeout=20, MemorySize=512)
    assert attack.invoke(name, {"hold": 400}) == (None, [400, 1])
    for number in range(2, 30):
        assert attack.invoke(name) == (None, [400, number])
    time.sleep(0.5)
    assert attack.invoke(name) == (None, [400, 30]), "after a freeze as well"


IMPATIENT = """#!/usr/bin/env python3
import http.client, json, os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

def call(method, path, body=None):
    '''On a connection of its own, as a shell script does.'''
    api = http.client.HTTPConnection(host, int(port), timeout=600)
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.headers, answer.read()

held = []
while True:
    headers, event = call("GET", "next")
    if json.loads(event).get("hold"):
        held = [socket.create_connection((host, int(port))) for _ in range(100)]
    call("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(len(held)))
"""


def test_who_takes_all_connections_shuts_out_nobody_but_itself(attack):
    name = attack.deploy(packages.bootstrap(IMPATIENT), runtime="provided.al2023", Timeout=2)
    assert attack.invoke(name) == (None, 0)
    assert attack.invoke(name, {"hold": True})[0] == "Sandbox.Timedout"
    assert attack.invoke(name) == (None, 0)


# Answers that nobody asked for

MISUSER = """#!/usr/bin/env python3
import http.client, json, os, threading, time

def call(method, path, body=None, attempt=None):
    headers = {"Lambda-Runtime-Invocation-Id": attempt} if attempt else {}
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=600)
    try:
        api.request(method, "/2018-06-01/runtime" + path, body, headers)
        answer = api.getresponse()
        return answer.status, answer.headers, answer.read()
    except (OSError, http.client.HTTPException):
        return None, {}, b""

def note(what, answer):
    try: parsed = json.loads(answer[2])
    except ValueError: parsed = answer[2].decode()
    seen[what] = [answer[0], parsed]

def identifiers(headers):
    return headers["Lambda-Runtime-Aws-Request-Id"], headers["Lambda-Runtime-Invocation-Id"]

seen = {}
unknown = "00000000-0000-4000-8000-000000000000"
note("response before the first event", call("POST", f"/invocation/{unknown}/response", b"{}"))
note("error before the first event", call("POST", f"/invocation/{unknown}/error", b"{}"))

_, headers, event = call("GET", "/invocation/next")
first, attempt = identifiers(headers)
note("next while serving", call("GET", "/invocation/next"))
note("response", call("POST", f"/invocation/{first}/response", b'"first"', attempt))
note("response after the response", call("POST", f"/invocation/{first}/response", b'"second"', attempt))
note("error after the response", call("POST", f"/invocation/{first}/error", b'{"errorType": "Late"}', attempt))
note("init error after the response", call("POST", "/init/error", b"{}"))

events = []
waiting = [threading.Thread(target=lambda: events.append(call("GET", "/invocation/next"))) for _ in range(2)]
for thread in waiting:
    thread.start()
    time.sleep(0.02)
note("response while idle", call("POST", f"/invocation/{first}/response", b'"idle"'))
note("error while idle", call("POST", f"/invocation/{first}/error", b"{}"))
note("init error while idle", call("POST", "/init/error", b"{}"))
for thread in waiting:
    thread.join()
seen["two who ask at a time"] = sorted(answer[0] or 0 for answer in events)
(headers,) = [answer[1] for answer in events if answer[0] == 200]
second, current = identifiers(headers)

note("response to the former", call("POST", f"/invocation/{first}/response", b'"former"'))
note("error of the former", call("POST", f"/invocation/{first}/error", b"{}"))
note("response of the former attempt", call("POST", f"/invocation/{second}/response", b'"attempt"', attempt))
note("error of the former attempt", call("POST", f"/invocation/{second}/error", b"{}", attempt))
note("attempt of another", call("POST", f"/invocation/{second}/response", b"{}", unknown))
call("POST", f"/invocation/{second}/response", json.dumps(seen), current)

_, headers, event = call("GET", "/invocation/next")
third, current = identifiers(headers)
seen = {}
note("error", call("POST", f"/invocation/{third}/error", b'{"errorType": "Mine", "errorMessage": "m"}', current))
note("error after the error", call("POST", f"/invocation/{third}/error", b'{"errorType": "Second"}', current))
note("response after the error", call("POST", f"/invocation/{third}/response", b'"after all"', current))

while True:
    _, headers, event = call("GET", "/invocation/next")
    other = json.loads(event).get("answer")
    if other:
        note("response for another environment", call("POST", f"/invocation/{other}/response", b'"stolen"'))
        note("error for another environment", call("POST", f"/invocation/{other}/error", b'{"errorType": "Stolen"}'))
    call("POST", f"/invocation/{identifiers(headers)[0]}/response", json.dumps(seen))
"""


def test_answers_out_of_turn(attack):
    name = attack.deploy(packages.bootstrap(MISUSER), runtime="provided.al2023", Timeout=30)
    accepted = [202, {"status": "OK"}]
    no_such_request = [400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]
    no_such_attempt = [400, {"errorMessage": "Invalid invocation ID", "errorType": "InvalidInvocationId"}]

    def not_now(origin, target):
        message = f"State transition from {origin} to {target} failed for runtime. Error: State transition is not allowed"
        return [403, {"errorMessage": message, "errorType": "InvalidStateTransition"}]

    # The first answer counts, whatever is said afterwards.
    assert attack.invoke(name) == (None, "first")
    time.sleep(1)
    error, seen = attack.invoke(name)
    assert error is None
    # Only one is given the event: the other one's connection is closed, or it asks while the first serves.
    assert seen.pop("two who ask at a time") in ([0, 200], [200, 403])
    idle = seen.pop("init error while idle")
    # It may have been frozen before it came to that, and then serves already.
    assert idle in (not_now("Ready", "InitError"), not_now("Running", "InitError"))
    sent = "RuntimeResponseSentState"
    assert seen == {
        "response before the first event": no_such_request,
        "error before the first event": no_such_request,
        "next while serving": not_now("Running", "Ready"),
        "response": accepted,
        "response after the response": not_now(sent, "InvocationResponse"),
        "error after the response": not_now(sent, "InvocationErrorResponse"),
        "init error after the response": not_now(sent, "InitError"),
        "response while idle": no_such_request,
        "error while idle": no_such_request,
        "response to the former": no_such_request,
        "error of the former": no_such_request,
        "response of the former attempt": no_such_attempt,
        "error of the former attempt": no_such_attempt,
        "attempt of another": no_such_attempt,
    }
    # The same environment is to serve the next one: it must be done with this one.
    wait_until(lambda: sum(line.startswith("REPORT") for line in attack.log(name)) == 2, what="the second report")
    assert attack.invoke(name) == ("Mine", {"errorType": "Mine", "errorMessage": "m"})

    # What another environment serves is none of its business.
    victim = attack.deploy(Timeout=30)
    answers = []
    serving = threading.Thread(target=lambda: answers.append(attack.invoke(victim, {"do": "sleep", "seconds": 3})))
    serving.start()
    started = lambda: [line.split()[2] for line in attack.log(victim) if line.startswith("START")]  # noqa: E731
    (other,) = wait_until(started, what="the invocation of the victim")
    error, seen = attack.invoke(name, {"answer": other})
    serving.join()
    assert error is None and seen == {
        "error": accepted,
        "error after the error": not_now(sent, "InvocationErrorResponse"),
        "response after the error": not_now(sent, "InvocationResponse"),
        "response for another environment": no_such_request,
        "error for another environment": no_such_request,
    }
    assert answers == [(None, "slept")]


HALF = """#!/usr/bin/env python3
import http.client, json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

def call(method, path, body=None):
    api = http.client.HTTPConnection(host, int(port), timeout=600)
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())

while True:
    status, headers, event = call("GET", "next")
    if status != 200:
        # Nobody has noticed yet that the answer will never be whole.
        time.sleep(0.05)
        continue
    request = headers["Lambda-Runtime-Aws-Request-Id"]
    half = socket.create_connection((host, int(port)))
    half.sendall(f"POST /2018-06-01/runtime/invocation/{request}/response HTTP/1.1\\r\\nContent-Length: 7\\r\\n\\r\\n".encode() + b'"ha')
    time.sleep(0.3)
    second = call("POST", f"{request}/response", b'"whole"')
    print("second: " + json.dumps(second[::2]), flush=True)
    if event["finish"]:
        half.sendall(b'lf" ')
        half.recv(1000)
    half.close()
"""


def test_half_an_answer(attack):
    """As long as one is being sent there is no room for another; if it is never sent whole the invocation has failed."""
    name = attack.deploy(packages.bootstrap(HALF), runtime="provided.al2023", Timeout=20)
    assert attack.invoke(name, {"finish": True}) == (None, "half")
    assert attack.invoke(name, {"finish": False})[0] == "Runtime.TruncatedResponse"
    assert attack.invoke(name, {"finish": True}) == (None, "half")
    said = lambda: [line.removeprefix("second: ") for line in attack.log(name) if line.startswith("second: ")]  # noqa: E731
    wait_until(lambda: len(said()) == 3, what="what became of the others")
    assert [(status, error["errorType"]) for status, error in map(json.loads, said())] == [(403, "InvalidStateTransition")] * 3


LATE = """#!/usr/bin/env python3
import http.client, json, os

def call(method, path, body=None, **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=600)
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())

events = b'{"events": ["INVOKE", "SHUTDOWN"]}'
_, headers, _ = call("POST", "/2020-01-01/extension/register", events, **{"Lambda-Extension-Name": "late"})
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
while True:
    _, _, event = call("GET", "/2020-01-01/extension/event/next", **identifier)
    if event["eventType"] == "SHUTDOWN":
        break
    request = event["requestId"]
seen = [event["shutdownReason"]]
for path in (f"invocation/{request}/response", f"invocation/{request}/error", "init/error"):
    seen.append(call("POST", f"/2018-06-01/runtime/{path}", b'"too late"')[::2])
seen.append(call("GET", "/2018-06-01/runtime/invocation/next")[0])
print("late: " + json.dumps(seen), flush=True)
"""


def test_answers_after_the_timeout(attack):
    """Extensions live on for a moment when the runtime is gone, and speak to the same address."""
    layer = attack.layer(extensions__late=LATE)
    name = attack.deploy(Timeout=1, Layers=[layer])
    error, payload = attack.invoke(name, {"do": "sleep", "seconds": 30})
    assert error == "Sandbox.Timedout"
    said = lambda: [line for line in attack.log(name) if line.startswith("late: ")]  # noqa: E731
    line = wait_until(said, what="what the extension has seen")[0]
    reason, response, error, init_error, next_event = json.loads(line.removeprefix("late: "))
    assert reason == "timeout"
    no_such_request = [400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]
    assert response == error == no_such_request
    assert (init_error[0], init_error[1]["errorType"], next_event) == (403, "InvalidStateTransition", 403)
    assert attack.invoke(name, {"do": "echo"}) == (None, {"do": "echo"})


# Requests without end

GIANT = """#!/usr/bin/env python3
import http.client, json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
PIECE = 1 << 18

def connect():
    connection = socket.create_connection((host, int(port)), timeout=5)
    return connection

def pour(beginning, piece, most=1 << 30, seconds=2.5):
    '''Sends this for so long, or until the server closes: how many bytes that took, and the answer.'''
    connection, sent, closed = connect(), 0, False
    until = time.monotonic() + seconds
    try:
        connection.sendall(beginning)
        while sent < most and time.monotonic() < until:
            sent += connection.send(piece[: most - sent])
    except OSError:
        closed = True
    answer = b""
    try:
        connection.settimeout(0.3)
        answer = connection.recv(4096)
    except OSError:
        pass
    connection.close()
    return {"sent": sent, "closed": closed, "answer": answer.split(b"\\r\\n")[0].decode()}

def pipeline(seconds=2):
    '''Asks and asks, and reads no answer.'''
    connection, sent = connect(), 0
    connection.settimeout(0.5)
    until, piece = time.monotonic() + seconds, b"GET /2018-06-01/ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 1000
    try:
        while time.monotonic() < until:
            sent += connection.send(piece)
    except TimeoutError:
        return {"sent": sent, "stuck": True}
    return {"sent": sent, "stuck": False}

def attack(kind, request):
    post = f"POST /2018-06-01/runtime/invocation/{request}/response HTTP/1.1\\r\\nHost: x\\r\\n".encode()
    chunked = post + b"Transfer-Encoding: chunked\\r\\n\\r\\n"
    if kind == "header":
        return pour(b"GET /2018-06-01/ping HTTP/1.1\\r\\nX-Large: ", b"x" * PIECE)
    if kind == "headers":
        return pour(b"GET /2018-06-01/ping HTTP/1.1\\r\\n", b"X-Many: x\\r\\n" * (PIECE // 11))
    if kind == "request line":
        return pour(b"GET /", b"x" * PIECE)
    if kind == "empty lines":
        return pour(b"", b"\\r\\n" * (PIECE // 2))
    if kind == "chunk extension":
        return pour(chunked + b"5;", b"x" * PIECE)
    if kind == "chunk size":
        return pour(chunked, b"0" * PIECE)
    if kind == "trailers":
        return pour(chunked + b"2\\r\\n{}\\r\\n0\\r\\n", b"X-Trailer: x\\r\\n" * (PIECE // 14))
    if kind == "chunks":
        return pour(chunked, (b"8000\\r\\n" + b"x" * 0x8000 + b"\\r\\n") * 8)
    if kind == "small chunks":
        return pour(chunked, b"1\\r\\nx\\r\\n" * (PIECE // 6))
    if kind == "length":
        return pour(post + b"Content-Length: 1000000000000000000\\r\\n\\r\\n", b"x" * PIECE)
    if kind == "one byte too many":
        return pour(post + b"Content-Length: 6291557\\r\\n\\r\\n", b"x" * PIECE, most=6291557)
    if kind == "body of a ping":
        return pour(b"GET /2018-06-01/ping HTTP/1.1\\r\\nContent-Length: 1000000000000000000\\r\\n\\r\\n", b"x" * PIECE)
    if kind == "registration":
        return pour(b"POST /2020-01-01/extension/register HTTP/1.1\\r\\nLambda-Extension-Name: x\\r\\n"
                    b"Transfer-Encoding: chunked\\r\\n\\r\\n", (b"8000\\r\\n" + b"x" * 0x8000 + b"\\r\\n") * 8)
    return pipeline()

api = http.client.HTTPConnection(host, int(port), timeout=600)
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    event, request = json.loads(answer.read()), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    if "attack" in event:
        # The caller may have had its answer long before this.
        print("report: " + json.dumps(event | attack(event["attack"], request)), flush=True)
    api.request("POST", f"/2018-06-01/runtime/invocation/{request}/response", json.dumps(event))
    api.getresponse().read()
"""


@pytest.fixture
def giant(attack):
    """A function that attacks as it is told, and a way to what it has seen of that."""
    name = attack.deploy(packages.bootstrap(GIANT), runtime="provided.al2023", Timeout=30, MemorySize=512)

    def report(kind):
        lines = [line.removeprefix("report: ") for line in attack.log(name) if line.startswith("report: ")]
        return next((report for report in map(json.loads, lines) if report["attack"] == kind), None)

    def attempt(kind):
        outcome = attack.invoke(name, {"attack": kind})
        seen = wait_until(lambda: report(kind), what=f"what became of the attack by {kind}")
        attack.neighbour_answers()
        assert attack.invoke(name) == (None, {}), "it goes on, or anew"
        return outcome, seen

    return attempt


# What the kernel may take on the way: bytes that were sent, and that nobody has read.
ON_THE_WAY = 16 * MEGABYTE
TOO_LARGE, MALFORMED = "HTTP/1.1 431 Request Header Fields Too Large", "HTTP/1.1 400 Bad Request"
REFUSED = [
    ("header", None, TOO_LARGE),
    ("headers", None, TOO_LARGE),
    ("request line", None, TOO_LARGE),
    ("empty lines", None, MALFORMED),
    ("chunk extension", "Runtime.TruncatedResponse", MALFORMED),
    ("chunk size", "Runtime.TruncatedResponse", MALFORMED),
    ("trailers", "Runtime.TruncatedResponse", MALFORMED),
]


@pytest.mark.parametrize("kind,error_type,answer", REFUSED, ids=[kind for kind, _, _ in REFUSED])
def test_requests_without_end_are_refused(giant, kind, error_type, answer):
    (error, _), report = giant(kind)
    assert error == error_type
    assert report["closed"] and report["sent"] < ON_THE_WAY, report
    # An answer gets lost where more is sent after it.
    assert report["answer"] in ("", answer)


@pytest.mark.parametrize("kind", ["chunks", "small chunks", "length", "one byte too many"])
def test_bodies_without_end_are_read_and_not_kept(giant, kind):
    """The invocation has failed by then; whoever sends on only wastes its own time."""
    (error, payload), report = giant(kind)
    assert error == "Function.ResponseSizeTooLarge"
    assert payload["errorMessage"] == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert report["sent"] >= 6_291_557
    if kind == "one byte too many":
        assert report["answer"] == "HTTP/1.1 413 Request Entity Too Large"


@pytest.mark.parametrize("kind", ["body of a ping", "registration"])
def test_bodies_without_end_that_nobody_wants(giant, kind):
    (error, _), report = giant(kind)
    assert error is None and report["sent"] > 0


def test_answers_that_nobody_reads(giant):
    """Requests without end whose answers are left: the server stops reading them."""
    (error, _), report = giant("pipeline")
    assert error is None and report["stuck"] and report["sent"] < 4 * ON_THE_WAY, report


DEAF = """#!/usr/bin/env python3
import json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.socket()
api.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
api.connect((host, int(port)))
api.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
time.sleep(600)
"""


def test_an_event_that_nobody_reads(attack):
    """It waits for as long as the function may take, and not longer."""
    name = attack.deploy(packages.bootstrap(DEAF), runtime="provided.al2023", Timeout=1)
    for _ in range(2):
        assert attack.invoke(name, {"large": "x" * 6_000_000})[0] == "Sandbox.Timedout"


# All that there is of something

HOARDER = """
import os, threading, time

def processes():
    '''As the sandbox shows them: every thread of every process.'''
    return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in os.listdir("/proc") if pid.isdigit())

def fork():
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)

def thread():
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

def handler(event, context):
    threading.stack_size(64 << 10)
    refused = None
    if "what" in event:
        more = {"processes": fork, "threads": thread, "descriptors": lambda: os.dup(0)}[event["what"]]
        try:
            while True:
                more()
        except (OSError, RuntimeError) as error:
            refused = str(error)
        if event["what"] == "descriptors":
            return [None, refused]
    return [processes(), refused]
"""


@pytest.mark.parametrize("what", ["processes", "threads", "descriptors"])
def test_who_keeps_all_that_there_is(attack, what):
    """The runtime goes on with what it has, and nobody else notices."""
    name = attack.deploy(packages.python(HOARDER), Timeout=30, MemorySize=1769)
    error, (count, refused) = attack.invoke(name, {"what": what})
    assert error is None and refused
    if what == "descriptors":
        assert "Too many open files" in refused
    else:
        print(f"{count} processes and threads")
        assert count == 1024
    attack.neighbour_answers()
    # What it keeps it keeps.
    error, payload = attack.invoke(name, {"what": what})
    assert error is None and payload == [count, refused]


# Floods of logs: last, because the memory that they take hides what others would

FLOOD = """
import json, os, pathlib, sys, threading, time

def flood(descriptor, name, seconds, lines):
    '''Writes lines of 8 KB, as fast as they are read, for so long or so many; their number.'''
    line = name.encode().ljust(8191, b"~") + b"\\n"
    written, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and written < lines:
        view = memoryview(line * 8)
        while view:
            view = view[os.write(descriptor, view):]
        written += 8
    return written
"""

FLOODING_FUNCTION = (
    FLOOD
    + """
def handler(event, context):
    if "seconds" not in event:
        return event
    return flood(1, "of the function", event["seconds"], event.get("lines", 1 << 60))
"""
)

FLOODING_EXTENSION = (
    "#!/usr/bin/env python3\nimport urllib.request\n"
    + FLOOD
    + """
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"

def call(path, body=None, **headers):
    request = urllib.request.Request(f"{API}/{path}", body, headers=headers)
    with urllib.request.urlopen(request, timeout=None) as answer:
        return answer.headers.get("Lambda-Extension-Identifier"), json.loads(answer.read())

identifier, _ = call("register", b'{"events": ["INVOKE"]}', **{"Lambda-Extension-Name": "flooder"})
while True:
    call("event/next", **{"Lambda-Extension-Identifier": identifier})
    print("extension wrote", flood(1, "of the extension", 3, 1 << 60), flush=True)
"""
)


def quantiles(times):
    cuts = statistics.quantiles(times, n=100)
    return f"{len(times)} invocations, p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


class Load:
    """Invocations of the neighbour, one after the other; each is answered rightly."""

    def __init__(self, attack):
        self.times = []
        self._attack, self._over, self._failure = attack, threading.Event(), None
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _work(self):
        client = self._attack.server.client()
        try:
            while not self._over.is_set():
                began, event = time.monotonic(), json.dumps({"number": len(self.times)})
                answer = client.invoke(FunctionName=self._attack.neighbour, Payload=event)
                assert answer["Payload"].read().decode() == event and "FunctionError" not in answer
                self.times.append(time.monotonic() - began)
        except Exception as error:  # noqa: BLE001
            self._failure = error


LOST = re.compile(r"\[rushlight\] (\d+) log events were dropped: they came faster than they could be written")
# What may wait to be written, what is being written, and as much again for what that is made into on the way.
QUEUES = 3 * 64 * MEGABYTE


def test_a_flood_of_logs_holds_up_no_neighbour(attack):
    """Of a function and of an extension of another at a time, three seconds long."""
    attack.memory = QUEUES
    layer = attack.layer(extensions__flooder=FLOODING_EXTENSION)
    function = attack.deploy(packages.python(FLOODING_FUNCTION), Timeout=60, MemorySize=1769)
    extension = attack.deploy(Timeout=60, MemorySize=1769, Layers=[layer])
    attack.invoke(function)
    with Load(attack) as quiet:
        time.sleep(2)
    with Load(attack) as flooded:
        first = threading.Thread(target=lambda: attack.invoke(extension, {"do": "echo"}))
        first.start()
        error, lines = attack.invoke(function, {"seconds": 3})
        first.join()
        assert error is None and lines > 0
        # The next one waits until the extension has ended its first flood.
        assert attack.invoke(extension, {"do": "who"})[0] is None
    print(f"the function wrote {lines * 8192 / 3e6:.0f} MB a second")
    print(f"the neighbour without a flood: {quantiles(quiet.times)}")
    print(f"the neighbour in the flood: {quantiles(flooded.times)}")
    assert len(flooded.times) >= 10, "the neighbour goes on"
    attack.neighbour_answers()


def test_each_line_of_a_flood_is_stored_or_counted_as_lost(attack):
    """256 MB, four times what may wait to be written."""
    attack.memory = QUEUES
    function = attack.deploy(packages.python(FLOODING_FUNCTION), Timeout=60, MemorySize=1769)
    error, written = attack.invoke(function, {"seconds": 50, "lines": 32_768})
    assert (error, written) == (None, 32_768)

    def accounted():
        log = attack.log(function)
        stored = sum(message.startswith("of the function~") for message in log)
        lost = sum(int(match[1]) for match in map(LOST.fullmatch, log) if match)
        # Of the platform's own lines some may be lost as well.
        kept = sum(message.startswith(("INIT_START", "START", "END", "REPORT")) for message in log)
        return (stored, lost) if stored + lost + kept == written + 4 else None

    stored, lost = wait_until(accounted, timeout=60, interval=1, what="that every line is accounted for")
    print(f"{stored} lines are stored, {lost} are said to be lost")


def test_what_was_logged_does_not_stay_in_memory(attack):
    """However much it was: what waits to be written is bounded, what is written is on disk."""
    attack.memory = QUEUES
    function = attack.deploy(packages.python(FLOODING_FUNCTION), Timeout=60, MemorySize=1769)
    for _ in range(3):
        assert attack.invoke(function, {"seconds": 50, "lines": 32_768})[0] is None
    time.sleep(1)
    assert leftovers.resident(attack.pid) - attack.before["memory"] < QUEUES
