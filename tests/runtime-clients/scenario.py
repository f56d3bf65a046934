"""Runs one client through one scenario and tells what could be seen of it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

from mock_runtime_api import Event, MockRuntimeApi

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
HEADERS = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
}
ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TZ": ":UTC",
}
TIME_LIMIT = 60
HANG_LIMIT = 2


def event(body=b"{}", **headers):
    """An event with the usual headers; `name_of_header=value` replaces, None removes."""
    merged = dict(HEADERS)
    for name, value in headers.items():
        merged["-".join(part.capitalize() for part in name.split("_"))] = value
    if isinstance(body, str):
        body = body.encode("utf-8")
    return Event(body, {name: value for name, value in merged.items() if value is not None})


@dataclass
class Scenario:
    """What a client is given, and for which of them it applies."""

    name: str
    handler: str
    events: list = field(default_factory=lambda: [event()])
    env: dict = field(default_factory=dict)
    log_descriptor: bool = False
    # Seconds to go on watching after the last invocation was settled.
    watch: float = 0
    # Whether the invocation is one that never ends.
    hangs: bool = False
    # Whether it matters when, and whether, the next event is asked for.
    compares_next: bool = True
    # Why AWS' client is not followed; then `expected` states what ours does instead.
    difference: str = ""
    expected: object = None
    applies: object = lambda version: True
    next_status: int = 200
    response_status: int = 202
    # Whether the client is told to serve several events at once.
    is_concurrent: bool = False


@dataclass
class Observation:
    """Everything that the outside can see of a run."""

    requests: list
    stdout: bytes
    stderr: bytes
    frames: bytes
    exit_status: object  # None where the process was still serving.


def observe(command, task_root, scenario, env):
    """Runs `command` with the scenario's events and ends it when all are settled."""
    api = MockRuntimeApi(
        scenario.events, scenario.next_status, scenario.response_status, scenario.is_concurrent
    )
    variables = {
        **ENVIRONMENT,
        **env,
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "LAMBDA_TASK_ROOT": task_root,
        "_HANDLER": scenario.handler,
        **scenario.env,
    }
    outputs = Outputs(scenario.log_descriptor)
    variables.update(outputs.variables)
    process = subprocess.Popen(
        command,
        cwd=task_root,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=outputs.ends["stdout"],
        stderr=outputs.ends["stderr"],
        pass_fds=outputs.passed,
        start_new_session=True,
    )
    outputs.close_ends()
    try:
        status = wait(process, api, scenario)
    finally:
        # With the workers that it may have made.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        read = outputs.finish()
        api.close()
    return Observation(api.requests, read["stdout"], read["stderr"], read["frames"], status)


def wait(process, api, scenario):
    deadline = time.monotonic() + (HANG_LIMIT if scenario.hangs else TIME_LIMIT)
    while process.poll() is None and not api.finished.is_set():
        if time.monotonic() > deadline:
            if scenario.hangs:
                return None
            raise TimeoutError("neither idle nor ended; requests: %r" % api.requests)
        time.sleep(0.005)
    until = time.monotonic() + scenario.watch
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    return process.poll()


class Outputs:
    """Pipes for stdout, stderr and, where asked for, the log descriptor."""

    def __init__(self, with_frames):
        self.ends = {}
        self._read = {"frames": b""}
        self._threads = []
        for name in ["stdout", "stderr"] + ["frames"] * with_frames:
            reader, self.ends[name] = os.pipe()
            thread = threading.Thread(target=self._drain, args=(name, reader), daemon=True)
            thread.start()
            self._threads.append(thread)
        self.passed = [self.ends["frames"]] if with_frames else []
        self.variables = {}
        if with_frames:
            self.variables["_LAMBDA_TELEMETRY_LOG_FD"] = str(self.ends["frames"])

    def close_ends(self):
        for end in self.ends.values():
            os.close(end)

    def finish(self):
        for thread in self._threads:
            thread.join(10)
        return self._read

    def _drain(self, name, reader):
        with os.fdopen(reader, "rb") as stream:
            self._read[name] = stream.read()
