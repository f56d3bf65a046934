"""A Rushlight server as its users run it: the real binary, its own data directory, real clients."""

import configparser
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions

import conformance

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("RUSHLIGHT_BINARY", REPOSITORY / "target/debug/rushlight"))
TOOLS = REPOSITORY / "target/tools"
ACCOUNT = "000000000000"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service"

# Of the machine's environment only what programs need to start: a developer's own AWS settings stay out.
PLAIN_ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


class ServerDied(AssertionError):
    pass


class Server:
    """One server, which may be started again and again on one data directory."""

    def __init__(self, directory, *flags, environment=None, user=None, binary=BINARY):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.flags = list(flags)
        self.environment = PLAIN_ENVIRONMENT | {"RUSHLIGHT_LOG": "info"} | (environment or {})
        self.user = user
        self.binary = binary
        self.log = self.directory / "server.log"
        self.process = None
        self.endpoint = None
        self._recorders = []

    # Life

    def start(self, timeout=60):
        assert self.process is None
        command = [self.binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data, *self.flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user is not None else None,
            )
        self.output = []
        listening = threading.Event()
        threading.Thread(target=self._read_output, args=(self.process.stdout, listening), daemon=True).start()
        if not listening.wait(timeout) or self.endpoint is None:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise ServerDied(f"the server does not listen\n{self.log_tail()}")
        return self

    def _read_output(self, stream, listening):
        for line in stream:
            line = line.decode(errors="replace").rstrip("\n")
            self.output.append(line)
            if match := re.fullmatch(r"rushlight is listening on (http://127\.0\.0\.1:\d+)", line):
                self.endpoint = match[1]
                listening.set()
        listening.set()

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Ends the server and returns its exit status."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerDied(f"the server does not stop within {timeout} s\n{self.log_tail()}") from None
        finally:
            process.stdout.close()
            self.endpoint = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    # Clients

    @property
    def port(self):
        return int(self.endpoint.rsplit(":", 1)[1])

    @property
    def credentials(self):
        """The key of the first start, as (access key id, secret access key)."""
        profiles = configparser.ConfigParser()
        profiles.read(self.data / "credentials")
        profile = profiles[profiles.sections()[0]]
        return profile["aws_access_key_id"], profile["aws_secret_access_key"]

    def client(self, service="lambda", *, region=REGION, credentials=None, validate=True, timeout=60):
        """A boto3 client that neither tries again nor hides anything; what it is answered is held against the model."""
        session = boto3.session.Session(*(credentials or self.credentials), region_name=region)
        client = session.client(
            service,
            endpoint_url=self.endpoint,
            config=botocore.config.Config(
                retries={"total_max_attempts": 1},
                parameter_validation=validate,
                read_timeout=timeout,
                connect_timeout=10,
                max_pool_connections=100,
            ),
        )
        conformance.watch(client)
        return client

    def aws_environment(self, region=REGION):
        key, secret = self.credentials
        return PLAIN_ENVIRONMENT | {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def aws(self, *arguments, version=1, check=True, timeout=120, **options):
        """Runs the AWS CLI and returns what it printed as text."""
        program = TOOLS / ("test/bin/aws" if version == 1 else "aws-cli-2/aws")
        return _run([program, *arguments], self.aws_environment(), check, timeout, **options)

    def rushlight(self, *arguments, check=True, timeout=120, **options):
        """Runs one of the client commands against this server."""
        environment = self.environment | {
            "RUSHLIGHT_ENDPOINT_URL": self.endpoint or "",
            "RUSHLIGHT_DATA_DIR": str(self.data),
        }
        return _run([BINARY, *arguments], environment, check, timeout, **options)


def _run(command, environment, check, timeout, **options):
    command = [str(word) for word in command]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **options
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(condition, timeout=30, interval=0.05, what="the condition"):
    """Returns the first true value of `condition()`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout} s"
        time.sleep(interval)


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def arn(name, qualifier=None):
    """Of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}" + (f":{qualifier}" if qualifier else "")


def refused(call, code, message, **arguments):
    """Makes a call that must be refused with this code and message, and returns the answer."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as refusal:
        error = refusal.response["Error"]
        assert (error["Code"], error["Message"]) == (code, message)
        return refusal.response
    raise AssertionError(f"not refused, which should be {code}: {message}")


def runtimes():
    """What `rushlight doctor` found on this machine: identifier -> listing."""
    done = _run([BINARY, "doctor", "--json"], PLAIN_ENVIRONMENT, False, 120)
    return {listing["identifier"]: listing for listing in json.loads(done.stdout)["runtimes"]}
