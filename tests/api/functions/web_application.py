"""A plain web application, as people have them: it knows nothing of Lambda. What it does is in the path.

PORT        where it listens (8080)
STARTING    seconds until it does, or "never"
UNREADY     so many requests for /ready are answered with 503 first
"""

import base64
import http.server
import json
import os
import sys
import time
import urllib.parse
import uuid

INSTANCE = uuid.uuid4().hex
unready = int(os.environ.get("UNREADY", "0"))
requests = 0


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        global requests
        requests += 1
        self.address = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(self.address.query))
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = self.address.path.strip("/").partition("/")[0]
        getattr(self, f"do_{name}", self.do_echo)()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = respond

    def answer(self, content, status=200, kind="application/json", headers=()):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(content))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_echo(self):
        self.answer({
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(self.content).decode(),
            "instance": INSTANCE,
            "requests": requests,
        })

    def do_events(self):
        context = json.loads(self.headers["x-amzn-lambda-context"])
        self.answer({"event": json.loads(self.content), "function": context["invoked_function_arn"]})

    def do_ready(self):
        global unready
        unready -= 1
        self.answer({}, 503 if unready >= 0 else 200)

    def do_status(self):
        headers = [("X-Custom", "value"), ("Set-Cookie", "a=1; Secure"), ("Set-Cookie", "b=2")]
        self.answer({"said": "so"}, int(self.query["code"]), headers=headers)

    def do_bytes(self):
        self.answer(bytes(range(256)) * int(self.query.get("times", "1")), kind="image/png")

    def do_pieces(self):
        """Two of them: the second says when it was written, or is never."""
        self.send_response(201)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Set-Cookie", "a=1; Secure")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.piece(b"first ")
        time.sleep(float(self.query["pause"]))
        if "crash" in self.query:
            self.do_crash()
        self.piece(str(time.time()).encode())
        self.piece(b"")

    def piece(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def do_crash(self):
        print(f"{INSTANCE} ends", flush=True)
        os._exit(9)

    def log_message(self, format, *values):
        print(self.path, flush=True)


if os.environ.get("STARTING") == "never":
    sys.exit(7)
time.sleep(float(os.environ.get("STARTING", "0")))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Application).serve_forever()
