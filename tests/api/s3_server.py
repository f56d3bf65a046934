"""S3 for the tests: moto's server, which is a real one, and one that misbehaves as it is told."""

import contextlib
import http.server
import pathlib
import socket
import subprocess
import threading
import time

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials

from server import PLAIN_ENVIRONMENT, TOOLS

KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1]}

CERTIFICATE = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    .sign(key, hashes.SHA256())
)
pem = serialization.Encoding.PEM
open(sys.argv[1], "wb").write(certificate.public_bytes(pem))
private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
open(sys.argv[2], "wb").write(private)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(directory):
    """A certificate for 127.0.0.1 that nobody trusts yet, and its key."""
    paths = pathlib.Path(directory) / "certificate.pem", pathlib.Path(directory) / "key.pem"
    subprocess.run([TOOLS / "moto/bin/python", "-c", CERTIFICATE, *paths], check=True, timeout=60)
    return paths


@contextlib.contextmanager
def moto(*arguments):
    """moto's server; gives its port."""
    port = free_port()
    command = [TOOLS / "moto/bin/moto_server", "-H", "127.0.0.1", "-p", str(port), *arguments]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PLAIN_ENVIRONMENT
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline, "moto does not start"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def s3_client(url, service="s3", **settings):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
        **settings,
    )


class Misbehaving:
    """Answers with what `answers` gives: (status, headers, body) in turn, the last one again and again."""

    def __init__(self):
        self.answers = [(404, {}, b"")]
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                status, headers, body = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def signature(url, headers, region):
    """The Authorization header that botocore makes for such a request."""
    kept = {name: headers[name] for name in ("Host",)}
    request = botocore.awsrequest.AWSRequest("GET", url, headers=kept)
    signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(*KEY), "s3", region)
    date = {name.lower(): value for name, value in headers.items()}["x-amz-date"]
    request.context["timestamp"] = date
    request.context["payload_signing_enabled"] = True
    request.headers["X-Amz-Date"] = date
    request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    return signer.signature(text, request)
