"""Requests to function URLs: the event, the answer, what browsers are told, and what hostile clients and functions try."""

import base64
import http.client
import json
import re
import socket
import subprocess
import time
import urllib.parse

import packages
import pytest
from function_urls import FORBIDDEN, JSON, let_in, make_url
from server import ACCOUNT, REGION, ROLE, arn, unique, wait_until

MAX_PAYLOAD = 6_291_456

# Answers with its event, or with what its body says that it shall do.
PACKAGE = packages.python("""
import json, os

def handler(event, context):
    do = event["headers"].get("x-do")
    if do == "result":
        return json.loads(event["body"])
    if do == "large":
        return {"statusCode": 200, "body": "x" * int(event["body"])}
    if do == "fail":
        raise RuntimeError("secret")
    if do == "exit":
        os._exit(3)
    return {"event": event, "function": context.invoked_function_arn, "request": context.aws_request_id}
""")


@pytest.fixture(scope="module")
def function(deploy):
    return deploy(PACKAGE, name=unique("url"), Timeout=20)


@pytest.fixture(scope="module")
def url(server, client, function):
    """The public URL of the function."""
    let_in(client, function)
    return make_url(server, client, function)


@pytest.fixture
def cors(server, client, function):
    """Gives the function's alias another public URL with these settings of CORS."""
    client.publish_version(FunctionName=function)
    client.create_alias(FunctionName=function, Name="cors", FunctionVersion="1")
    let_in(client, function, qualifier="cors")
    yield lambda **settings: make_url(server, client, function, qualifier="cors", Cors=settings)
    client.delete_alias(FunctionName=function, Name="cors")


# The event


def test_whole_event(server, url, function):
    path = "/my%20path/a%2Fb//c+d"
    query = "p=1&q=a%20b+c%2C&p=2&flag&%C3%A4=%CE%BB&=e"
    headers = JSON | {
        "Cookie": "one=1; two=2",
        "X-Custom": "a",
        "User-Agent": "test/1",
        "Authorization": "Bearer x",
        "X-Amzn-Trace-Id": "Root=1-5e3b1234-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=0",
    }
    before = time.time()
    answer = url("PATCH", f"{path}?{query}", body='{"ä": 1}'.encode(), headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    event = answer.json()["event"]
    moment, context = event["requestContext"]["timeEpoch"], event["requestContext"]
    assert before - 1 <= moment / 1000 <= time.time() + 1
    assert context["time"] == time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment // 1000))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", context["requestId"])
    assert answer.headers["x-amzn-RequestId"] == context["requestId"] == answer.json()["request"]
    assert answer.headers["x-amzn-Trace-Id"] == "Root=1-5e3b1234-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0"
    assert answer.json()["function"] == arn(function)
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": ["one=1", "two=2"],
        "headers": {
            "authorization": "Bearer x",
            "content-length": "9",
            "content-type": "application/json",
            "cookie": "one=1; two=2",
            "host": f"{url.host}:{server.port}",
            "user-agent": "test/1",
            "x-amzn-trace-id": "Root=1-5e3b1234-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=0",
            "x-custom": "a",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": str(server.port),
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"p": "1,2", "q": "a b c,", "flag": "", "ä": "λ", "": "e"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": url.id,
            "domainName": url.host,
            "domainPrefix": url.id,
            "http": {
                "method": "PATCH",
                "path": "/my path/a/b//c+d",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test/1",
            },
            "requestId": context["requestId"],
            "routeKey": "$default",
            "stage": "$default",
            "time": context["time"],
            "timeEpoch": moment,
        },
        "body": '{"ä": 1}',
        "isBase64Encoded": False,
    }
    # In AWS' order, too.
    order = ["version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "queryStringParameters", "requestContext", "body", "isBase64Encoded"]
    assert list(event) == order
    assert list(context) == ["accountId", "apiId", "domainName", "domainPrefix", "http", "requestId", "routeKey", "stage", "time", "timeEpoch"]


def test_least_event(url):
    """What a request does not have, its event does not have."""
    event = url.event()
    assert list(event) == ["version", "routeKey", "rawPath", "rawQueryString", "headers", "requestContext", "isBase64Encoded"]
    assert (event["rawPath"], event["rawQueryString"], event["isBase64Encoded"]) == ("/", "", False)
    assert sorted(event["headers"]) == ["host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", event["headers"]["x-amzn-trace-id"])
    assert event["requestContext"]["http"]["userAgent"] is None
    assert "queryStringParameters" not in url.event(path="/?")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
def test_any_method(url, method):
    assert url.event(method)["requestContext"]["http"]["method"] == method


def test_repeated_headers(url):
    lines = [f"Host: {url.host}", "X-Twice: a", "x-twice: b, c", "Cookie: a=1", "Cookie: b=2", "X-Forwarded-For: 10.0.0.1", "Connection: close, X-Hop", "X-Hop: 1", "TE: trailers"]
    answer = url.raw(("GET /_rushlight/health HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
    event = json.loads(answer.partition(b"\r\n\r\n")[2])["event"]
    assert event["rawPath"] == "/_rushlight/health"
    assert event["cookies"] == ["a=1", "b=2"]
    trace = event["headers"].pop("x-amzn-trace-id")
    assert trace.startswith("Root=1-")
    assert event["headers"] == {
        "cookie": "a=1; b=2",
        "host": url.host,
        "x-forwarded-for": "10.0.0.1, 127.0.0.1",
        "x-forwarded-port": "80",
        "x-forwarded-proto": "http",
        "x-twice": "a,b, c",
    }


@pytest.mark.parametrize(
    ("kind", "is_text"),
    [
        ("text/plain", True),
        ("Text/HTML; charset=utf-8", True),
        ("application/json", True),
        ("application/json;charset=UTF-8", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("image/svg+xml", False),
        (None, False),
    ],
)
def test_text_and_other_bodies(url, kind, is_text):
    body = "a=ä&b=\n\"".encode()
    event = url.event("POST", body=body, headers={"Content-Type": kind} if kind else {})
    assert event["isBase64Encoded"] is not is_text
    assert (event["body"].encode() if is_text else base64.b64decode(event["body"])) == body


def test_chunked_body(url):
    head = f"POST / HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = url.raw(head.encode() + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    event = json.loads(answer.partition(b"\r\n\r\n")[2])["event"]
    assert event["body"] == "abcdefg"
    assert "transfer-encoding" not in event["headers"]


# The answer


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"hello": "world"}, b'{"hello":"world"}'),
        (["hello", 3, True], b'["hello",3,true]'),
        ("hello", b"hello"),
        ("a \"b\"\n", b'a "b"\n'),
        (3, b"3"),
        (3.1, b"3.1"),
        (True, b"true"),
        (None, b"null"),
        ({"body": "no status", "headers": {"a": "b"}}, b'{"body":"no status","headers":{"a":"b"}}'),
    ],
)
def test_results_without_a_status(url, result, body):
    """As recorded on AWS."""
    answer = url.result(result)
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "application/json", body)
    assert answer.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"statusCode": 200, "body": "body123"}, 200, b"body123"),
        ({"statusCode": "418", "body": "i'm a teapot", "isBase64Encoded": False}, 418, b"i'm a teapot"),
        ({"statusCode": 503, "body": "ä"}, 503, "ä".encode()),
        ({"statusCode": 599}, 599, b""),
        ({"statusCode": 200, "body": {"a": [1, 2]}}, 200, b'{"a":[1,2]}'),
        ({"statusCode": 200, "body": "AP+ACg==", "isBase64Encoded": True}, 200, b"\x00\xff\x80\n"),
        ({"statusCode": 200, "body": None, "headers": None, "cookies": None, "isBase64Encoded": None}, 200, b""),
    ],
)
def test_results_with_a_status(url, result, status, body):
    answer = url.result(result)
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (status, "application/json", body)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=0", answer.headers["x-amzn-trace-id"])


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(url, status):
    answer = url.result({"statusCode": status, "body": "x", "headers": {"ETag": "1"}})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (status, b"", "1")


def test_headers_and_cookies_of_results(url):
    headers = {
        "content-TYPE": "text/html; charset=utf-8",
        "My-Custom-Header": "Custom Value",
        "X-Number": 5,
        "X-Unicode": "ä",
        "X-Null": None,
        "Connection": "close",
        "Transfer-Encoding": "chunked",
        "Keep-Alive": "timeout=1",
        "Content-Length": "1000",
        "WWW-Authenticate": "Basic",
        "X-Amzn-RequestId": "forged",
        "X-Amzn-Trace-Id": "forged",
    }
    answer = url.result({"statusCode": 201, "headers": headers, "cookies": ["a=1; Secure", "b=2"], "body": "hi"})
    assert (answer.status, answer.body) == (201, b"hi")
    for request_id in ("x-amzn-requestid", "x-amzn-trace-id"):
        assert answer.headers[request_id] != "forged"
        del answer.headers[request_id]
    del answer.headers["Date"]
    assert {name.lower(): value for name, value in answer.headers.items() if name.lower() != "set-cookie"} == {
        "content-length": "2",
        "content-type": "text/html; charset=utf-8",
        "my-custom-header": "Custom Value",
        "x-number": "5",
        "x-unicode": "Ã¤",
        "x-amzn-remapped-content-length": "1000",
        "x-amzn-remapped-www-authenticate": "Basic",
    }
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Secure", "b=2"]


def test_head_has_no_body(url):
    answer = url("HEAD", headers={"X-Do": "event"})
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


def failed(answer):
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (502, b"Internal Server Error", "application/json"), answer
    assert answer.headers["x-amzn-requestid"] and answer.headers["x-amzn-trace-id"]
    return answer


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "OK"},
        {"statusCode": None},
        {"statusCode": 200.5},
        {"statusCode": 101},
        {"statusCode": 600},
        {"statusCode": 2**40},
        {"statusCode": 200, "headers": ["a", "b"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "cookies": [1]},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 200, "body": "a", "isBase64Encoded": "yes"},
        # Nothing that a function returns begins another header, or another answer.
        {"statusCode": 200, "headers": {"x": "a\r\nSet-Cookie: b=c"}},
        {"statusCode": 200, "headers": {"x": "a\nb"}},
        {"statusCode": 200, "headers": {"x\r\nSet-Cookie: b": "c"}},
        {"statusCode": 200, "headers": {"x: y\r\n\r\nHTTP/1.1 200 OK": "c"}},
        {"statusCode": 200, "headers": {"": "c"}},
        {"statusCode": 200, "cookies": ["a=b\r\n\r\n<script>"]},
        {"statusCode": 200, "headers": {f"h{number}": "v" for number in range(40_000)}},
    ],
)
def test_results_that_cannot_be_answered(url, result):
    answer = failed(url.result(result))
    assert answer.headers["Set-Cookie"] is None


@pytest.mark.parametrize("do", ["fail", "exit"])
def test_functions_that_fail(url, do):
    failed(url(headers={"X-Do": do}))


def test_throttled(server, client, deploy):
    name = deploy(PACKAGE, name=unique("url"))
    let_in(client, name)
    url = make_url(server, client, name)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    answer = url()
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert answer.json() == {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."}
    client.delete_function_concurrency(FunctionName=name)
    assert url().status == 200


def test_url_of_an_alias(server, client, deploy):
    name = deploy(PACKAGE, name=unique("url"))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    # The policy of the alias decides, not that of the function.
    let_in(client, name)
    url = make_url(server, client, name, qualifier="live")
    assert (url().status, url().json()) == (403, FORBIDDEN)
    let_in(client, name, qualifier="live")
    assert url().json()["function"] == arn(name, "live")
    client.delete_alias(FunctionName=name, Name="live")
    unknown(url())


# Hosts


def unknown(answer):
    """As AWS answers for URLs that there are not."""
    assert (answer.status, answer.headers["x-amzn-errortype"], answer.headers["Content-Type"]) == (403, "AccessDeniedException", "application/json"), answer
    assert answer.body == b'{"Message":null}'


def test_urls_that_there_are_not(server, client, url, deploy):
    for host in ("0123456789abcdefghijklmnopqrstuv", "a", "x" * 33, url.id[:-1], f"{url.id}0", "-" * 32):
        unknown(url(host=f"{host}.lambda-url.{REGION}.localhost"))
    unknown(url("POST", body=b"x" * 1000, host=f"{url.id}.lambda-url.eu-west-1.localhost"))
    name = deploy(PACKAGE, name=unique("url"))
    gone = make_url(server, client, name)
    client.delete_function_url_config(FunctionName=name)
    unknown(gone())


def test_hosts_are_not_case_sensitive(server, url):
    assert url(host=f"{url.host.upper()}:{server.port}").json()["event"]["requestContext"]["domainName"] == url.host


def test_other_hosts_are_the_api(url):
    for host in (
        "localhost",
        f"{url.host}.evil.com",
        f"evil.{url.host}",
        f"{url.id}.lambda-url.{REGION}.on.aws",
        f"{url.host}:port",
    ):
        answer = url(path="/_rushlight/health", host=host)
        assert answer.status == 200 and answer.json()["status"] == "ok", host


@pytest.mark.parametrize(
    "request_line, hosts",
    [
        ("GET / HTTP/1.1", ["{url}", "{url}"]),
        ("GET / HTTP/1.1", ["{url}", "localhost"]),
        ("GET / HTTP/1.1", ["localhost", "{url}"]),
        ("GET / HTTP/1.1", ["\xff", "{url}"]),
        ("GET http://{url}/ HTTP/1.1", ["localhost"]),
        ("GET http://localhost/ HTTP/1.1", ["{url}"]),
        ("GET http://{url}/ HTTP/1.1", ["{other}"]),
        ("GET http://{url}@evil.com/ HTTP/1.1", ["{url}"]),
        ("GET http://user@{url}/ HTTP/1.1", ["{url}"]),
    ],
)
def test_requests_that_name_two_hosts(url, request_line, hosts):
    other = url.host.replace(url.id, "0123456789abcdefghijklmnopqrstuv")
    lines = [request_line, *(f"Host: {host}" for host in hosts)]
    answer = url.raw(("\r\n".join(lines).format(url=url.host, other=other) + "\r\n\r\n").encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b'"event"' not in answer


def test_absolute_targets(url):
    for head in (f"GET http://{url.host}/a?b=c HTTP/1.1\r\nHost: {url.host}", f"GET http://{url.host}/a?b=c HTTP/1.0"):
        answer = url.raw(head.encode() + b"\r\n\r\n")
        event = json.loads(answer.partition(b"\r\n\r\n")[2])["event"]
        assert (event["rawPath"], event["rawQueryString"]) == ("/a", "b=c")


def test_no_tunnels(url):
    answer = url.raw(f"CONNECT {url.host}:80 HTTP/1.1\r\nHost: {url.host}:80\r\n\r\n".encode())
    assert not answer.startswith(b"HTTP/1.1 2"), answer


def test_by_the_url_itself(client, function, url):
    """curl takes names below localhost for the own machine by itself, as browsers do."""
    address = client.get_function_url_config(FunctionName=function)["FunctionUrl"]
    done = subprocess.run(["curl", "-sS", "-d", "x=1", f"{address}hello?a=b"], capture_output=True, text=True, check=True, timeout=60)
    event = json.loads(done.stdout)["event"]
    assert (event["rawPath"], event["queryStringParameters"]) == ("/hello", {"a": "b"})
    assert base64.b64decode(event["body"]) == b"x=1"


def test_a_domain_of_ones_own(serve, deployer):
    """TLS ends in front of the server."""
    instance = serve("--isolation", "none", "--url-domain", "functions.example.com")
    name = deployer(instance)(PACKAGE)
    client = instance.client()
    let_in(client, name)
    url = make_url(instance, client, name)
    assert url.host.endswith(f".lambda-url.{REGION}.functions.example.com")
    event = url.event(host=url.host, headers={"X-Forwarded-Proto": "gopher", "X-Forwarded-Port": "1", "X-Amzn-TLS-Version": "TLSv1.3"})
    shown = {name: value for name, value in event["headers"].items() if name.startswith("x-")}
    del shown["x-amzn-trace-id"]
    assert shown == {"x-forwarded-for": "127.0.0.1", "x-forwarded-port": "443", "x-forwarded-proto": "https"}
    assert event["requestContext"]["domainName"] == url.host
    # Names below localhost still lead there too.
    local = url.event(host=f"{url.id}.lambda-url.{REGION}.localhost:{instance.port}")
    assert local["headers"]["x-forwarded-proto"] == "http"


# Limits and nonsense


def too_large(answer):
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException"), answer
    assert answer.json() == {"message": f"Request must be smaller than {MAX_PAYLOAD} bytes for the InvokeFunctionUrl operation"}


def test_largest_requests(url):
    text = {"Content-Type": "text/plain"}
    body = b"x" * (MAX_PAYLOAD - 4096)
    answer = url("POST", body=body, headers=text | {"X-Do": "result"})
    failed(answer)  # It came through, and is no JSON.
    too_large(url("POST", body=b"x" * (MAX_PAYLOAD - 10), headers=text))
    too_large(url("POST", body=b"x" * (MAX_PAYLOAD + 1), headers=text))
    # What counts is the event: base64 and escapes are longer.
    too_large(url("POST", body=b"x" * (MAX_PAYLOAD * 3 // 4)))
    too_large(url("POST", body=b"\x00" * (MAX_PAYLOAD // 6), headers=text))


def test_largest_answers(url):
    size = MAX_PAYLOAD - 100
    assert len(url("POST", body=str(size).encode(), headers=JSON | {"X-Do": "large"}).body) == size
    failed(url("POST", body=str(MAX_PAYLOAD + 200).encode(), headers=JSON | {"X-Do": "large"}))


def test_what_is_not_utf_8(url):
    body = b'{"a": "\xff\xfe"}'
    event = url.event("POST", path="/%ff%00?a=%ff%zz", body=body, headers=JSON | {"X-Bytes": b"\xff\xc3\xa4", "Cookie": b"a=\xff"})
    assert base64.b64decode(event["body"]) == body and event["isBase64Encoded"] is True
    assert event["rawPath"] == "/%ff%00"
    assert event["requestContext"]["http"]["path"] == "/\ufffd\x00"
    assert event["queryStringParameters"] == {"a": "\ufffd%zz"}
    assert (event["headers"]["x-bytes"], event["cookies"]) == ("\ufffdä", ["a=\ufffd"])


def test_a_huge_query(url):
    pairs = 6000
    query = "&".join(f"k{number % 100}={number}" for number in range(pairs))
    event = url.event(path=f"/?{query}")
    assert event["rawQueryString"] == query
    assert sum(value.count(",") + 1 for value in event["queryStringParameters"].values()) == pairs
    answer = url.raw(f"GET /?{'a' * (1 << 20)} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
    assert answer == b"" or answer.startswith((b"HTTP/1.1 414", b"HTTP/1.1 431"))


def test_strange_paths(url):
    for path in ("//", "/a//b", "/../x", "/a/./b", "/%2e%2e/", "/2015-03-31/functions", "/?Action=ListUsers"):
        assert url.event(path=path)["rawPath"] == path.partition("?")[0]
    assert url.event("POST", headers={"X-Amz-Target": "Logs_20140328.DescribeLogGroups"})


# Cross-origin resource sharing

ORIGIN = "https://example.com"


def allowed(answer):
    """What the answer lets browsers do."""
    shown = {name.lower().removeprefix("access-control-"): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}
    return shown | ({"vary": answer.headers["Vary"]} if "Vary" in answer.headers else {})


def preflight(url, origin=ORIGIN, method="GET", **headers):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "X-Do": "fail"} | headers
    answer = url("OPTIONS", "/any/path", headers=asked)
    assert (answer.status, answer.body) == (200, b""), answer
    assert answer.headers["x-amzn-requestid"]
    return allowed(answer)


def test_preflight_requests(cors):
    url = cors(AllowOrigins=[ORIGIN, "https://b.org"], AllowMethods=["GET", "DELETE"], AllowHeaders=["x-a", "Content-Type"], MaxAge=600, ExposeHeaders=["date"])
    shown = {"allow-origin": ORIGIN, "allow-methods": "GET,DELETE", "allow-headers": "x-a,Content-Type", "max-age": "600", "vary": "Origin"}
    assert preflight(url) == preflight(url, method="DELETE") == shown
    assert preflight(url, origin="https://b.org")["allow-origin"] == "https://b.org"
    for refused in ({"origin": "https://evil.com"}, {"origin": "null"}, {"origin": f"{ORIGIN}.evil.com"}, {"method": "PUT"}, {"method": "get"}):
        assert preflight(url, **refused) == {}
    # Any other OPTIONS is the function's.
    assert url.event("OPTIONS", headers={"Origin": ORIGIN})["requestContext"]["http"]["method"] == "OPTIONS"
    assert url.event("OPTIONS", headers={"Access-Control-Request-Method": "GET"})


def test_any_origin(cors):
    url = cors(AllowOrigins=["*"], AllowMethods=["*"], AllowHeaders=["*"])
    assert preflight(url, method="PATCH") == {"allow-origin": "*", "allow-methods": "*", "allow-headers": "*"}
    assert allowed(url(headers={"Origin": "https://b.org"})) == {"allow-origin": "*"}


def test_any_origin_with_credentials(cors):
    """Browsers do not take a star then."""
    url = cors(AllowOrigins=["*"], AllowMethods=["*"], AllowHeaders=["*"], AllowCredentials=True)
    asked = {"Access-Control-Request-Headers": "x-a,x-b"}
    assert preflight(url, method="PATCH", **asked) == {
        "allow-origin": ORIGIN,
        "allow-credentials": "true",
        "allow-methods": "PATCH",
        "allow-headers": "x-a,x-b",
        "vary": "Origin",
    }


def test_only_origins(cors):
    url = cors(AllowOrigins=[ORIGIN])
    assert preflight(url, method="POST") == {"allow-origin": ORIGIN, "vary": "Origin"}
    assert preflight(url, method="PUT") == {}


def test_no_origins(cors):
    url = cors(AllowMethods=["GET"])
    assert preflight(url) == {}


def test_answers_of_functions_are_decorated(cors):
    url = cors(AllowOrigins=[ORIGIN], AllowCredentials=True, ExposeHeaders=["x-a", "date"], AllowMethods=["GET"], MaxAge=5)
    shown = {"allow-origin": ORIGIN, "allow-credentials": "true", "expose-headers": "x-a,date", "vary": "Origin"}
    origin = {"Origin": ORIGIN}
    assert allowed(url(headers=origin)) == allowed(url.result({"statusCode": 404}, headers=origin)) == shown
    assert allowed(failed(url(headers=origin | {"X-Do": "fail"}))) == shown
    assert allowed(url()) == allowed(url(headers={"Origin": "https://evil.com"})) == {}
    # The function's own stay, which browsers do not like: so it is on AWS.
    own = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "Vary": "Accept"}}
    answer = url.result(own, headers=origin)
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*", ORIGIN]
    assert answer.headers.get_all("Vary") == ["Accept", "Origin"]
    assert allowed(url.result(own)) == {"allow-origin": "*", "vary": "Accept"}


def test_without_cors_all_is_the_functions(url):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    assert url.event("OPTIONS", headers=asked)["headers"]["origin"] == ORIGIN
    assert allowed(url(headers=asked)) == {}


def test_origins_of_the_request_begin_no_other_header(cors):
    url = cors(AllowOrigins=["*"], AllowCredentials=True)
    answer = url.raw(f"GET / HTTP/1.1\r\nHost: {url.host}\r\nOrigin: a\x00b\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:100]


# Life


def test_urls_outlive_the_server(serve, deployer):
    instance = serve("--isolation", "none")
    name = deployer(instance)(PACKAGE)
    client = instance.client()
    let_in(client, name)
    url = make_url(instance, client, name)
    assert url().status == 200
    instance.kill()
    instance.start()
    wait_until(lambda: url().status == 200, what="that the function answers again")
