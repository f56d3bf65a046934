"""The rules for results in Python, for values that the interpreter's C code knows not.

Loaded only when a result holds a Decimal, a named tuple, a subclass of a built-in type,
bytes as a key, or something that has no JSON form.
"""

import math

from rushlight_json import is_decimal


class SlowEncoder:
    """Writes one value and refuses cycles."""

    def __init__(self, quote):
        self._quote = quote
        self._open = set()
        self._parts = []

    def encode(self, value):
        """The JSON text of `value`; TypeError or ValueError where it has none."""
        self._write(value)
        return "".join(self._parts)

    def _write(self, value):
        text = self._scalar(value)
        if text is not None:
            self._parts.append(text)
            return
        if id(value) in self._open:
            raise ValueError("Circular reference detected")
        self._open.add(id(value))
        self._write_container(value)
        self._open.discard(id(value))

    def _scalar(self, value):
        if isinstance(value, str):
            return self._quote(value)
        if isinstance(value, bytes):
            return self._quote(str(value, "utf-8"))
        if value is None:
            return "null"
        if value is True:
            return "true"
        if value is False:
            return "false"
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return _float(value)
        return None

    def _write_container(self, value):
        as_dict = getattr(value, "_asdict", None)
        if callable(as_dict):
            fields = as_dict()
            if not isinstance(fields, dict):
                raise TypeError(
                    "_asdict() must return a dict, not %s" % type(fields).__name__
                )
            self._write_object(fields)
        elif isinstance(value, (list, tuple)):
            self._write_array(value)
        elif isinstance(value, dict):
            self._write_object(value)
        elif is_decimal(value):
            self._parts.append("NaN" if value.is_nan() else str(value))
        else:
            raise TypeError(
                "Object of type %s is not JSON serializable" % value.__class__.__name__
            )

    def _write_array(self, values):
        separator = "["
        for value in values:
            self._parts.append(separator)
            self._write(value)
            separator = ", "
        self._parts.append("[]" if separator == "[" else "]")

    def _write_object(self, fields):
        separator = "{"
        for key, value in fields.items():
            name = self._quote(_key(key))
            self._parts.append(separator + name + ": ")
            self._write(value)
            separator = ", "
        self._parts.append("{}" if separator == "{" else "}")


def _key(key):
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return str(key, "utf-8")
    if isinstance(key, float):
        return _float(key)
    if key is True:
        return "true"
    if key is False:
        return "false"
    if key is None:
        return "null"
    if isinstance(key, int):
        return int.__repr__(key)
    raise TypeError(
        "keys must be str, int, float, bool or None, not %s" % key.__class__.__name__
    )


def _float(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)
