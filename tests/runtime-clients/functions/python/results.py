"""Handlers whose result is the point."""

import collections
import decimal
import enum
import os
import sys


def ok(event, context):
    return {"hello": "world"}


def echo(event, context):
    return event


def nothing(event, context):
    pass


def text(event, context):
    return "just text"


def number(event, context):
    return 1.5


def non_ascii(event, context):
    return {"grüße": "日本 \u2028 \x7f 😀"}


def raw_bytes(event, context):
    return b"\x00\x01binary\xff"


def nested_bytes(event, context):
    return {"text": b"gr\xc3\xbc\xc3\x9fe", b"key": [b"x"]}


def bad_nested_bytes(event, context):
    return {"text": b"\xff\xfe"}


Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    pass


class Money:
    def _asdict(self):
        return {"amount": decimal.Decimal("12.30")}


def exotic(event, context):
    return {
        "decimal": decimal.Decimal("1.10"),
        "exponent": decimal.Decimal("1E+30"),
        "not_a_number": decimal.Decimal("NaN"),
        "infinite": decimal.Decimal("-Infinity"),
        "nan": float("nan"),
        "inf": float("-inf"),
        "point": Point(1, [Point(2, 3)]),
        "colour": Colour.RED,
        "name": Name("n"),
        "tuple": (1, (2,), ()),
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(int),
        "object": Money(),
        1: "int key",
        1.5: "float key",
        None: "null key",
        True: "true key",
        Colour.RED: "enum key",
        "big": 2**70,
    }


def exotic_list(event, context):
    return [Point(1, 2), decimal.Decimal("0.1"), b"x", "quote \" \\ \n \x01"]


def a_set(event, context):
    return {"set": {1, 2}}


def an_object(event, context):
    return object()


def decimal_key(event, context):
    return {decimal.Decimal(1): 1}


def tuple_key(event, context):
    return {(1, 2): 1}


def circular(event, context):
    value = []
    value.append({"a": value})
    return value


def bad_asdict(event, context):
    class Bad:
        def _asdict(self):
            return 1

    return Bad()


def lone_surrogate(event, context):
    return "\ud800"


def huge(event, context):
    return "x" * 7_000_000


def large(event, context):
    return {"items": [{"id": i, "name": "n%d" % i} for i in range(20000)]}


def deep(event, context):
    value = []
    for _ in range(event["depth"]):
        value = [value]
    return value


def context_fields(event, context):
    remaining = context.get_remaining_time_in_millis()
    return {
        "repr": repr(context),
        "attributes": sorted(name for name in vars(context) if not name.startswith("_")),
        "methods": sorted(
            name
            for name in dir(context)
            if not name.startswith("_") and callable(getattr(context, name))
        ),
        "types": {name: type(value).__name__ for name, value in vars(context).items()},
        "remaining": remaining // 1_000_000,
        "remaining_type": type(remaining).__name__,
        "w3c": context.w3c(),
        "custom": context.client_context.custom if context.client_context else None,
        "identity": context.identity.cognito_identity_id,
    }


def trace_id(event, context):
    return os.environ.get("_X_AMZN_TRACE_ID")


def event_type(event, context):
    return type(event).__name__ + ":" + repr(event)


def environment(event, context):
    return {
        "path0": sys.path[0] == os.environ["LAMBDA_TASK_ROOT"],
        "layers": [p for p in sys.path if p.startswith("/opt/python")],
        "log_fd": "_LAMBDA_TELEMETRY_LOG_FD" in os.environ,
        "argv": len(sys.argv),
        "cwd": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"],
    }


state = {"count": 0}


def counter(event, context):
    state["count"] += 1
    return state["count"]


class Callable:
    def __call__(self, event, context):
        return "called"

    def method(self, event, context):
        return "method"


callable_object = Callable()
bound_method = callable_object.method
builtin = max
