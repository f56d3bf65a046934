"""Handlers that go on only when as many as are expected are there at the same time."""

import os
import time


def handler(event, context):
    here = os.path.join(event["place"], context.aws_request_id)
    open(here, "w").close()
    until = time.monotonic() + 20
    while len(os.listdir(event["place"])) < event["expected"]:
        if time.monotonic() > until:
            return {"id": context.aws_request_id, "met": False}
        time.sleep(0.01)
    print("met", context.aws_request_id)
    if event.get("fails"):
        raise ValueError("met " + context.aws_request_id)
    return {"id": context.aws_request_id, "met": True}
