"""HTTP/1.1 to the Runtime API over one kept-alive socket.

`http.client` costs some 40 ms to import and several writes per request; a function's
cold start and its warm overhead are both made of such things. A request leaves in one
segment; answers with a length or in chunks are understood, interim ones are skipped.
"""

import _socket

_PREFIX = b"/2018-06-01/runtime/"
_RECEIVE_SIZE = 65536


class ConnectionClosed(OSError):
    """The server closed the connection before its answer was complete."""

    def __init__(self, reusable):
        super().__init__("connection closed by the Runtime API")
        self.reusable = reusable


class Connection:
    """A connection made at the first request, so that a process can be forked before."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]")
        self._port = int(port)
        self._host_field = b" HTTP/1.1\r\nHost: " + address.encode("ascii") + b"\r\n"
        self._socket = None
        self._pending = b""

    def message(self, method, path, fields=b"", body=None):
        """The bytes of a request; `fields` are finished header lines."""
        head = method + b" " + _PREFIX + path + self._host_field + fields
        if body is None:
            return head + b"\r\n"
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def exchange(self, message):
        """Sends bytes of one or more requests; returns the first one's answer.

        An answer is (status, {lower-case name: value}, body). A connection that the server
        closed while it was idle is replaced once.
        """
        fresh = self._socket is None
        if fresh:
            self._connect()
        try:
            self._socket.sendall(message)
            return self.answer()
        except (ConnectionClosed, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh or not getattr(error, "reusable", True):
                raise
        self._connect()
        self._socket.sendall(message)
        return self.answer()

    @property
    def is_open(self):
        """Whether further answers can come."""
        return self._socket is not None

    def close(self):
        """Drops the connection; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._pending = b""

    def _connect(self):
        family = _socket.AF_INET6 if ":" in self._host else _socket.AF_INET
        # Close-on-exec is the default of Python's sockets.
        connection = _socket.socket(family, _socket.SOCK_STREAM)
        connection.connect((self._host, self._port))
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._socket = connection

    def _receive(self, reusable=False):
        data = self._socket.recv(_RECEIVE_SIZE)
        if not data:
            raise ConnectionClosed(reusable)
        return data

    def answer(self):
        """Reads the next answer that is due."""
        data = self._pending or self._receive(reusable=True)
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                data += self._receive()
                continue
            status, headers = _parse_head(data[:end])
            data = data[end + 4 :]
            if status >= 200:
                break
            data = data or self._receive()
        body, self._pending = self._read_body(headers, data)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body

    def _read_body(self, headers, data):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks(data)
        length = int(headers.get("content-length", 0))
        missing = length - len(data)
        if missing > 0:
            body = bytearray(length)
            start = len(data)
            body[:start] = data
            with memoryview(body) as view:
                while start < length:
                    received = self._socket.recv_into(view[start:])
                    if not received:
                        raise ConnectionClosed(False)
                    start += received
            return bytes(body), b""
        return data[:length], data[length:]

    def _read_chunks(self, data):
        chunks = []
        while True:
            line, data = self._read_line(data)
            size = int(line.split(b";", 1)[0], 16)
            if size == 0:
                break
            while len(data) < size + 2:
                data += self._receive()
            chunks.append(data[:size])
            data = data[size + 2 :]
        while line:  # Trailers, up to the empty line.
            line, data = self._read_line(data)
        return b"".join(chunks), data

    def _read_line(self, data):
        while True:
            line, found, rest = data.partition(b"\r\n")
            if found:
                return line, rest
            data += self._receive()


def _parse_head(head):
    lines = head.decode("utf-8", "replace").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(lines[0].split(" ", 2)[1]), headers
