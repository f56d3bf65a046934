"""JSON of events and results.

The rules for results are those of AWS' client: bytes are text in UTF-8, a Decimal is a
number written as it is, NaN and infinities are allowed, whatever has `_asdict()` is an
object, and other than ASCII is kept from Python 3.12 on. Plain results and all events
go through the interpreter's own C code, without the import of `json`.
"""

import marshal
import os
import sys

import _json

_KEEPS_NON_ASCII = frozenset(
    "AWS_Lambda_python3." + minor for minor in ("12", "13", "14", "15")
)
_WHITESPACE = " \t\n\r"


class _ScannerSettings:
    """What `_json.make_scanner` asks for; constants outside JSON's grammar are refused."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(name):
        raise _NotJson(name)


class _NotJson(Exception):
    pass


_scan = _json.make_scanner(_ScannerSettings)


def decode(data):
    """The value of a JSON text in UTF-8; ValueError says where and why it is none."""
    text = data.decode("utf-8")
    start = 1 if text[:1] == "\ufeff" else 0
    length = len(text)
    while start < length and text[start] in _WHITESPACE:
        start += 1
    try:
        value, end = _scan(text, start)
        while end < length and text[end] in _WHITESPACE:
            end += 1
        if end == length:
            return value
    except (StopIteration, _NotJson):
        pass
    except SystemError:
        # How the reader of Python 3.11 and older refuses a text while `json` is not loaded.
        pass
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise
    from rushlight_json_fault import describe

    raise ValueError(describe(text))


class Encoder:
    """Writes results; whether other than ASCII is escaped is settled when it is made."""

    def __init__(self):
        keep = os.environ.get("AWS_EXECUTION_ENV") in _KEEPS_NON_ASCII
        self._quote = _json.encode_basestring if keep else _json.encode_basestring_ascii

    def encode(self, value):
        """The JSON text of `value`; TypeError or ValueError where it has none."""
        try:
            # Only plain built-in types pass here: a named tuple or a Decimal does not.
            marshal.dumps(value)
            return self._encode_plain(value)
        except (ValueError, TypeError):
            from rushlight_json_slow import SlowEncoder

            return SlowEncoder(self._quote).encode(value)

    def _encode_plain(self, value):
        write = _json.make_encoder(
            {}, _plain_default, self._quote, None, ": ", ", ", False, False, True
        )
        return "".join(write(value, 0))


def _plain_default(value):
    if type(value) is bytes:
        return value.decode("utf-8")
    raise TypeError(type(value).__name__)


def is_decimal(value):
    """Whether `value` is a Decimal, without importing the module for the question."""
    module = sys.modules.get("decimal")
    return module is not None and isinstance(value, module.Decimal)


def to_json(value):
    """The JSON text of `value` by the rules for results."""
    return Encoder().encode(value)
