"""The constraints of AWS' service models: what AWS says of an input that breaks some, and inputs that just do or do not.

The texts are made here from botocore's model and the rules by which AWS prints them, and not from anything of
Rushlight's, so that the two can be held against each other.
"""

import copy
import functools
import itertools
from dataclasses import dataclass

import botocore.session

import patterns

# Where the rules and the model do not say it all, each with its reason.

# AWS prints the values of an enumeration in the order of a Java HashSet, except for:
ENUMERATION_ORDERS = {
    "EventSourcePosition": ["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"],  # as CreateEventSourceMapping prints it
}
# Enumerations that are not checked along with everything else:
LATER_ENUMERATIONS = {
    "Runtime",  # an InvalidParameterValueException for functions; for layers a set of values that is in no model
}
# Values within the model's bounds that are refused all the same, in words of the model's.
NARROWER = [
    ("CreateFunction", "functionName", "FunctionName", r".*:(\$LATEST|[a-zA-Z0-9-_]+)"),  # there is no qualifier before there is a function
    # Layers have a set of runtimes of their own.
    ("ListLayers", "compatibleRuntime", "CompatibleRuntime", "NoSuchValue"),
    ("ListLayerVersions", "compatibleRuntime", "CompatibleRuntime", "NoSuchValue"),
    ("PublishLayerVersion", "compatibleRuntimes", "CompatibleRuntimes", r"\['NoSuchValue'\]"),
]
# Values are cut off when they are printed, so that an error has a bounded size.
PRINTED_BYTES = 65_536
# Larger bodies are refused for their size before anything in them is looked at.
LARGEST_BODY = 6 * 1024 * 1024


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


# What AWS says


def expected(shape, value):
    """The message of the validation error for an input, None if it breaks nothing."""
    violations = list(_of_structure(shape, value, ()))
    if not violations:
        return None
    errors = "error" if len(violations) == 1 else "errors"
    return f"{len(violations)} validation {errors} detected: {'; '.join(violations)}"


def _of_structure(shape, value, path):
    for name, member in shape.members.items():
        here = (*path, name[0].lower() + name[1:])
        given = value.get(name)
        if given == [] and member.serialization.get("location") == "querystring":
            given = None
        if given is not None:
            yield from _of_value(member, given, here)
        elif name in shape.required_members:
            yield _violation(member, None, here, "Member must not be null")


def _of_value(shape, value, path):
    constraints = [text for broken, text in _constraints(shape, value) if broken]
    yield from (_violation(shape, value, path, text) for text in constraints)
    if shape.type_name == "structure":
        yield from _of_structure(shape, value, path)
    elif shape.type_name == "list":
        yield from _of_parts(shape, shape.member, value, path, "Member must", enumerate_as="member")
    elif shape.type_name == "map":
        yield from _of_parts(shape, shape.key, value, path, "Map keys must", enumerate_as="key")
        yield from _of_parts(shape, shape.value, value.values(), path, "Map value must", enumerate_as="value", whole=value)


def _of_parts(collection, shape, parts, path, what, enumerate_as, whole=None):
    """The entries of a list, or the keys or values of a map. If they are plain, one that breaks something is held
    against the whole, with everything that is asked of an entry."""
    if shape.type_name in ("structure", "list", "map"):
        for number, part in enumerate(parts, 1):
            here = (*path, f"{number}.{enumerate_as}")
            if part is None:
                yield _violation(shape, None, here, "Member must not be null")
            else:
                yield from _of_value(shape, part, here)
        return
    broken = any(part is None or any(broken for broken, _ in _constraints(shape, part)) for part in parts)
    if broken:
        texts = [text for _, text in _constraints(shape, "")] + ["Member must not be null"]
        hidden = shape.metadata.get("sensitive") and enumerate_as != "key"
        yield _violation(collection, parts if whole is None else whole, path, f"{what} satisfy constraint: [{', '.join(texts)}]", hidden)


def _constraints(shape, value):
    """What is asked of a value of a shape: whether this value breaks it, and how AWS says it."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    number = shape.type_name in ("integer", "long", "float", "double")
    size = value if number else len(value) if hasattr(value, "__len__") else None
    size = None if number and value == "" else size
    what = "value" if number else "length"
    if most is not None:
        yield size is not None and size > most, f"Member must have {what} less than or equal to {_bound(shape, most)}"
    if least is not None:
        yield size is not None and size < least, f"Member must have {what} greater than or equal to {_bound(shape, least)}"
    if pattern := shape.metadata.get("pattern"):
        yield not patterns.matches(pattern, value), f"Member must satisfy regular expression pattern: {pattern}"
    if (values := shape.metadata.get("enum")) and shape.name not in LATER_ENUMERATIONS:
        yield value not in values, f"Member must satisfy enum value set: [{', '.join(_printed_order(shape.name, values))}]"


def _bound(shape, number):
    return str(float(number)) if shape.type_name in ("float", "double") else str(int(number))


def _printed_order(name, values):
    """Java's HashSet: by the lowest bits of the spread hash, as many as it takes buckets for a load of three quarters."""
    if name in ENUMERATION_ORDERS:
        return ENUMERATION_ORDERS[name]
    buckets = 32
    while len(values) > buckets * 0.75:
        buckets *= 2

    def bucket(text):
        code = functools.reduce(lambda code, character: (31 * code + ord(character)) % 2**32, text, 0)
        return (code ^ code >> 16) % buckets

    return sorted(values, key=bucket)


def _violation(shape, value, path, text, hidden=False):
    if value is None:
        shown = " null"
    elif hidden or shape.metadata.get("sensitive") or shape.type_name == "blob":
        shown = ""
    else:
        shown = f" '{_cut(_printed(shape, value))}'"
    return f"Value{shown} at '{'.'.join(path)}' failed to satisfy constraint: {text}"


def _cut(text):
    return text.encode()[:PRINTED_BYTES].decode(errors="ignore")


def _printed(shape, value):
    if value is None:
        return "null"
    if shape.type_name == "structure":
        # How AWS prints structures was not observed.
        return f"{{{', '.join(f'{name}={member}' for name, member in value.items())}}}"
    if shape.type_name == "list":
        return f"[{', '.join(_printed(shape.member, entry) for entry in value)}]"
    if shape.type_name == "map":
        return f"{{{', '.join(f'{key}={_printed(shape.value, entry)}' for key, entry in value.items())}}}"
    if shape.type_name == "boolean":
        return str(value).lower()
    if shape.type_name in ("float", "double"):
        return str(float(value))
    return str(value)


# Inputs


@dataclass
class Case:
    """An input with one value of interest."""

    # Where, and what: `vpcConfig.subnetIds: 17 entries`.
    label: str
    # The member at the top level that holds the value; none if it is about several.
    member: str
    input: dict


def minimal(shape):
    """The least value that breaks nothing."""
    kind = shape.type_name
    least = int(shape.metadata.get("min", 0))
    if kind == "structure":
        return {name: minimal(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        # An empty list in a query string is none.
        in_query = shape.serialization.get("location") == "querystring"
        return [minimal(shape.member)] * max(least, in_query)
    if kind == "map":
        return dict(itertools.islice(_entries(shape), least))
    if kind == "string":
        if values := shape.metadata.get("enum"):
            return values[0]
        if pattern := shape.metadata.get("pattern"):
            return patterns.samples(pattern, least, shape.metadata.get("max", 1 << 30))[0]
        return "a" * least
    return {"boolean": True, "blob": b"a" * least, "timestamp": 1700000000}.get(kind, least)


def _entries(shape):
    """Entries of a map, as many as there are different keys, then as many more as are wanted, of keys that are wrong."""
    key = shape.key
    if values := key.metadata.get("enum"):
        keys = values
    elif pattern := key.metadata.get("pattern"):
        lengths = range(max(1, int(key.metadata.get("min", 0))), int(key.metadata.get("max", 200)) + 1)
        keys = filter(None, (patterns.of_length(pattern, length) for length in lengths))
    else:
        keys = ("a" * length for length in range(1, 200))
    for text in itertools.chain(keys, (f"no-such-key-{number}" for number in itertools.count())):
        yield text, minimal(shape.value)


def cases(shape):
    """Inputs with every constrained value at its bounds and one beyond them, and with everything wrong at once."""
    wrong = minimal(shape)
    for place, part, required in _places(shape, (), set()):
        values = [*_values(part), *([("absent", None)] if required else [])]
        for label, value in values:
            case = _case(shape, place, label, value)
            yield case
            name = place[0]
            in_body = "location" not in shape.members[name].serialization
            if in_body and wrong.get(name) == minimal(shape).get(name) and expected(shape, case.input):
                wrong = {key: member for key, member in wrong.items() if key != name}
                wrong |= {name: case.input[name]} if name in case.input else {}
    yield Case("everything at once", "", wrong)


def _case(shape, place, label, value):
    given = _with(shape, minimal(shape), place, value)
    printed = ".".join(str(step) for step in place)
    return Case(f"{printed}: {label}", place[0][0].lower() + place[0][1:], given)


ENTRY, KEY, VALUE = "(entry)", "(key)", "(value)"


def _places(shape, path, above):
    """All values within an input, as (path, shape, whether it must be there)."""
    if path:
        yield path, shape, None
    if shape.name in above and shape.type_name == "structure":
        return
    above = above | {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            # An absent body is an empty one.
            if name in shape.required_members and name != shape.serialization.get("payload"):
                yield (*path, name), _Absent, True
            yield from _places(member, (*path, name), above)
    elif shape.type_name == "list":
        yield from _places(shape.member, (*path, ENTRY), above)
        # Clients can write null only where a string would be, and not into query strings.
        if shape.member.type_name == "string" and shape.serialization.get("location") != "querystring":
            yield (*path, ENTRY), _Absent, True
    elif shape.type_name == "map":
        yield from _places(shape.key, (*path, KEY), above)
        yield from _places(shape.value, (*path, VALUE), above)
        if shape.value.type_name == "string":
            yield (*path, VALUE), _Absent, True


class _Absent:
    """Stands for a value that is left out."""

    type_name = "absent"
    metadata = {}


def _with(shape, given, place, value):
    """An input with a value at a place, and what it takes around it."""
    given = copy.deepcopy(given)
    step, rest = place[0], place[1:]
    if shape.type_name == "structure":
        member = shape.members[step]
        if rest:
            given[step] = _with(member, given.get(step, minimal(member)), rest, value)
        elif value is None:
            given.pop(step, None)
        else:
            given[step] = value
        return given
    if step is ENTRY:
        entry = _with(shape.member, minimal(shape.member), rest, value) if rest else value
        return [entry, *given[1:]]
    key, plain = next(_entries(shape))
    if step is KEY:
        return {value: plain}
    return {key: _with(shape.value, plain, rest, value) if rest else value}


def _values(shape):
    """Values of a shape at its bounds and one beyond, labelled."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "string":
        yield from _strings(shape, least, most)
    elif shape.type_name == "blob":
        for size in _around(least, most):
            yield f"{size} bytes", b"a" * size
    elif shape.type_name == "list":
        for size in _around(least, most):
            yield f"{size} entries", [minimal(shape.member)] * size
    elif shape.type_name == "map":
        for size in _around(least, most):
            yield f"{size} entries", dict(itertools.islice(_entries(shape), size))
    elif shape.type_name in ("integer", "long"):
        for number in _around(least, most, from_zero=False):
            yield str(number), number
    elif shape.type_name in ("float", "double"):
        for number in [bound + step for bound in (least, most) if bound is not None for step in (0, -0.5, 0.5)]:
            yield str(number), float(number)


def _around(least, most, from_zero=True):
    bounds = {number for bound in (least, most) if bound is not None for number in (int(bound) - 1, int(bound), int(bound) + 1)}
    return sorted(number for number in bounds if number >= 0 or not from_zero)


def _strings(shape, least, most):
    if values := shape.metadata.get("enum"):
        yield from ((value, value) for value in values)
        yield "no such value", "NoSuchValue"
        return
    pattern = shape.metadata.get("pattern")
    for length in _around(least, most):
        text = patterns.of_length(pattern, length) if pattern else "a" * length
        # Where nothing of this length matches, length and pattern are broken together.
        text = "a" * length if text is None else text
        yield f"{length} characters", text
    if pattern:
        forms = patterns.samples(pattern, least or 0, most or 1 << 30)
        yield from ((f"form {number}", form) for number, form in enumerate(forms, 1))
        for text in ("a b", "a!b", "aéb", "a\nb", "a\rb", "$", "1", ""):
            text = text and text.ljust(int(least or 0), "a")
            if not patterns.matches(pattern, text) and len(text) <= (most or 1 << 30) and len(text) >= (least or 0):
                yield f"not the pattern: {text[:9]!r}", text
