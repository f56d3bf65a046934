"""Web applications that know nothing of Lambda, behind AWS' Lambda Web Adapter: an extension that is the runtime's client."""

import base64
import http.client
import json
import time

import pytest

import packages
from function_urls import let_in, make_url
from server import TOOLS, arn, unique, wait_until

ADAPTER = TOOLS / "web-adapter"
WRAPPED = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}
PYTHON = {
    "run.sh": "#!/bin/sh\nexec python3 web_application.py\n",
    "web_application.py": packages.source("web_application.py"),
}
NODE = {
    "run.sh": "#!/bin/sh\nexec node application.mjs\n",
    "application.mjs": """
import { createServer } from "node:http";

createServer((request, response) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ path: request.url }));
}).listen(Number(process.env.AWS_LWA_PORT));
""",
}


@pytest.fixture(scope="module")
def layer(client):
    assert (ADAPTER / "bootstrap").exists(), f"the adapter is missing in {ADAPTER}; run ./dev test"
    files = {"extensions/lambda-adapter": ADAPTER / "bin/lambda-adapter", "bootstrap": ADAPTER / "bootstrap"}
    package = packages.package({name: file.read_bytes() for name, file in files.items()})
    return client.publish_layer_version(LayerName=unique("adapter"), Content={"ZipFile": package})["LayerVersionArn"]


@pytest.fixture(scope="module")
def adapted(deploy, layer):
    """Deploys an application with the adapter."""

    def adapted(files=None, variables=None, handler="run.sh", **settings):
        settings = {"Timeout": 10, "MemorySize": 512, "Layers": [layer]} | settings
        environment = {"Variables": WRAPPED | (variables or {})}
        return deploy(packages.package(files or PYTHON), handler=handler, Environment=environment, **settings)

    return adapted


@pytest.fixture(scope="module")
def name(adapted):
    return adapted()


@pytest.fixture(scope="module")
def url(server, client, name):
    let_in(client, name)
    return make_url(server, client, name)


@pytest.fixture(scope="module")
def streaming_name(adapted):
    """An application whose answers go while it writes them."""
    return adapted(variables={"AWS_LWA_INVOKE_MODE": "response_stream"})


@pytest.fixture(scope="module")
def streaming(server, client, streaming_name):
    let_in(client, streaming_name)
    return make_url(server, client, streaming_name, InvokeMode="RESPONSE_STREAM")


def invoke(client, name, event):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def event(method, path, query="", **more):
    """A request as API Gateway's HTTP APIs have it."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": {"host": "api.example.com", "x-custom": "yes"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api", "http": http,
            "requestId": "id", "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    } | more  # fmt: skip


def instance(url):
    """Which process of the application answers. Who comes before the end of another is noticed may share its fate."""

    def served():
        answer = url("GET", "/")
        assert answer.status in (200, 502)
        return answer.status == 200 and answer.json()["instance"]

    return wait_until(served, what="an answer")


def log(server, name):
    events = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def ends(server, name):
    """The processes of the application that said that they end."""
    return [line.split()[0] for line in log(server, name) if line.rstrip().endswith(" ends")]


def test_requests_reach_the_application(url):
    body = json.dumps({"text": "schön"}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "X-Custom": "a", "Cookie": "a=1; b=2"}
    answer = url("POST", "/some/path%20here?one=1&two=%C3%A4&two=b", body, headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    said = answer.json()
    assert said["method"] == "POST"
    path, _, query = said["path"].partition("?")
    assert path == "/some/path%20here" and sorted(query.split("&")) == ["one=1", "two=%C3%A4", "two=b"]
    assert base64.b64decode(said["body"]) == body
    assert (said["headers"]["x-custom"], said["headers"]["content-type"]) == ("a", "application/json")
    assert said["headers"]["cookie"].replace(" ", "") == "a=1;b=2"
    context = json.loads(said["headers"]["x-amzn-request-context"])
    assert context["http"]["method"] == "POST" and context["domainName"] == url.host


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_methods(url, method):
    assert url(method, "/here").json()["method"] == method


def test_status_headers_and_cookies(url):
    answer = url("GET", "/status?code=418")
    assert (answer.status, answer.json(), answer.headers["X-Custom"]) == (418, {"said": "so"}, "value")
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]


def test_bytes_that_are_no_text(url):
    assert url("GET", "/bytes").body == bytes(range(256))
    sent = bytes(range(256)) * 4
    said = url("POST", "/", sent, {"Content-Type": "application/octet-stream"}).json()
    assert base64.b64decode(said["body"]) == sent


def test_the_application_stays(url):
    """Requests find it as earlier ones have left it."""
    first = url("GET", "/").json()

    def another():
        said = url("GET", "/").json()
        return said["instance"] == first["instance"] and said

    assert wait_until(another, what="a request to the same environment")["requests"] > first["requests"]


def test_events_of_the_http_api(client, name):
    body = {"body": base64.b64encode(b"hello").decode(), "isBase64Encoded": True}
    error, answer = invoke(client, name, event("PUT", "/items/1", "a=b", **body))
    assert (error, answer["statusCode"], answer["isBase64Encoded"]) == (None, 200, False)
    said = json.loads(answer["body"])
    assert (said["method"], said["path"], said["headers"]["x-custom"]) == ("PUT", "/items/1?a=b", "yes")
    assert base64.b64decode(said["body"]) == b"hello"


def test_events_of_the_rest_api(client, name):
    event = {
        "resource": "/{proxy+}", "path": "/status", "httpMethod": "GET", "headers": {"Host": "api.example.com"},
        "multiValueHeaders": {"Host": ["api.example.com"]}, "queryStringParameters": {"code": "404"},
        "multiValueQueryStringParameters": {"code": ["404"]}, "pathParameters": {"proxy": "status"}, "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012", "resourceId": "x", "stage": "prod", "requestId": "id", "apiId": "api", "path": "/prod/status",
            "identity": {"sourceIp": "192.0.2.1"}, "resourcePath": "/{proxy+}", "httpMethod": "GET", "protocol": "HTTP/1.1",
        },
        "body": None, "isBase64Encoded": False,
    }  # fmt: skip
    error, answer = invoke(client, name, event)
    assert (error, answer["statusCode"], json.loads(answer["body"])) == (None, 404, {"said": "so"})
    assert answer["multiValueHeaders"]["set-cookie"] == ["a=1; Secure", "b=2"]


def test_other_events(client, name):
    """What is no request is posted to a path of its own, and the answer is the result."""
    event = {"Records": [{"eventSource": "aws:sqs", "body": "message"}]}
    assert invoke(client, name, event) == (None, {"event": event, "function": arn(name)})


def test_an_answer_comes_while_it_is_written(streaming):
    streaming("GET", "/")
    connection = http.client.HTTPConnection("127.0.0.1", streaming.server.port, timeout=60)
    connection.request("GET", "/pieces?pause=2", headers={"Host": f"{streaming.host}:{streaming.server.port}"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (201, "text/plain")
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]
    first, at = answer.read1(), time.time()
    rest = answer.read()
    connection.close()
    assert first == b"first " and at < float(rest), "it was here before the application wrote on"


def test_a_large_answer_in_pieces(streaming):
    """Larger than the answer of a function may be as a whole."""
    answer = streaming("GET", "/bytes?times=40000")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.body == bytes(range(256)) * 40000


def test_an_application_that_ends_within_its_answer(server, streaming_name, streaming):
    """What was written arrives; what follows depends on whether its end or the adapter's account of it is noticed first."""
    try:
        body = streaming("GET", "/pieces?pause=0.5&crash=1").body
    except http.client.IncompleteRead as broken:
        body = broken.partial
    assert body.startswith(b"first ")
    (ended,) = wait_until(lambda: ends(server, streaming_name), what="its last words")
    assert instance(streaming) != ended


def test_events_wait_until_the_application_listens(client, adapted):
    error, answer = invoke(client, adapted(variables={"STARTING": "1.5"}), {"a": 1})
    assert (error, answer["event"]) == (None, {"a": 1})


def test_events_wait_until_the_application_is_ready(server, client, adapted):
    name = adapted(variables={"AWS_LWA_READINESS_CHECK_PATH": "/ready", "UNREADY": "20"})
    error, answer = invoke(client, name, {"a": 1})
    assert (error, answer["event"]) == (None, {"a": 1})

    def requests():
        lines = [line for line in log(server, name) if line.startswith("/")]
        return "/events" in lines and lines

    assert wait_until(requests, what="the log") == ["/ready"] * 21 + ["/events"]


def test_an_application_that_does_not_start(client, adapted):
    error, answer = invoke(client, adapted(variables={"STARTING": "never"}), {})
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert answer["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


def test_an_application_that_is_never_ready(client, adapted):
    """The initialisation ends after its ten seconds, and so does the invocation after its timeout."""
    name = adapted(variables={"AWS_LWA_READINESS_CHECK_PATH": "/ready", "UNREADY": "1000000"}, Timeout=2)
    error, answer = invoke(client, name, {})
    assert (error, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")


def test_an_application_that_crashes(server, client, name, url):
    assert url("GET", "/crash").status == 502
    (ended,) = wait_until(lambda: ends(server, name), what="its last words")
    assert instance(url) != ended, "it was started anew, with the adapter"
    error, answer = invoke(client, name, event("GET", "/crash"))
    assert error == "Unhandled"
    # Either the runtime's end, or what the adapter makes of the connection that was closed.
    assert "exit status 9" in answer["errorMessage"] or "SendRequest" in answer["errorMessage"]
    wait_until(lambda: len(ends(server, name)) == 2, what="other last words")


def test_a_status_that_is_to_be_an_error(client, adapted):
    name = adapted(variables={"AWS_LWA_ERROR_STATUS_CODES": "500-599"})
    error, answer = invoke(client, name, event("GET", "/status", "code=503"))
    assert (error, answer["errorMessage"]) == ("Unhandled", "Request failed with configured error status code: 503")
    error, answer = invoke(client, name, event("GET", "/status", "code=404"))
    assert (error, answer["statusCode"]) == (None, 404)


def test_an_application_of_node(client, adapted, node_runtime):
    name = adapted(NODE, {"AWS_LWA_PORT": "3000"}, runtime=node_runtime)
    assert invoke(client, name, {"a": 1}) == (None, {"path": "/events"})


def test_an_application_without_a_runtime(client, adapted):
    """As the adapter is used with a custom runtime: the bootstrap is the application, and nothing wraps it."""
    files = {"bootstrap": PYTHON["run.sh"], "web_application.py": PYTHON["web_application.py"]}
    name = adapted(files, {"AWS_LAMBDA_EXEC_WRAPPER": ""}, runtime="provided.al2023", handler="none")
    assert invoke(client, name, {"a": 1})[1]["event"] == {"a": 1}
