"""A receiver of OpenTelemetry, which understands what the published definitions of the protocol describe, and no more."""

import base64
import http.server
import json
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {"/v1/logs": ExportLogsServiceRequest, "/v1/traces": ExportTraceServiceRequest}


def parse(path, body):
    """A request, by the definitions: members that they don't have are refused."""
    return json_format.ParseDict(in_bytes(json.loads(body)), REQUESTS[path]())


def in_bytes(value):
    """The protocol writes ids in hexadecimal digits, where protocol buffers have base64."""
    if isinstance(value, list):
        return [in_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    encode = lambda digits: base64.b64encode(bytes.fromhex(digits)).decode()  # noqa: E731
    return {name: encode(item) if name in ids else in_bytes(item) for name, item in value.items()}


class Receiver:
    """Listens from `start` on. `status` is what it answers with, `patience` how long that takes."""

    def __init__(self):
        self.requests, self.headers, self.faults = [], [], []
        self.status, self.patience = 200, 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.patience)
                if receiver.status == 200:
                    receiver.take(self.path, body, self.headers)
                answer = b"{}"
                self.send_response(receiver.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, body, headers):
        try:
            self.requests.append((path, parse(path, body)))
            self.headers.append(dict(headers))
        except Exception as fault:
            self.faults.append(f"{fault}: {body[:2000]}")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        assert self.faults == []

    def records(self):
        """Log records with the attributes of their resource, in the order of arrival."""
        found = []
        for path, request in self.requests:
            for resource in request.resource_logs if path == "/v1/logs" else []:
                attributes = plain(resource.resource.attributes)
                found += [(attributes, record) for scope in resource.scope_logs for record in scope.log_records]
        return found

    def spans(self):
        """Spans with the attributes of their resource, in the order of arrival."""
        found = []
        for path, request in self.requests:
            for resource in request.resource_spans if path == "/v1/traces" else []:
                attributes = plain(resource.resource.attributes)
                found += [(attributes, span) for scope in resource.scope_spans for span in scope.spans]
        return found


def plain(attributes):
    """Attributes as a dictionary."""

    def value(any_value):
        kind = any_value.WhichOneof("value")
        if kind == "array_value":
            return [value(item) for item in any_value.array_value.values]
        return getattr(any_value, kind)

    return {attribute.key: value(attribute.value) for attribute in attributes}
