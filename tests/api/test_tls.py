"""TLS at a port of the server's own: the API, function URLs below a domain, and who gets in the way of it."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

import boto3
import botocore.config
import pytest

import packages
from identities import User, denied, statement
from server import BINARY, PLAIN_ENVIRONMENT, REGION, TOOLS, arn, unique, wait_until

DOMAIN = "functions.example.com"

AUTHORITY = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder, serial = sys.argv[1], int(sys.argv[2])
now = datetime.datetime.now(datetime.timezone.utc)
pem = serialization.Encoding.PEM

def named(name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

def issue(subject, key, issuer, issuer_key, number, extension):
    builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer)).public_key(key.public_key())
    builder = builder.serial_number(number).add_extension(*extension)
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(issuer_key, hashes.SHA256())

def new_key():
    return ec.generate_private_key(ec.SECP256R1())

authority_key, key = new_key(), new_key()
authority = issue("authority", authority_key, "authority", authority_key, 1, (x509.BasicConstraints(True, None), True))
names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("*.lambda-url.us-east-1.functions.example.com")]
server = issue("server", key, "authority", authority_key, serial, (x509.SubjectAlternativeName(names), False))
open(f"{folder}/authority.pem", "wb").write(authority.public_bytes(pem))
open(f"{folder}/certificate.pem", "wb").write(server.public_bytes(pem) + authority.public_bytes(pem))
private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
open(f"{folder}/key.pem", "wb").write(private)
"""

FUNCTION = packages.python("""
def handler(event, context):
    return {"headers": event["headers"], "domain": event["requestContext"]["domainName"]} if "headers" in event else "done"
""")


class Encrypted:
    """A server with TLS, and clients that trust nobody but its authority."""

    def __init__(self, serve, folder, *flags):
        self.folder = folder
        self.issue(2)
        tls = ["--tls-listen", "127.0.0.1:0", "--tls-certificate", folder / "certificate.pem", "--tls-key", folder / "key.pem"]
        self.server = serve("--isolation", "none", "--url-domain", DOMAIN, *tls, *flags)
        announced = [line for line in self.server.output if "https" in line]
        self.url = re.fullmatch(r"rushlight is listening on (https://127\.0\.0\.1:\d+)", announced[0])[1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def issue(self, serial):
        subprocess.run([TOOLS / "moto/bin/python", "-c", AUTHORITY, self.folder, str(serial)], check=True, timeout=60)

    def client(self, service="lambda", credentials=None):
        key, secret = credentials or self.server.credentials
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
            verify=str(self.folder / "authority.pem"), config=botocore.config.Config(retries={"max_attempts": 0}),
        )  # fmt: skip

    def context(self):
        return ssl.create_default_context(cafile=self.folder / "authority.pem")

    def connect(self, context=None, name="127.0.0.1"):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return (context or self.context()).wrap_socket(plain, server_hostname=name)

    def serial(self):
        with self.connect() as connection:
            return int(connection.getpeercert()["serialNumber"], 16)


@pytest.fixture(scope="module")
def encrypted(serve, tmp_path_factory):
    instance = Encrypted(serve, tmp_path_factory.mktemp("tls"))
    yield instance
    assert "panicked" not in instance.server.log.read_text(errors="replace")
    assert instance.server.stop() == 0


@pytest.fixture(scope="module")
def function(encrypted, deployer):
    return deployer(encrypted.server)(FUNCTION)


def test_the_api(encrypted, function):
    client = encrypted.client()
    answer = client.invoke(FunctionName=function, Payload=b"{}")
    assert json.load(answer["Payload"]) == "done"
    # The package is fetched the same way.
    location = client.get_function(FunctionName=function)["Code"]["Location"]
    assert location.startswith(f"{encrypted.url}/")
    with urllib.request.urlopen(location, context=encrypted.context(), timeout=20) as package:
        assert package.read() == FUNCTION
    # And plain text where it is asked for in plain text.
    plain = encrypted.server.client().get_function(FunctionName=function)["Code"]["Location"]
    assert plain.startswith(f"{encrypted.server.endpoint}/")


def test_a_url_below_a_domain(encrypted, function):
    client = encrypted.client()
    url = client.create_function_url_config(FunctionName=function, AuthType="NONE")["FunctionUrl"]
    for action, more in [("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}), ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True})]:
        client.add_permission(FunctionName=function, StatementId=unique("s"), Action=action, Principal="*", **more)
    identifier = re.fullmatch(rf"https://(\w{{32}})\.lambda-url\.us-east-1\.functions\.example\.com:{encrypted.port}/", url)[1]
    host = f"{identifier}.lambda-url.us-east-1.{DOMAIN}"
    with encrypted.connect(name=host) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{encrypted.port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    event = json.loads(body)
    assert event["domain"] == host
    assert (event["headers"]["x-forwarded-proto"], event["headers"]["x-forwarded-port"]) == ("https", str(encrypted.port))
    assert client.get_function_url_config(FunctionName=function)["FunctionUrl"] == url


def test_policies_know_of_encryption(encrypted, function):
    iam = encrypted.server.client("iam")
    user = User(encrypted.server, iam, unique("user"))
    user.may(statement("lambda:*", Bool={"aws:SecureTransport": "true"}))
    assert encrypted.client(credentials=user.key).get_function(FunctionName=function)
    message = user.denial("lambda:GetFunction", arn(function))
    denied(user.client().get_function, message, FunctionName=function)


def test_the_command_line(encrypted, function):
    trust = {"SSL_CERT_FILE": str(encrypted.folder / "authority.pem")}
    command = [BINARY, "functions", "--endpoint", encrypted.url, "--data-dir", encrypted.server.data]
    run = lambda **more: subprocess.run(command, env=PLAIN_ENVIRONMENT | more, capture_output=True, text=True, timeout=60)  # noqa: E731
    assert function in run(**trust).stdout
    stranger = run()
    assert stranger.returncode != 0 and "certificate" in stranger.stderr


def test_a_renewed_certificate(serve, tmp_path):
    instance = Encrypted(serve, tmp_path)
    assert instance.serial() == 2
    process = instance.server.process
    with instance.connect() as open_before:
        instance.issue(3)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "tls.certificate.renewed" in instance.server.log_tail(), what="the new certificate")
        assert instance.serial() == 3
        # Who is connected stays so.
        open_before.sendall(b"GET /_rushlight/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert open_before.recv(100).startswith(b"HTTP/1.1 ")
    # One that cannot be read changes nothing.
    (tmp_path / "key.pem").write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "tls.certificate.kept" in instance.server.log_tail(), what="that the mistake is told")
    assert instance.serial() == 3
    assert instance.server.stop() == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_who_speaks_no_tls_or_an_old_one(encrypted, function):
    with socket.create_connection(("127.0.0.1", encrypted.port), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not plain.recv(1000).startswith(b"HTTP/")
    old = encrypted.context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        encrypted.connect(old)
    with pytest.raises(ssl.SSLCertVerificationError):
        encrypted.connect(ssl.create_default_context())
    assert json.load(encrypted.client().invoke(FunctionName=function)["Payload"]) == "done"


def test_who_never_says_hello_holds_up_nobody(encrypted, function):
    silent = [socket.create_connection(("127.0.0.1", encrypted.port), timeout=30) for _ in range(200)]
    silent[0].sendall(b"\x16\x03\x01\x02\x00\x01")
    begun = time.monotonic()
    assert json.load(encrypted.client().invoke(FunctionName=function)["Payload"]) == "done"
    assert time.monotonic() - begun < 9, "nobody waits for their time to be over"
    # They are cut off.
    assert silent[0].recv(1000) == b"" and silent[-1].recv(1000) == b""
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    "files, sentence",
    [
        ({"certificate": None}, "cannot read the certificate"),
        ({"certificate": ""}, "holds no certificate in PEM"),
        ({"key": None}, "cannot read the private key"),
        ({"key": "nonsense"}, "cannot read the private key"),
    ],
)
def test_mistakes(serve, tmp_path, encrypted, files, sentence):
    for name in ("certificate", "key"):
        content = files.get(name, (encrypted.folder / f"{name}.pem").read_text())
        if content is not None:
            (tmp_path / f"{name}.pem").write_text(content)
    with pytest.raises(AssertionError, match=sentence):
        serve(
            "--isolation", "none", "--tls-listen", "127.0.0.1:0",
            "--tls-certificate", tmp_path / "certificate.pem", "--tls-key", tmp_path / "key.pem",
        )  # fmt: skip


def test_a_key_of_another_certificate(serve, tmp_path, encrypted):
    other = tmp_path / "other"
    os.mkdir(other)
    subprocess.run([TOOLS / "moto/bin/python", "-c", AUTHORITY, other, "5"], check=True, timeout=60)
    with pytest.raises(AssertionError, match="the key does not belong to the certificate"):
        serve(
            "--isolation", "none", "--tls-listen", "127.0.0.1:0",
            "--tls-certificate", encrypted.folder / "certificate.pem", "--tls-key", other / "key.pem",
        )  # fmt: skip
