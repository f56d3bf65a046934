"""Says where and why a text is not JSON, in the words that AWS' client uses.

Loaded only after the fast reader refused an event.
"""

_WHITESPACE = " \t\n\r"
_NUMBER_CHARACTERS = "0123456789"


class _Fault(Exception):
    def __init__(self, message, position, end=None):
        super().__init__(message)
        self.message = message
        self.position = position
        self.end = end


def describe(text):
    """One line like `Expecting value: line 1 column 1 (char 0)`."""
    try:
        start = 1 if text.startswith("\ufeff") else 0
        end = _blank(text, _value(text, _blank(text, start)))
        if end == len(text):
            return "Expecting value"
        raise _Fault("Extra data", end, len(text))
    except _Fault as fault:
        where = _place(text, fault.position)
        if fault.end is None:
            return "%s: line %d column %d (char %d)" % (fault.message, *where)
        return "%s: line %d column %d - line %d column %d (char %d - %d)" % (
            fault.message,
            *where[:2],
            *_place(text, fault.end)[:2],
            fault.position,
            fault.end,
        )


def _place(text, position):
    line = text.count("\n", 0, position) + 1
    column = position + 1 if line == 1 else position - text.rindex("\n", 0, position)
    return line, column, position


def _blank(text, position):
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _value(text, position):
    character = text[position : position + 1]
    if character == '"':
        return _string(text, position + 1)
    if character == "{":
        return _object(text, position + 1)
    if character == "[":
        return _array(text, position + 1)
    for word in ("null", "true", "false"):
        if text.startswith(word, position):
            return position + len(word)
    return _number(text, position)


def _number(text, start):
    position = start + 1 if text[start : start + 1] == "-" else start
    if text[position : position + 1] == "0":
        position += 1
    else:
        digits = _digits(text, position)
        if digits == position:
            raise _Fault("Expecting value", start)
        position = digits
    if text[position : position + 1] == ".":
        fraction = _digits(text, position + 1)
        position = fraction if fraction > position + 1 else position
    if text[position : position + 1] in ("e", "E"):
        sign = position + 2 if text[position + 1 : position + 2] in ("+", "-") else position + 1
        exponent = _digits(text, sign)
        position = exponent if exponent > sign else position
    return position


def _digits(text, position):
    while position < len(text) and text[position] in _NUMBER_CHARACTERS:
        position += 1
    return position


def _string(text, position):
    begin = position - 1
    while True:
        character = text[position : position + 1]
        if character == "":
            raise _Fault("Unterminated string starting at", begin)
        if character == '"':
            return position + 1
        if character < " ":
            raise _Fault("Invalid control character %r at" % character, position)
        position = _escape(text, position + 1, begin) if character == "\\" else position + 1


def _escape(text, position, begin):
    character = text[position : position + 1]
    if character == "":
        raise _Fault("Unterminated string starting at", begin)
    if character == "u":
        digits = text[position + 1 : position + 5]
        if len(digits) < 4 or any(d not in "0123456789abcdefABCDEF" for d in digits):
            raise _Fault("Invalid \\uXXXX escape sequence", position - 1)
        return position + 5
    if character not in '"\\/bfnrt':
        raise _Fault("Invalid \\X escape sequence %r" % character, position)
    return position + 1


def _object(text, position):
    position = _blank(text, position)
    if text[position : position + 1] == "}":
        return position + 1
    expectation = "Expecting property name enclosed in double quotes or '}'"
    while True:
        if text[position : position + 1] != '"':
            raise _Fault(expectation, position)
        position = _blank(text, _string(text, position + 1))
        if text[position : position + 1] != ":":
            raise _Fault("Expecting ':' delimiter", position)
        position = _blank(text, _value(text, _blank(text, position + 1)))
        closing = text[position : position + 1]
        if closing == "}":
            return position + 1
        if closing != ",":
            raise _Fault("Expecting ',' delimiter or '}'", position)
        comma = position
        position = _blank(text, position + 1)
        if text[position : position + 1] == "}":
            raise _Fault("Illegal trailing comma before end of object", comma)
        expectation = "Expecting property name enclosed in double quotes"


def _array(text, position):
    position = _blank(text, position)
    if text[position : position + 1] == "]":
        return position + 1
    if position == len(text):
        raise _Fault("Expecting value or ']'", position)
    while True:
        position = _blank(text, _value(text, position))
        closing = text[position : position + 1]
        if closing == "]":
            return position + 1
        if closing != ",":
            raise _Fault("Expecting ',' delimiter or ']'", position)
        comma = position
        position = _blank(text, position + 1)
        if text[position : position + 1] == "]":
            raise _Fault("Illegal trailing comma before end of array", comma)
