"""Handlers for whose result a whole server is needed (tests/api/test_aws_runtime_clients.py)."""

import json
import logging
import sys
import time

logger = logging.getLogger()


def hang(event, context):
    print("waiting")
    time.sleep(60)


def lines(event, context):
    print("one\ntwo\n\nfour")
    sys.stdout.write("unfinished")


def context_log(event, context):
    context.log("with its own end\n")
    context.log("umlauts äöü\n")


def context_values(event, context):
    return {
        "request": context.aws_request_id,
        "name": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "group": context.log_group_name,
        "stream": context.log_stream_name,
        "remaining": 0 < context.get_remaining_time_in_millis() <= 10_000,
        "client": context.client_context and context.client_context.custom,
    }


def structured(event, context):
    logger.error("with more", extra={"order": {"id": 7}})
    try:
        raise KeyError("lost")
    except KeyError:
        logger.exception("caught")
    own = {"level": "ERROR", "timestamp": "2026-01-01T00:00:00Z", "message": "one's own"}
    print(json.dumps(own))
    print("no JSON at all")
