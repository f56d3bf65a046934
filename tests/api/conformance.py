"""Holds every answer that a test's clients get against AWS' service model: status, members, types, exceptions.

Clients of `server.client()` are watched; what is found fails the test in which it was found (conftest.py).
"""

import base64
import binascii
import json
import re
from xml.etree import ElementTree

# Where AWS does not do what its model says, each with its reason.

# Statuses other than the model's.
STATUSES = {
    "DeleteFunction": {204},  # as ever; the model says 200 since the output has a StatusCode
    "Invoke": {200, 202, 204},  # by invocation type
    "InvokeWithResponseStream": {200, 204},  # likewise
}
# Values of enumerations that the model does not know.
VALUES = {
    "LastUpdateStatusReasonCode": {"Creating"},  # what AWS answers while an update is in progress
    "PermissionsBoundaryAttachmentType": {"Policy"},  # what AWS answers; the model has PermissionsBoundaryPolicy
}
# Members that an output must have by the model, and is answered without at times.
LEFT_OUT = {
    "GetFunctionCodeSigningConfigResponse": {"CodeSigningConfigArn", "FunctionName"},  # a function without one: {}
}
# Errors whose body does not have `Type` though the model does: (exception, how the message begins).
WITHOUT_TYPE = [
    ("ResourceNotFoundException", "The Lambda code signing configuration "),
    ("InvalidParameterValueException", "Specified ReservedConcurrentExecutions for function decreases account's"),
    ("InvalidParameterValueException", " ReservedConcurrentExecutions  "),
    ("InvalidParameterValueException", "$LATEST is not supported for an alias pointing to more than"),
    ("InvalidParameterValueException", "Specified ConcurrentExecutions for function "),
    ("InvalidParameterValueException", "Requested Provisioned Concurrency should not be greater than "),
]
# Exceptions of the model that operations answer without listing them.
UNLISTED = {
    "CreateRole": {"NoSuchEntity"},  # for a boundary that is not there
}

# What is answered in front of any service: code -> status, how the message's member is spelled.
FRONT_END = {
    "ValidationException": (400, "message"),
    "SerializationException": (400, "Message"),
    "AccessDeniedException": (403, "Message"),
    "RequestEntityTooLargeException": (413, "message"),
    "UnknownOperationException": (404, "Message"),
    "UnrecognizedClientException": (403, "message"),
    "InvalidSignatureException": (403, "message"),
    "IncompleteSignatureException": (403, "message"),
    "MissingAuthenticationTokenException": (403, "message"),
    "ExpiredTokenException": (403, "message"),
    "ServiceUnavailableException": (503, "message"),
    # Rushlight's own: AWS has the operation, Rushlight does not.
    "NotImplementedException": (501, "message"),
}

# The same for services of the Query protocol: code -> status.
QUERY_FRONT_END = {
    "ValidationError": 400,
    "MalformedInput": 400,
    "InvalidAction": 400,
    "AccessDenied": 403,
    "RequestEntityTooLarge": 413,
    "InvalidClientTokenId": 403,
    "SignatureDoesNotMatch": 403,
    "IncompleteSignature": 403,
    "MissingAuthenticationToken": 403,
    "ExpiredToken": 403,
    "ServiceUnavailable": 503,
    "NotImplemented": 501,
}

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
CONTENT_TYPES = {"rest-json": "application/json", "json": "application/x-amz-json-1.1", "query": "text/xml"}

_findings = []


def watch(client):
    client.meta.events.register("after-call.*.*", _note)


def take_findings():
    """What was found since the last time."""
    found = _findings[:]
    del _findings[: len(found)]
    return found


def _note(http_response, model, **_):
    _findings.extend(f"{model.name} ({http_response.status_code}): {problem}" for problem in problems(model, http_response))


def problems(operation, answer):
    """What is wrong with an answer to an operation."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if not UUID.fullmatch(headers.get("x-amzn-requestid", "")):
        yield f"x-amzn-RequestId is {headers.get('x-amzn-requestid')!r}"
    if operation.service_model.protocol == "query":
        yield from _query(operation, answer, headers)
    elif answer.status_code < 300:
        yield from _success(operation, answer, headers)
    else:
        yield from _error(operation, answer, headers)


# Success


def _success(operation, answer, headers):
    allowed = STATUSES.get(operation.name, {operation.http.get("responseCode", 200)})
    if answer.status_code not in allowed:
        yield f"the status is not {allowed}"
    output = operation.output_shape
    if operation.has_streaming_output or operation.has_event_stream_output:
        # Reading it would take it from the test.
        body = None
    else:
        body = answer.content
    members = {} if output is None else output.members
    for name, member in members.items():
        if member.serialization.get("location") == "header" and (text := headers.get(member.serialization["name"].lower())):
            yield from _header(member, text, name)
    if body is None:
        return
    payload = None if output is None else output.serialization.get("payload")
    in_body = {name: member for name, member in members.items() if "location" not in member.serialization}
    protocol = operation.service_model.protocol
    if answer.status_code == 204 or (not in_body and protocol == "rest-json"):
        if body not in (b"", b"{}") or (answer.status_code == 204 and body):
            yield f"there is a body: {body[:200]!r}"
        return
    if not body and not in_body:
        return
    if headers.get("content-type") != CONTENT_TYPES[protocol]:
        yield f"Content-Type is {headers.get('content-type')!r}"
    try:
        value = json.loads(body)
    except ValueError:
        yield f"the body is not JSON: {body[:200]!r}"
        return
    if payload:
        yield from _value(members[payload], value, payload, protocol)
    else:
        yield from _structure(output, in_body, value, "body", protocol)


def _header(shape, text, name):
    if shape.type_name in ("integer", "long") and not re.fullmatch(r"-?\d+", text):
        yield f"the header of {name} is {text!r}"
    if shape.type_name == "boolean" and text not in ("true", "false"):
        yield f"the header of {name} is {text!r}"


def _structure(shape, members, value, path, protocol):
    if not isinstance(value, dict):
        yield f"{path} is no structure: {value!r}"
        return
    by_key = {member.serialization.get("name", name): (name, member) for name, member in members.items()}
    for key, part in value.items():
        if key not in by_key:
            yield f"{path} has a member {key} that {shape.name} lacks"
        else:
            name, member = by_key[key]
            if part is not None:
                yield from _value(member, part, f"{path}.{key}", protocol)
            elif name in shape.required_members:
                yield f"{path}.{key} is null"
    for key, (name, _) in by_key.items():
        if name in shape.required_members and key not in value and name not in LEFT_OUT.get(shape.name, ()):
            yield f"{path} lacks {key}, which {shape.name} must have"


def _value(shape, value, path, protocol):
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, shape.members, value, path, protocol)
    elif kind == "list" and isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _value(shape.member, entry, f"{path}[{number}]", protocol)
    elif kind == "map" and isinstance(value, dict):
        for key, entry in value.items():
            yield from _value(shape.key, key, f"{path}.{key} (key)", protocol)
            yield from _value(shape.value, entry, f"{path}.{key}", protocol)
    elif not _is_a(shape, value, protocol):
        yield f"{path} is no {kind}: {value!r}"
    elif kind == "string" and (values := shape.metadata.get("enum")):
        if value not in values and value not in VALUES.get(shape.name, ()):
            yield f"{path} is {value!r}, which {shape.name} does not know"


def _is_a(shape, value, protocol):
    kind = shape.type_name
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in ("integer", "long"):
        return is_number and isinstance(value, int)
    if kind in ("float", "double"):
        return is_number
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "timestamp":
        usual = "iso8601" if protocol == "query" else "unixTimestamp"
        if shape.serialization.get("timestampFormat", usual) == "iso8601":
            return isinstance(value, str) and ISO_8601.fullmatch(value) is not None
        return is_number
    if kind == "blob":
        try:
            return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
        except binascii.Error:
            return False
    return kind == "string" and isinstance(value, str)


# Errors


def _error(operation, answer, headers):
    try:
        body = json.loads(answer.content)
        assert isinstance(body, dict)
    except (ValueError, AssertionError):
        yield f"the body is no JSON object: {answer.content[:200]!r}"
        return
    is_rest = operation.service_model.protocol == "rest-json"
    code = headers.get("x-amzn-errortype") if is_rest else body.pop("__type", None)
    if headers.get("content-type") != CONTENT_TYPES[operation.service_model.protocol]:
        yield f"Content-Type is {headers.get('content-type')!r}"
    if not code:
        yield f"no exception is named: {body}"
        return
    listed = {shape.name: shape for shape in operation.error_shapes}
    known = {shape.name: shape for shape in operation.service_model.error_shapes}
    if code in listed or code in UNLISTED.get(operation.name, ()):
        yield from _modeled(known[code], answer, body, is_rest)
    elif code in FRONT_END:
        yield from _front_end(code, answer, body, is_rest)
    elif code in known:
        yield f"{code} is not listed for the operation: {body}"
        yield from _modeled(known[code], answer, body, is_rest)
    else:
        yield f"{code} is known neither to the model nor in front of it: {body}"


def _modeled(shape, answer, body, is_rest):
    modeled = shape.metadata.get("error", {}).get("httpStatusCode", 400)
    if answer.status_code != modeled:
        yield f"the status of {shape.name} is not {modeled}"
    if not is_rest:
        if not isinstance(body.get("message"), str):
            yield f"{shape.name} has no message: {body}"
        return
    message = next((key for key in ("message", "Message") if key in shape.members), "message")
    if not isinstance(body.get(message), str):
        yield f"{shape.name} has no {message}: {body}"
    without = any((shape.name, True) == (name, str(body.get(message)).startswith(text)) for name, text in WITHOUT_TYPE)
    wanted = None if without or "Type" not in shape.members else "Service" if modeled >= 500 else "User"
    if body.get("Type") != wanted:
        yield f"Type of {shape.name} is not {wanted}: {body}"
    in_headers = {name for name, member in shape.members.items() if "location" in member.serialization}
    if strange := set(body) - (set(shape.members) - in_headers):
        yield f"{shape.name} has no member {strange}"


def _front_end(code, answer, body, is_rest):
    status, message = FRONT_END[code]
    if answer.status_code != status and is_rest:
        yield f"the status of {code} is not {status}"
    if is_rest and set(body) != {message}:
        yield f"the body of {code} has not just {message}: {body}"


# The Query protocol


def _query(operation, answer, headers):
    if headers.get("content-type") != CONTENT_TYPES["query"]:
        yield f"Content-Type is {headers.get('content-type')!r}"
    try:
        root = ElementTree.fromstring(answer.content)
    except ElementTree.ParseError:
        yield f"the body is not XML: {answer.content[:200]!r}"
        return
    namespace = "{" + operation.service_model.metadata["xmlNamespace"] + "}"
    for element in root.iter():
        # What is in another namespace keeps it in its name, which nothing has in the model.
        element.tag = element.tag.removeprefix(namespace)
    if answer.status_code < 300:
        request_id = root.findtext("ResponseMetadata/RequestId")
        yield from _query_success(operation, answer, root)
    else:
        request_id = root.findtext("RequestId")
        yield from _query_error(operation, answer, root)
    if request_id != headers.get("x-amzn-requestid"):
        yield f"the RequestId is {request_id!r}"


def _query_success(operation, answer, root):
    if answer.status_code != 200:
        yield "the status is not 200"
    output = operation.output_shape
    wrapper = None if output is None else output.serialization["resultWrapper"]
    wanted = ["ResponseMetadata"] if output is None else [wrapper, "ResponseMetadata"]
    found = [element.tag for element in root]
    if (root.tag, found) != (f"{operation.name}Response", wanted):
        yield f"{root.tag} has {found}, not {wanted}"
    elif output is not None:
        yield from _structure(output, output.members, _from_xml(output, root.find(wrapper)), "body", "query")


def _from_xml(shape, element):
    """An element as JSON would have it. What is not of the shape comes out as something that is not either."""
    kind = shape.type_name
    text = element.text or ""
    if kind == "structure" and not text.strip():
        by_key = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        parts = [(part.tag, _from_xml(by_key[part.tag], part) if part.tag in by_key else part.text) for part in element]
        members = dict(parts)
        return members if len(members) == len(parts) else [parts]
    if kind == "list" and not text.strip() and all(part.tag == shape.member.serialization.get("name", "member") for part in element):
        return [_from_xml(shape.member, part) for part in element]
    if len(element):
        return {part.tag: part.text for part in element}
    if kind in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _query_error(operation, answer, root):
    error = root.find("Error")
    parts = [] if error is None else [(part.tag, part.text) for part in error]
    if (root.tag, [name for name, _ in parts]) != ("ErrorResponse", ["Type", "Code", "Message"]):
        yield f"{root.tag} has no Error of Type, Code and Message: {parts}"
        return
    (_, kind), (_, code), (_, message) = parts
    if kind != ("Receiver" if answer.status_code >= 500 else "Sender"):
        yield f"Type of {code} is {kind}"
    if not message:
        yield f"{code} has no message"
    listed = {_code(shape) for shape in operation.error_shapes} | set(UNLISTED.get(operation.name, ()))
    known = {_code(shape): shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in operation.service_model.error_shapes}
    if code not in known and code not in QUERY_FRONT_END:
        yield f"{code} is known neither to the model nor in front of it: {message}"
        return
    if code not in listed and code not in QUERY_FRONT_END:
        yield f"{code} is not listed for the operation: {message}"
    status = known[code] if code in listed else QUERY_FRONT_END.get(code, known.get(code))
    if answer.status_code != status:
        yield f"the status of {code} is not {status}"


def _code(exception):
    """What an exception is called on the wire."""
    return exception.metadata.get("error", {}).get("code", exception.name)
