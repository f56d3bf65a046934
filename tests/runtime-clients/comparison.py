"""Brings what was observed into a form in which two clients can be compared.

Left out: times, addresses, ports, and the frames of the clients themselves in stack traces,
for these are the only things in which two programs with one behaviour differ.
"""

import json
import re
import struct

from mock_runtime_api import NEXT, decode_trailer

COMPARED_HEADERS = (
    "content-type",
    "lambda-runtime-function-error-type",
    "lambda-runtime-function-response-mode",
    "trailer",
)
CAUSE = "lambda-runtime-function-xray-error-cause"
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
MILLISECONDS = re.compile(r"\[\d{13}\] LAMBDA_RUNTIME")
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
THREAD = re.compile(r"Thread-\d+")
CLIENT_CLASS = re.compile(r"\b(?:awslambdaric|rushlight)[\w.]*\.(?=\w+Error)")


def comparable(observation, scenario, clients):
    """A plain value: equal for clients that behave the same.

    `clients` are the folders of the clients' own files.
    """
    text = Normalizer(clients)
    return {
        "requests": [
            request(item, text)
            for item in observation.requests
            if scenario.compares_next or item.path != NEXT
        ],
        "stdout": text(observation.stdout.decode("utf-8", "backslashreplace")),
        "stderr": text(observation.stderr.decode("utf-8", "backslashreplace")),
        "frames": frames(observation.frames, text),
        "exit": observation.exit_status,
    }


def request(item, text):
    seen = {"call": "%s %s" % (item.method, item.path), "complete": item.complete}
    is_init_error = item.path.endswith("/init/error")
    for name in COMPARED_HEADERS:
        # AWS' Python client gives its report of a failed init no content type, its Node.js
        # client does: neither is read by anything.
        if name in item.headers and not (is_init_error and name == "content-type"):
            seen[name] = item.headers[name]
    if CAUSE in item.headers:
        seen["cause"] = cause(item.headers[CAUSE], text)
    seen["body"] = body(item.body, text)
    if item.trailers:
        trailers = dict(item.trailers)
        encoded = trailers.pop("lambda-runtime-function-error-body", None)
        if encoded:
            trailers["error"] = body(decode_trailer(encoded), text)
        seen["trailers"] = trailers
    return seen


def body(data, text):
    """A body: error objects without the clients' frames, all else to the byte."""
    try:
        value = json.loads(data)
    except ValueError:
        return data
    if not isinstance(value, dict) or "errorType" not in value:
        return data
    for key in ("stackTrace", "trace"):
        if key in value:
            value[key] = text.stack(value[key])
    value["errorMessage"] = text(value["errorMessage"])
    return ["%s=%s" % item for item in value.items()]


def cause(header, text):
    value = json.loads(header.encode("latin-1").decode("utf-8"))
    for exception in value["exceptions"]:
        exception["stack"] = [
            frame
            for frame in exception["stack"]
            if not text.is_client(frame["path"]) and frame["path"] != "file"
        ]
        if "message" in exception:
            exception["message"] = text(exception["message"])
    value["paths"] = sorted(
        path for path in value["paths"] if not text.is_client(path) and path != "file"
    )
    return value


def frames(data, text):
    """(type, text) of each frame of the log descriptor."""
    found = []
    while data:
        kind, length, microseconds = struct.unpack(">IIQ", data[:16])
        assert 1_600_000_000_000_000 < microseconds < 4_000_000_000_000_000
        message = data[16 : 16 + length]
        assert len(message) == length, "a frame is cut short"
        found.append((hex(kind), text(message.decode("utf-8"))))
        data = data[16 + length :]
    return found


class Normalizer:
    """Replaces what may differ in a text."""

    def __init__(self, clients):
        self._clients = clients
        paths = "|".join(re.escape(client) for client in clients)
        # A frame in Python's form with its source lines, in the log's or the usual indent.
        self._python_frame = re.compile(
            r'[\r\n]?[ \xa0]+File "(?:%s|<frozen runpy>|[^"]*/runpy\.py)[^"]*", line \d+, in [^\n\r]*'
            r"(?:[\r\n](?:[ \xa0]{4,})[^\n\r]*)*" % paths
        )
        where = r"(?:file://)?(?:%s)" % paths
        # A frame as an element of a JSON list.
        inside = r'(?:[^"\\\n]|\\.)*'
        self._json_frame = re.compile(
            r'(?:, ?)?"(?:  File \\"|    at )%s(?:%s)%s"' % (inside, paths, inside)
        )
        self._nodejs_frame = re.compile(
            r"(?:[\r\n]|\\n) +(?:at|\d+:) [^\n\r\\]*?%s[^\s)\"\\]*\)?" % where
        )
        self._nodejs_source = re.compile(
            r"%s[^\n]*:\d+\n(?:[^\n]*\n)?\s*\^+\n" % where
        )
        self._native_frame = re.compile(r"\n\d+: [^\n]*%s[^\n]*" % where)
        self._required_by = re.compile(r"(- |imported from )(?:%s)[^\s\"\\]*" % paths)

    def is_client(self, path):
        return any(path.startswith(client) for client in self._clients)

    def stack(self, lines):
        kept = [line for line in lines if not any(c in line for c in self._clients)
                or line.startswith("-")]
        return [self(line) for line in kept]

    def __call__(self, text):
        text = ISO_TIME.sub("<time>", text)
        text = MILLISECONDS.sub("[<ms>] LAMBDA_RUNTIME", text)
        text = ADDRESS.sub("<address>", text)
        text = THREAD.sub("Thread-n", text)
        text = CLIENT_CLASS.sub("", text)
        text = self._json_frame.sub("", text)
        text = self._python_frame.sub("", text)
        text = self._nodejs_frame.sub("", text)
        text = self._native_frame.sub("", text)
        text = self._nodejs_source.sub("", text)
        return self._required_by.sub(r"\1<client>", text)
