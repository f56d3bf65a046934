#!/usr/bin/env python3
"""An extension that subscribes to telemetry as the variable TELEMETRY says (JSON), and prints every batch that it gets.

api        telemetry, logs
request    members of the request, besides the destination
protocol   HTTP, TCP
behave     ok, refuse (status 500), silent (never answers), dead (nobody listens)
print      batch (all of it), summary (how many of which type)
attempts   requests that are made before, each [headers or null for the right ones, body]: their answers are printed
late       subscribe when the first event comes, and print the answer
wait       ask for the next event only when a record of this type has come
"""

import collections
import http.server
import json
import os
import pathlib
import socket
import socketserver
import sys
import threading
import urllib.error
import urllib.request

BASE = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}"
NAME = pathlib.Path(__file__).name
CONFIG = json.loads(os.environ.get("TELEMETRY", "{}"))
BEHAVE = CONFIG.get("behave", "ok")
PATHS = {"telemetry": "/2022-07-01/telemetry", "logs": "/2020-08-15/logs"}
came = collections.Counter()
changed = threading.Condition()


def say(**what):
    print(json.dumps({"extension": NAME} | what), flush=True)


def call(path, body=None, method=None, headers=None):
    data = body if body is None or isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(f"{BASE}{path}", data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=None) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read() or b"null")


def receive(records, **more):
    if CONFIG.get("print", "batch") == "batch":
        say(batch=records, **more)
    else:
        dropped = [record["record"] for record in records if record["type"] == "platform.logsDropped"]
        say(summary=collections.Counter(record["type"] for record in records), dropped=dropped, **more)
    with changed:
        came.update(record["type"] for record in records)
        changed.notify_all()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if BEHAVE == "silent":
            threading.Event().wait()
        headers = {name: self.headers[name] for name in ("Host", "Content-Type", "Sequence-Id")}
        receive(json.loads(body), path=self.path, headers=headers)
        self.send_response(500 if BEHAVE == "refuse" else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        if BEHAVE == "silent":
            threading.Event().wait()
        for line in self.rfile:
            receive([json.loads(line)])


def serve():
    """Listens; the port."""
    if BEHAVE == "dead":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            return closed.getsockname()[1]
    if CONFIG.get("protocol", "HTTP") == "HTTP":
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    else:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def subscribe():
    port = CONFIG.get("port") or serve()
    destination = {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/batches"}
    if CONFIG.get("protocol") == "TCP":
        destination = {"protocol": "TCP", "port": port}
    request = {"schemaVersion": "2022-12-13", "types": ["platform", "function"], "buffering": {"timeoutMs": 25}}
    request |= {"destination": destination} | CONFIG.get("request", {})
    api = CONFIG.get("api", "telemetry")
    status, _, answer = call(PATHS[api], request, "PUT", identifier)
    say(subscribed=[status, answer])


_, headers, _ = call("/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]}, headers={"Lambda-Extension-Name": NAME})
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
for headers, body in CONFIG.get("attempts", []):
    status, _, answer = call(PATHS[CONFIG.get("api", "telemetry")], body, "PUT", identifier if headers is None else headers)
    say(refused=[status, answer])
if CONFIG and not CONFIG.get("late"):
    subscribe()
while True:
    _, _, event = call("/2020-01-01/extension/event/next", headers=identifier)
    say(event=event["eventType"], reason=event.get("shutdownReason"))
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
    if CONFIG.get("late"):
        subscribe()
    if wait := CONFIG.get("wait"):
        with changed:
            already = came[wait]
            say(waited=changed.wait_for(lambda: came[wait] > already, timeout=10))
