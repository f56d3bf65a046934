"""Does what its event asks for: one of the scenarios of test_every_runtime.py."""

import json
import logging
import os
import platform
import sys
import time

if os.environ.get("FAIL"):
    raise RuntimeError("as asked")
logging.getLogger().setLevel("INFO")


def handler(event, context):
    what = event.get("do")
    if what == "raise":
        raise KeyError("as asked")
    if what == "exit":
        os._exit(3)
    if what == "sleep":
        time.sleep(30)
    if what == "memory":
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1 << 20) * 16))
    if what == "large":
        return "x" * event["size"]
    if what == "say":
        print("printed")
        logging.info("logged")
    if what == "layer":
        import of_layer

        return of_layer.NAME
    return {
        "event": event,
        "environment": dict(os.environ),
        "request": context.aws_request_id,
        "name": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": int(context.memory_limit_in_mb),
        "group": context.log_group_name,
        "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "runtime": "%d.%d" % sys.version_info[:2],
        "machine": platform.machine(),
    }
