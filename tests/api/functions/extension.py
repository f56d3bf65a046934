#!/usr/bin/env python3
"""An extension: registers for what its environment says, prints every event, and fails as it is told.

EXTENSION_EVENTS      what to register for (INVOKE,SHUTDOWN)
EXTENSION_FAIL        crash-start, crash-registered, init-error, exit-error, never-register, never-ready, hang (at SHUTDOWN)
EXTENSION_SLOW        seconds between an event and asking for the next
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
NAME = pathlib.Path(__file__).name
FAIL = os.environ.get("EXTENSION_FAIL", "")


def say(**what):
    print(json.dumps({"extension": NAME} | what), flush=True)


def call(path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{API}/{path}", data, headers=headers)
    with urllib.request.urlopen(request, timeout=None) as answer:
        return dict(answer.headers), json.loads(answer.read() or b"null")


if FAIL == "crash-start":
    sys.exit(3)
if FAIL == "never-register":
    time.sleep(3600)
events = [event for event in os.environ.get("EXTENSION_EVENTS", "INVOKE,SHUTDOWN").split(",") if event]
headers, registered = call(
    "register", {"events": events}, **{"Lambda-Extension-Name": NAME, "Lambda-Extension-Accept-Feature": "accountId"}
)
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
say(registered=registered, variables=sorted(os.environ), directory=os.getcwd())
if FAIL == "crash-registered":
    sys.exit(4)
if FAIL == "init-error":
    call("init/error", {"errorMessage": "m"}, **identifier, **{"Lambda-Extension-Function-Error-Type": "Extension.NoReason"})
    time.sleep(3600)
if FAIL == "never-ready":
    time.sleep(3600)
while True:
    headers, event = call("event/next", **identifier)
    pathlib.Path(f"/tmp/{NAME}.last").write_text(json.dumps(event))
    say(event=event, now=time.time(), identified="Lambda-Extension-Event-Identifier" in headers)
    if event["eventType"] == "SHUTDOWN":
        if FAIL == "hang":
            time.sleep(3600)
        sys.exit(0)
    if FAIL == "exit-error":
        call("exit/error", {"errorMessage": "m"}, **identifier, **{"Lambda-Extension-Function-Error-Type": "Extension.Tired"})
        time.sleep(3600)
    if FAIL == "crash-invoke":
        sys.exit(5)
    time.sleep(float(os.environ.get("EXTENSION_SLOW", "0")))
