"""The root logger's handler. Imported together with `logging`, never before it."""

import logging
import time

from rushlight_log import frame_type

_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S"
_TEXT_FORMAT = (
    "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
)
# Attributes that every record has, and those that this runtime adds.
_RECORD_FIELDS = frozenset(
    """name msg args levelname levelno pathname filename module exc_info exc_text
    stack_info lineno funcName created msecs relativeCreated thread threadName
    processName process aws_request_id tenant_id _frame_type""".split()
)


def configure(settings, log_sink, invocation):
    """Gives the root logger its one handler and, where one is set, its level."""
    logging.Formatter.converter = time.gmtime
    if settings.is_json or settings.level:
        handler = LambdaLoggerHandlerWithFrameType(log_sink)
    else:
        handler = LambdaLoggerHandler(log_sink)
    if settings.is_json:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_TEXT_FORMAT, _DATE_FORMAT))
    root = logging.getLogger()
    if settings.level in logging._nameToLevel:
        root.setLevel(settings.level)
    handler.addFilter(LambdaLoggerFilter(invocation))
    root.addHandler(handler)


class LambdaLoggerHandler(logging.Handler):
    """Writes formatted records to the log sink."""

    def __init__(self, log_sink):
        super().__init__()
        self.log_sink = log_sink

    def emit(self, record):
        self.log_sink.log(self.format(record))


class LambdaLoggerHandlerWithFrameType(LambdaLoggerHandler):
    """The same, telling format and level to a sink that keeps them."""

    def emit(self, record):
        message = self.format(record)
        kind = getattr(record, "_frame_type", None) or frame_type(False, _tens(record))
        self.log_sink.log(message, frame_type=kind)


class LambdaLoggerFilter(logging.Filter):
    """Adds the invocation's request id and tenant to every record."""

    def __init__(self, invocation):
        super().__init__()
        self._invocation = invocation

    def filter(self, record):
        record.aws_request_id = self._invocation.request_id or ""
        record.tenant_id = self._invocation.tenant_id
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per record; what is unknown is left out."""

    def __init__(self):
        super().__init__(datefmt=_DATE_FORMAT + "Z")
        import json

        self._encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    def format(self, record):
        record.levelno = _tens(record)
        record.levelname = logging.getLevelName(record.levelno)
        record._frame_type = frame_type(True, record.levelno)
        fields = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": _message(record),
            "logger": record.name,
            **_exception(record),
            "requestId": getattr(record, "aws_request_id", None),
            "location": _location(record),
        }
        if getattr(record, "tenant_id", None) is not None:
            fields["tenantId"] = record.tenant_id
        for name, value in record.__dict__.items():
            if name not in _RECORD_FIELDS and name not in fields:
                fields[name] = value
        known = {name: value for name, value in fields.items() if value is not None}
        return self._encode(known) + "\n"


def _tens(record):
    return min(50, max(0, record.levelno)) // 10 * 10


def _message(record):
    if isinstance(record.msg, dict) and not record.args:
        return record.msg
    return record.getMessage()


def _exception(record):
    if not record.exc_info:
        return {"stackTrace": None, "errorType": None, "errorMessage": None}
    import traceback

    kind, error, trace = record.exc_info
    return {
        "stackTrace": traceback.format_tb(trace),
        "errorType": kind.__name__,
        "errorMessage": str(error),
    }


def _location(record):
    if not record.exc_info:
        return None
    return "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
