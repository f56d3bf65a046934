"""Requests and archives made by people who mean harm: AWS' error, and the server goes on."""

import hashlib
import hmac
import http.client
import io
import json
import os
import socket
import stat
import struct
import time
import zipfile
import zlib

import packages
import pytest
from server import ROLE, unique

PATH = "/2015-03-31/functions"
MAX_PAYLOAD = 6_291_456
BAD_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


@pytest.fixture(autouse=True)
def the_server_goes_on(server, client):
    before = descriptors(server)
    yield
    client.list_functions()
    deadline = time.monotonic() + 20
    while descriptors(server) > before + 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert descriptors(server) <= before + 20, "descriptors leak"


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def connect(server, timeout=20):
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def exchange(server, data, shutdown=False):
    """Sends bytes and reads until the server closes or goes quiet."""
    answer = b""
    with connect(server, timeout=10) as connection:
        try:
            connection.sendall(data)
            if shutdown:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:  # It may be refused before it is all sent, or read.
            pass
        return answer


# Requests


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
        b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET /%ff%00/../\xff HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET " + PATH.encode() + b" HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
    ],
    ids=["nothing", "blank lines", "garbage", "version", "tls", "smuggling", "negative", "huge chunk", "not utf-8", "many headers"],
)  # fmt: skip
def test_garbage(server, data):
    answer = exchange(server, data, shutdown=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_a_head_beyond_its_limit(server):
    head = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nX-Large: " + b"x" * (2 << 20) + b"\r\n\r\n"
    answer = exchange(server, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431"), answer[:100]


def test_slow_clients_do_not_hold_others_up(server, client):
    slow = [connect(server) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    begun = time.monotonic()
    client.list_functions()
    assert time.monotonic() - begun < 5
    for connection in slow:
        connection.close()


def test_half_closed(server):
    """A client may close its sending side and still hear the answer."""
    answer = exchange(server, b"GET " + PATH.encode() + b"/ HTTP/1.1\r\nHost: a\r\n\r\n", shutdown=True)
    assert b"HTTP/1.1 403" in answer and b"MissingAuthenticationTokenException" in answer


def test_pipelining(server):
    request = b"GET /_rushlight/health HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = exchange(server, request * 50, shutdown=True)
    assert answer.count(b"HTTP/1.1 200") == 50


def test_a_strangers_upload_is_refused_unread(server):
    """With the hash of the body in the head, the signature is judged before the body is read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    connection.putrequest("POST", PATH)
    headers = {
        "X-Amz-Date": now,
        "X-Amz-Content-Sha256": hashlib.sha256(b"").hexdigest(),
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{now[:8]}/us-east-1/lambda/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "0" * 64,
        "Content-Length": "70000000",
    }
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    # The server reads on for the sake of clients that do not listen while they send, but keeps nothing.
    connection.sock.sendall(b"x" * 100_000)
    connection.sock.shutdown(socket.SHUT_WR)
    try:
        answer = connection.getresponse()
    except ConnectionError:
        return
    assert answer.status == 403 and answer.headers["x-amzn-ErrorType"] == "UnrecognizedClientException"


def signed(server, method, path, body):
    """A request signed by hand, so that the body may be anything."""
    key, secret = server.credentials
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/lambda/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    host = f"127.0.0.1:{server.port}"
    canonical = f"{method}\n{path}\n\nhost:{host}\nx-amz-date:{now}\n\nhost;x-amz-date\n{digest}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {"Host": host, "X-Amz-Date": now, "Authorization": authorization})
    answer = connection.getresponse()
    return answer.status, answer.headers["x-amzn-ErrorType"], json.loads(answer.read() or b"{}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"FunctionName": "\xff"}',
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"Environment":' * 200 + b"1" + b"}" * 200,
        b'{"Timeout": 1e400}',
        b'{"FunctionName": "a", "FunctionName": "b"}',
        b'{"Code": {"ZipFile": "not base64!"}}',
    ],
    ids=["empty", "open", "array", "null", "string", "bytes", "utf-8", "objects", "arrays", "deep", "infinite", "twice", "base64"],
)  # fmt: skip
def test_bodies_that_are_no_input(server, body):
    status, code, answer = signed(server, "POST", PATH, body)
    assert status == 400 and code in ("SerializationException", "ValidationException", "InvalidRequestContentException"), (code, answer)


def test_deep_events(client, deploy):
    name = deploy(packages.python("def handler(event, context): return 'read'\n"))
    fine = b"[" * 900 + b"]" * 900
    assert client.invoke(FunctionName=name, Payload=fine)["Payload"].read() == b'"read"'
    with pytest.raises(client.exceptions.InvalidRequestContentException) as refusal:
        client.invoke(FunctionName=name, Payload=b"[" * 1_000_000 + b"]" * 1_000_000)
    assert "nesting depth (1001) exceeds" in str(refusal.value)


def test_code_beyond_the_limits(unchecked, server, python_runtime):
    def create(package):
        return unchecked.create_function(
            FunctionName=unique("large"), Runtime=python_runtime, Handler="a.b", Role=ROLE, Code={"ZipFile": package}
        )

    for size in (52_428_801, 52_700_000):
        with pytest.raises(unchecked.exceptions.ClientError) as refusal:
            create(os.urandom(1024) + bytes(size - 1024))
        error = refusal.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 413
        assert error["Error"]["Code"] == "RequestEntityTooLargeException"
        assert error["Error"]["Message"] in (
            "Zipped size must be smaller than 52428800 bytes",
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        )


# Archives


def member(name, content=b"x", mode=0o644, compress=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    info.compress_type = compress
    return info, content


def archive(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for info, content in members:
            package.writestr(info, content)
    return buffer.getvalue()


def bomb(unpacked):
    """One member of that many zeros, written as a stream so that it costs little memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package, package.open("zeros", "w", force_zip64=True) as zeros:
        block = bytes(1 << 20)
        while unpacked:
            zeros.write(block[: min(unpacked, len(block))])
            unpacked -= min(unpacked, len(block))
    return buffer.getvalue()


def lying(unpacked, claimed):
    """A member whose headers claim another size than it unpacks to."""
    content = zlib.compress(bytes(unpacked), 9)[2:-4]
    crc = zlib.crc32(bytes(unpacked))
    name = b"zeros"
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, crc, len(content), claimed, len(name), 0) + name + content
    central = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 0x0314, 20, 0, 8, 0, 0, crc, len(content), claimed, len(name), 0, 0, 0, 0, 0o644 << 16, 0
    )
    central += name
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


GOOD = member("index.py", b"def handler(event, context): return 'ran'\n")
HOSTILE = {
    "slip": archive(GOOD, member("../../../../tmp/rushlight-slipped")),
    "absolute": archive(GOOD, member("/tmp/rushlight-slipped")),
    "backslashes": archive(GOOD, member("..\\..\\rushlight-slipped")),
    "link out": archive(GOOD, member("out", b"../../../../etc", stat.S_IFLNK | 0o777)),
    "absolute link": archive(GOOD, member("out", b"/etc/passwd", stat.S_IFLNK | 0o777)),
    "through a link": archive(GOOD, member("d", b"/tmp", stat.S_IFLNK | 0o777), member("d/rushlight-slipped")),
    "device": archive(GOOD, member("null", b"", stat.S_IFCHR | 0o666)),
    "pipe": archive(GOOD, member("pipe", b"", stat.S_IFIFO | 0o666)),
    "file and directory": archive(GOOD, member("a"), member("a/b")),
    "truncated": archive(GOOD)[:-30],
    "half": archive(GOOD)[:40],
    "lying sizes": lying(1 << 20, 10),
    "empty": b"PK\x05\x06" + bytes(18),
    "noise": os.urandom(4096),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archives(unchecked, python_runtime, kind):
    with pytest.raises(unchecked.exceptions.InvalidParameterValueException) as refusal:
        unchecked.create_function(
            FunctionName=unique("hostile"), Runtime=python_runtime, Handler="index.handler", Role=ROLE, Code={"ZipFile": HOSTILE[kind]}
        )
    words = "Uploaded file must be a non-empty zip" if kind == "empty" else BAD_ZIP
    assert refusal.value.response["Error"]["Message"] == words
    assert not os.path.exists("/tmp/rushlight-slipped")


def test_unpacked_size_is_exact(deploy):
    deploy(bomb(262_144_000), handler="a.b")
    with pytest.raises(deploy.client.exceptions.InvalidParameterValueException) as refusal:
        deploy(bomb(262_144_001), handler="a.b")
    assert refusal.value.response["Error"]["Message"] == "Unzipped size must be smaller than 262144000 bytes"


def test_a_bomb_of_gigabytes(deploy):
    begun = time.monotonic()
    with pytest.raises(deploy.client.exceptions.InvalidParameterValueException) as refusal:
        deploy(bomb(4 << 30), handler="a.b")
    assert refusal.value.response["Error"]["Message"] == "Unzipped size must be smaller than 262144000 bytes"
    assert time.monotonic() - begun < 100


def test_modes_are_tamed(client, deploy):
    """Set-uid bits and write permissions do not survive; what may be executed still may."""
    code = b"import os, stat\ndef handler(event, context):\n    return [stat.S_IMODE(os.stat(f).st_mode) for f in ('index.py', 'tool')]\n"
    package = archive(member("index.py", code, 0o600), member("tool", b"#!/bin/sh\n", 0o6777))
    modes = json.loads(client.invoke(FunctionName=deploy(package))["Payload"].read())
    assert modes[0] & 0o444 == 0o444 and not modes[0] & 0o022
    assert modes[1] & 0o555 == 0o555 and not modes[1] & 0o7022
