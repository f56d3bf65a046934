"""Who may: AWS' answer to each way in which a signature can be wrong."""

import datetime
import http.client
import json
import re
import subprocess

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from server import REGION, TOOLS

PATH = "/2015-03-31/functions"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Signer:
    def __init__(self, server):
        self.server = server

    def request(self, method="GET", path=PATH, body=b"", *, headers=None, credentials=None, service="lambda",
                region=REGION, at=None, presign=None):  # fmt: skip
        """A request as botocore signs it."""
        key, secret, *token = credentials or self.server.credentials
        request = botocore.awsrequest.AWSRequest(method, self.server.endpoint + path, data=body, headers=headers or {})
        credentials = botocore.credentials.Credentials(key, secret, *token)
        if presign is None:
            auth = botocore.auth.SigV4Auth(credentials, service, region)
        else:
            auth = botocore.auth.SigV4QueryAuth(credentials, service, region, expires=presign)
        real = botocore.auth.get_current_datetime
        if at is not None:
            botocore.auth.get_current_datetime = lambda: at
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = real
        return request.prepare()

    def send(self, request, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        path = request.url.removeprefix(self.server.endpoint)
        data = request.body if body is None else body
        all_headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
        connection.request(request.method, path, data, all_headers | (headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers.get("x-amzn-ErrorType"), json.loads(content) if content else None


@pytest.fixture(scope="module")
def signer(server):
    return Signer(server)


def refusal(status_code_body):
    status, code, body = status_code_body
    return status, code, body.get("message")


def now(**shift):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**shift)


def test_a_good_signature(signer):
    assert signer.send(signer.request())[0] == 200


def test_a_presigned_request(signer):
    assert signer.send(signer.request(presign=60))[0] == 200


def test_no_credentials(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", PATH)
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert json.loads(answer.read()) == {"message": "Missing Authentication Token"}


def test_the_wrong_secret(signer, server):
    key, _ = server.credentials
    answer = signer.send(signer.request(credentials=(key, "wrong")))
    assert refusal(answer) == (403, "InvalidSignatureException", MISMATCH)


def test_an_unknown_key(signer):
    answer = signer.send(signer.request(credentials=("AKIAIOSFODNN7EXAMPLE", "secret")))
    assert refusal(answer) == (403, "UnrecognizedClientException", "The security token included in the request is invalid.")


def test_a_made_up_session_token(signer, server):
    key, secret = server.credentials
    answer = signer.send(signer.request(credentials=(key, secret, "token")))
    assert answer[0] == 403


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_a_little_off(signer, minutes):
    assert signer.send(signer.request(at=now(minutes=minutes)))[0] == 200


@pytest.mark.parametrize("minutes,sentence", [(-6, "Signature expired: "), (6, "Signature not yet current: ")])
def test_a_clock_that_is_off(signer, minutes, sentence):
    status, code, message = refusal(signer.send(signer.request(at=now(minutes=minutes))))
    assert (status, code) == (403, "InvalidSignatureException")
    assert message.startswith(sentence)
    assert re.search(r"\(\d{8}T\d{6}Z [-+] 5 min\.\)$", message)


def test_a_tampered_body(signer):
    request = signer.request("POST", f"{PATH}/f/invocations", b'{"amount": 1}')
    assert refusal(signer.send(request, body=b'{"amount": 9}')) == (403, "InvalidSignatureException", MISMATCH)


def test_a_tampered_path_and_query(signer):
    request = signer.request(path=f"{PATH}?MaxItems=1")
    request.url = request.url.replace("MaxItems=1", "MaxItems=2")
    assert refusal(signer.send(request)) == (403, "InvalidSignatureException", MISMATCH)
    request = signer.request("DELETE", f"{PATH}/one")
    request.url = request.url.replace("/one", "/two")
    assert refusal(signer.send(request)) == (403, "InvalidSignatureException", MISMATCH)


def test_a_tampered_signed_header(signer):
    request = signer.request(headers={"X-Amz-Something": "signed"})
    answer = signer.send(request, headers={"X-Amz-Something": "changed"})
    assert refusal(answer) == (403, "InvalidSignatureException", MISMATCH)


def test_a_header_that_must_be_signed(signer):
    """What decides on an operation cannot be added to a signed request on its way."""
    request = signer.request("POST", f"{PATH}/f/invocations", b"{}")
    status, code, message = refusal(signer.send(request, headers={"X-Amz-Invocation-Type": "Event"}))
    assert (status, code) == (403, "InvalidSignatureException")
    assert message == "'x-amz-invocation-type' must be a 'SignedHeader' in the AWS Authorization."


def test_another_service(signer):
    status, code, message = refusal(signer.send(signer.request(service="s3")))
    assert (status, code) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to correct service: 'lambda'" in message


def test_another_day(signer):
    """A credential scope of yesterday under a date of today."""
    request = signer.request()
    today = now().strftime("%Y%m%d")
    authorization = request.headers["Authorization"]
    authorization = authorization.decode() if isinstance(authorization, bytes) else authorization
    answer = signer.send(request, headers={"Authorization": authorization.replace(today, "20200101")})
    assert answer[:2] == (403, "InvalidSignatureException")


@pytest.mark.parametrize(
    "authorization,code",
    [
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential, SignedHeaders=host, Signature=0", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA512 Credential=a/20260101/r/lambda/aws4_request, SignedHeaders=host, Signature=0", "InvalidSignatureException"),
        ("Basic dXNlcjpwYXNzd29yZA==", "IncompleteSignatureException"),
        ("\x80\xff", None),
    ],
)  # fmt: skip
def test_strange_authorization_headers(server, authorization, code):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", PATH, headers={"Authorization": authorization.encode("latin-1"), "X-Amz-Date": now().strftime("%Y%m%dT%H%M%SZ")})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status == 403, body
    assert code is None or answer.headers["x-amzn-ErrorType"] == code, body
    assert body["message"]


def test_an_expired_presigned_request(signer):
    answer = signer.send(signer.request(presign=60, at=now(seconds=-120)))
    assert answer[:2] == (403, "InvalidSignatureException")


def test_the_logs_service_wants_its_own_signature(server):
    """A signature for lambda does not open logs, and the other way round; errors have that service's form."""
    signer = Signer(server)
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"}
    status, _, body = signer.send(signer.request("POST", "/", b"{}", headers=headers, service="logs"))
    assert status == 200 and "logGroups" in body
    status, _, body = signer.send(signer.request("POST", "/", b"{}", headers=headers))
    assert status in (400, 403) and "InvalidSignatureException" in json.dumps(body)


def test_permissive_takes_everybody(permissive):
    connection = http.client.HTTPConnection("127.0.0.1", permissive.port, timeout=20)
    connection.request("GET", PATH)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"Functions": []})
    for credentials in (("test", "test"), ("AKIAIOSFODNN7EXAMPLE", "x"), ("123456789012", "x")):
        assert permissive.client(credentials=credentials).list_functions()["Functions"] == []


def test_the_credentials_file(server):
    """Readable by its owner alone, in the form that every AWS tool reads."""
    path = server.data / "credentials"
    assert path.stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o077 == 0
    environment = server.aws_environment()
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    environment["AWS_SHARED_CREDENTIALS_FILE"] = str(path)
    done = subprocess.run(
        [TOOLS / "test/bin/aws", "lambda", "list-functions", "--max-items", "1"],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
