"""What a function finds around it: variables, paths, user, limits."""

import http.server
import json
import os
import re
import threading

import pytest

import packages
from server import REGION


def payload(answer):
    return json.loads(answer["Payload"].read())


# Set by Lambda for every function.
EXPECTED = {
    "_HANDLER": "index.handler",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "192",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "TZ": ":UTC",
    "LANG": "en_US.UTF-8",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
}
LIBRARIES = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"


def test_variables(deploy, client, python_runtime):
    name = deploy(MemorySize=192, Environment={"Variables": {"MINE": "1", "LITERAL": "$PATH"}})
    answer = client.invoke(FunctionName=name, Payload=b'{"do": "environment"}')
    variables = payload(answer)
    for variable, value in EXPECTED.items():
        assert variables.get(variable) == value, variable
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", variables["AWS_LAMBDA_LOG_STREAM_NAME"])
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{python_runtime}"
    assert re.fullmatch(r"[^:]+:\d+", variables["AWS_LAMBDA_RUNTIME_API"])
    assert variables["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert variables["LD_LIBRARY_PATH"] == LIBRARIES
    assert (variables["MINE"], variables["LITERAL"]) == ("1", "$PATH")
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert variables[variable]
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in variables
    # Nothing of the server's own environment comes along.
    assert not [variable for variable in variables if variable.startswith("RUSHLIGHT")]
    assert "HOME" not in variables or not variables["HOME"].startswith("/root")


def test_variables_of_a_custom_runtime(deploy, client):
    script = (
        "#!/usr/bin/env python3\n"
        "import http.client, json, os\n"
        "api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
        "while True:\n"
        "    api.request('GET', '/2018-06-01/runtime/invocation/next')\n"
        "    answer = api.getresponse(); answer.read()\n"
        "    request_id = answer.headers['Lambda-Runtime-Aws-Request-Id']\n"
        "    api.request('POST', f'/2018-06-01/runtime/invocation/{request_id}/response', json.dumps(dict(os.environ)))\n"
        "    api.getresponse().read()\n"
    )
    name = deploy(packages.bootstrap(script), runtime="provided.al2023", handler="anything.goes")
    variables = payload(client.invoke(FunctionName=name))
    assert variables["_HANDLER"] == "anything.goes"
    assert "AWS_EXECUTION_ENV" not in variables and "_X_AMZN_TRACE_ID" not in variables
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name


def test_json_logging_variables(deploy, client):
    name = deploy(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "/own"})
    variables = payload(client.invoke(FunctionName=name, Payload=b'{"do": "environment"}'))
    assert variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert variables["AWS_LAMBDA_LOG_LEVEL"] == "DEBUG"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/own"


def test_place(probe):
    place = probe("place")
    assert place["cwd"] == "/var/task"
    assert place["uid"] != 0 and place["gid"] != 0
    assert place["task"] == "0o40755" and place["tmp"] == "0o41777"
    assert place["opt"]
    assert int(place["capabilities"], 16) == 0
    assert place["no_new_privs"].strip() == "1"
    assert place["seccomp"].strip() == "2"
    # A process sees its own environment's processes and no others.
    assert len(place["processes"]) < 10


def test_user_name(probe, server):
    if "sandbox" in server.flags:
        assert probe("place")["user"] == "sbx_user1051"


def test_limits(probe):
    limits = probe("limits")
    assert limits["RLIMIT_NOFILE"] == [1024, 1024]


def test_read_only_but_for_tmp(probe):
    for path in ("/var/task/x", "/opt/x", "/var/runtime/x", "/usr/x", "/etc/x", "/x", "/home/x"):
        attempt = probe("attempt", code=f"open({path!r}, 'w')")
        assert "refused" in attempt, path
    assert "done" in probe("attempt", code="open('/tmp/x', 'w').write('y')")
    assert "refused" in probe("attempt", code="os.chmod('/var/task/index.py', 0o777)")


def test_tmp_has_its_size(deploy, client):
    name = deploy(EphemeralStorage={"Size": 512}, MemorySize=256, Timeout=120)

    def fill(megabytes):
        event = {"do": "fill", "path": "/tmp/ballast", "bytes": megabytes << 20}
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        result = payload(answer)
        assert "FunctionError" not in answer, result
        return result

    # More than the memory of the function: /tmp does not count as memory.
    assert fill(460) is None
    assert fill(530) in (28, 122)
    assert fill(100) is None


def test_the_file_that_was_deployed(deploy, client):
    files = {
        "index.py": "import os\ndef handler(event, context):\n"
        "    return sorted(os.path.join(base, file) for base, _, files in os.walk('/var/task') for file in files)\n",
        "data/deep/er/file.txt": "x",
        "ünï.txt": "y",
    }
    name = deploy(packages.package(files))
    assert payload(client.invoke(FunctionName=name)) == sorted(f"/var/task/{path}" for path in files)


def test_an_operator_can_add_variables(serve, deployer):
    server = serve("--isolation", "none", "--auth", "permissive", "--function-env", "STAGE=test", "--function-env", "MINE=operator")
    deploy = deployer(server)
    name = deploy(Environment={"Variables": {"MINE": "function"}})
    variables = payload(deploy.client.invoke(FunctionName=name, Payload=b'{"do": "environment"}'))
    assert (variables["STAGE"], variables["MINE"]) == ("test", "function")
    server.stop()


def test_calling_back(probe, server):
    """A function reaches Rushlight's API with its own credentials at AWS_ENDPOINT_URL."""
    attempt = probe(
        "attempt",
        code="import urllib.request, os\n"
        "result = urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_rushlight/health', timeout=5).status",
    )
    assert attempt == {"done": "200"}


@pytest.mark.parametrize("isolation", ["sandbox", "rootless", "none"])
def test_an_operators_service_on_the_hosts_loopback(isolation, serve, deployer):
    """A service given by --endpoint is reached from within, whatever its loopback address; its neighbour is not."""
    if isolation == "sandbox" and os.geteuid() != 0:
        pytest.skip("needs root")

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[::-1])

        def log_message(self, *_):
            pass

    services = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) for _ in range(2)]
    services.append(http.server.ThreadingHTTPServer(("127.0.0.7", 0), Answer))
    ports = [service.server_address[1] for service in services]
    for service in services:
        threading.Thread(target=service.serve_forever, daemon=True).start()
    instance = serve(
        "--isolation", isolation,
        "--endpoint", f"sqs=http://localhost:{ports[0]}/queue", "--endpoint", f"kms=http://127.0.0.7:{ports[2]}",
    )  # fmt: skip
    deploy = deployer(instance)
    name = deploy(Timeout=30)

    def post(url):
        code = f"import os, urllib.request\nresult = urllib.request.urlopen({url}, b'abc' * 100000, timeout=5).read().decode()[:6]"
        answer = deploy.client.invoke(FunctionName=name, Payload=json.dumps({"do": "attempt", "code": code}))
        return json.loads(answer["Payload"].read())

    assert post("os.environ['AWS_ENDPOINT_URL_SQS']") == {"done": "'cbacba'"}
    assert post("os.environ['AWS_ENDPOINT_URL_KMS']") == {"done": "'cbacba'"}
    neighbour = post(f"'http://127.0.0.1:{ports[1]}/'")
    assert ("done" in neighbour) == (isolation == "none"), neighbour
    for service in services:
        service.shutdown()
        service.server_close()
    instance.stop()


def test_updates_under_load_neither_fail_requests_nor_mix_code(deploy, server):
    """What is loaded late is of the same package, and code meets only the configuration that it was deployed with."""
    def package(number):
        handler = "import os, time\ndef handler(event, context):\n    time.sleep(0.02)\n    import late\n"
        first = f"NUMBER = {number}\n{handler}    return [NUMBER, late.NUMBER, int(os.environ['NUMBER'])]\n"
        return packages.package({"index.py": first, "late.py": f"NUMBER = {number}\n"})

    client = server.client()
    name = deploy(package(0), Environment={"Variables": {"NUMBER": "0"}})
    settled = [0, 0, 0]
    answers, failures, stop = [], [], threading.Event()

    def invoke():
        own = server.client()
        while not stop.is_set():
            least = list(settled)
            try:
                answer = own.invoke(FunctionName=name)
                payload = json.load(answer["Payload"])
            except Exception as error:
                failures.append(error)
                continue
            if "FunctionError" in answer:
                failures.append(payload)
            else:
                answers.append((least, payload))

    workers = [threading.Thread(target=invoke) for _ in range(6)]
    for worker in workers:
        worker.start()
    for number in range(1, 11):
        client.update_function_code(FunctionName=name, ZipFile=package(number))
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        settled[:] = [number, number, number - 1]
        client.update_function_configuration(FunctionName=name, Environment={"Variables": {"NUMBER": str(number)}})
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        settled[:] = [number, number, number]
    stop.set()
    for worker in workers:
        worker.join()
    assert not failures, failures[:3]
    for least, (code, late, configuration) in answers:
        assert late == code and configuration in (code, code - 1), "never two that were not together"
        assert [code, late, configuration] >= least, "what was deployed before the call serves it"
    assert len({code for _, (code, _, _) in answers}) > 5, "it went on during the updates"


def test_a_client_that_reads_until_its_connection_is_closed(deploy, client):
    """One that asks for each thing on a connection of its own, as simple programs do."""
    script = """#!/usr/bin/python3
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

def ask(method, path, body=b""):
    with socket.create_connection((host, int(port))) as connection:
        head = f"{method} /2018-06-01/runtime/{path} HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
        connection.sendall(head.encode() + body)
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\\r\\n\\r\\n")
        return head, body

while True:
    head, event = ask("GET", "invocation/next")
    request = next(line.split(b": ")[1].decode() for line in head.split(b"\\r\\n") if line.lower().startswith(b"lambda-runtime-aws-request-id"))
    ask("POST", f"invocation/{request}/response", event)
"""
    name = deploy(packages.bootstrap(script), runtime="provided.al2023", Timeout=5)
    for number in range(4):
        # All but the first find it waiting.
        assert payload(client.invoke(FunctionName=name, Payload=str(number).encode())) == number
