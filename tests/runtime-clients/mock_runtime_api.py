"""A Runtime API server that plays a script and records every request.

It answers `GET …/invocation/next` with the scripted events in order, and everything
else with 202. When the script is at its end the next `next` blocks, and `finished` is
set: by then the client has settled the last invocation and is idle.
"""

import base64
import socket
import threading
from dataclasses import dataclass, field

NEXT = "/2018-06-01/runtime/invocation/next"


@dataclass
class Event:
    """One invocation as handed out by `next`."""

    body: bytes
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    """One request as received: header names in lower case, trailers likewise."""

    method: str
    path: str
    headers: dict
    body: bytes
    trailers: dict
    complete: bool = True


class MockRuntimeApi:
    """Listens on a loopback port of its own until `close`."""

    def __init__(self, events, next_status=200, response_status=202, is_concurrent=False):
        self.events = list(events)
        self.next_status = next_status
        self.response_status = response_status
        self.requests = []
        # Who serves several events at once asks for more before the last is answered.
        self._awaited = len(events) if is_concurrent else 0
        self._answered = 0
        self._is_asked_for_more = False
        self.finished = threading.Event()
        self._lock = threading.Lock()
        self._connections = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Ends all; to be called when the client is gone, so that what it sent is in."""
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while True:
                request = read_request(stream, connection)
                if request is None:
                    return
                with self._lock:
                    self.requests.append(request)
                    answer = self._answer(request)
                if answer is None:
                    return  # Leave the client waiting.
                connection.sendall(answer)
        except (OSError, ValueError):
            return

    def _answer(self, request):
        if request.path != NEXT:
            self._answered += 1
            self._end_if_settled()
            restore = request.path.endswith("/restore/next")
            return response(200 if restore else self.response_status, {}, b'{"status":"OK"}\n')
        if self.next_status != 200:
            return response(self.next_status, {}, b'{"errorType":"InternalServerError"}')
        if not self.events:
            self._is_asked_for_more = True
            self._end_if_settled()
            return None
        event = self.events.pop(0)
        return response(200, event.headers, event.body)

    def _end_if_settled(self):
        if self._is_asked_for_more and self._answered >= self._awaited:
            self.finished.set()


def response(status, headers, body):
    lines = ["HTTP/1.1 %d X" % status, "Content-Length: %d" % len(body)]
    lines += ["%s: %s" % item for item in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + body


def read_request(stream, connection):
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = read_fields(stream)
    request = Request(method, path, headers, b"", {})
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        request.complete = read_chunked(stream, request)
    else:
        request.body = stream.read(int(headers.get("content-length", 0)))
    return request


def read_chunked(stream, request):
    """Fills in body and trailers; False where the connection ended before the body did."""
    while True:
        line = stream.readline()
        if not line:
            return False
        size = int(line.split(b";")[0], 16)
        if size == 0:
            request.trailers = read_fields(stream)
            return True
        request.body += stream.read(size)
        stream.readline()


def read_fields(stream):
    fields = {}
    while True:
        line = stream.readline().decode("latin-1").rstrip("\r\n")
        if not line:
            return fields
        name, _, value = line.partition(":")
        key = name.strip().lower()
        value = value.strip()
        fields[key] = fields[key] + ", " + value if key in fields else value


def decode_trailer(value):
    """The JSON text of a `Lambda-Runtime-Function-Error-Body` trailer."""
    return base64.b64decode(value)
