"""Errors as they are reported, and as they are logged. Loaded when the first one occurs."""

import os
import time
import traceback

from rushlight_handler import Fault
from rushlight_json import to_json

_INDENT = "\u00a0"
_HERE = os.path.dirname(os.path.abspath(__file__)) + "/rushlight_"
UNHANDLED_DURING_INIT = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the "
    "function code. However, in rare cases, a Lambda runtime update can cause unexpected "
    "function behavior. For functions using managed runtimes, runtime updates can be "
    "triggered by a function change, or can be applied automatically. To determine if "
    "the runtime has been updated, check the runtime version in the INIT_START log "
    "entry. If this error correlates with a change in the runtime version, you may be "
    "able to mitigate this error by temporarily rolling back to the previous runtime "
    "version. For more information, see "
    "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)


def report(error, request_id=None):
    """The JSON object that stands for an error; the order of its keys is part of it."""
    if isinstance(error, Fault):
        kind, message, stack_trace = error.exception_type, error.msg, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        stack_trace = traceback.format_list(user_frames(error))
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": request_id if request_id is not None else "",
        "stackTrace": stack_trace or [],
    }


def user_frames(error):
    """The traceback without this runtime's own frames at its outer end."""
    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    for index, frame in enumerate(frames):
        if "/bootstrap.py" not in frame[0] and not frame[0].startswith(_HERE):
            return frames[index:]
    return frames


def tracing_cause(error):
    """The JSON object that X-Ray gets to know about an error."""
    if isinstance(error, Fault):
        kind, message, frames = "LambdaValidationError", error.msg, []
    else:
        kind, message, frames = type(error).__name__, str(error), user_frames(error)
    stack = [
        {"label": name, "path": path, "line": line} for path, line, name, _ in frames
    ]
    return {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": kind, "stack": stack}],
        "paths": list({frame["path"] for frame in stack}),
    }


def log_error(error, log_sink, is_json):
    """Writes an error object to the log in the format that is set."""
    if is_json:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log_sink.log_error([to_json({"timestamp": now, "level": "ERROR", **error})])
    else:
        log_sink.log_error(_text_lines(error))


def _text_lines(error):
    kind, message = error["errorType"], error["errorMessage"]
    headline = "[ERROR]"
    if kind:
        headline += " " + kind
    if message:
        headline += (": " if kind else " ") + message
    lines = [headline, "Traceback (most recent call last):"]
    for frame in error["stackTrace"]:
        lines.extend(_with_hard_indent(line) for line in frame.splitlines() or [""])
    return lines


def _with_hard_indent(line):
    text = line.lstrip(" ")
    return _INDENT * (len(line) - len(text)) + text
