"""Whole answers compared with files in golden/: status, the headers that matter, and every byte of meaning in the body.

`pytest --update-golden` writes the files anew; what changed is then to be read in the diff before it is committed.
"""

import json
import pathlib
import re
from xml.etree import ElementTree

GOLDEN = pathlib.Path(__file__).parent / "golden"
HEADERS = ("x-amzn-errortype", "content-type", "x-amz-function-error", "x-amz-executed-version")

# What differs from run to run, by the name of the member. The shape of each is checked before it is replaced.
MEMBERS = {
    "RevisionId": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "CreatedDate": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000",
    "LastModified": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000",
    "Location": r"http://127\.0\.0\.1:\d+/\S+X-Amz-Signature=[0-9a-f]{64}\S*",
    "RuntimeVersionArn": r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
    "FunctionUrl": r"http://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:\d+/",
    "CreationTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "LastModifiedTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "CreateDate": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "UpdateDate": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "Expiration": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "UserId": r"AIDA[A-Z2-7]{17}",
    "RoleId": r"AROA[A-Z2-7]{17}",
    "PolicyId": r"ANPA[A-Z2-7]{17}",
    "AssumedRoleId": r"AROA[A-Z2-7]{17}:\S+",
    "AccessKeyId": r"A[KS]IA[A-Z2-7]{16}",
    "SecretAccessKey": r"[A-Za-z0-9+/]{40}",
    "SessionToken": r"[A-Za-z0-9+/=_-]{100,}",
    "requestId": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
# Times that are numbers: seconds, to the millisecond.
SECONDS = {"LastModified"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Recorder:
    """Keeps the last answer of a boto3 client as it came over the wire."""

    def __init__(self, client):
        self.last = None
        client.meta.events.register("after-call.*.*", self._record)

    def _record(self, http_response, **_):
        self.last = http_response

    def answer(self):
        return answer(self.last.status_code, self.last.headers, self.last.content)


def answer(status, headers, body):
    headers = {name.lower(): value for name, value in headers.items()}
    body = body.decode() if isinstance(body, bytes) else body
    try:
        body = xml(ElementTree.fromstring(body)) if headers.get("content-type") == "text/xml" else json.loads(body)
    except ValueError:
        pass
    return {"status": status, "headers": {name: headers[name] for name in HEADERS if name in headers}, "body": body}


def xml(root):
    """An answer of the Query protocol, in the order of its elements."""
    namespace, name = root.tag.removeprefix("{").split("}")

    def value(element):
        parts = [(part.tag.removeprefix(f"{{{namespace}}}"), value(part)) for part in element]
        names = [name for name, _ in parts]
        if names and set(names) == {"member"}:
            return [part for _, part in parts]
        assert len(set(names)) == len(names), f"twice the same in {element.tag}: {names}"
        return dict(parts) if parts else element.text or ""

    return {"xmlns": namespace, name: value(root)}


def normalised(value, replacements):
    if isinstance(value, dict):
        return {key: _member(key, item, replacements) for key, item in value.items()}
    if isinstance(value, list):
        return [normalised(item, replacements) for item in value]
    if isinstance(value, str):
        for text, placeholder in replacements.items():
            value = value.replace(text, placeholder)
        return UUID.sub("<uuid>", value)
    return value


def _member(key, value, replacements):
    if key in MEMBERS and isinstance(value, str) and value:
        assert re.fullmatch(MEMBERS[key], value), f"{key} has another form than expected: {value!r}"
        return f"<{key}>"
    if key in SECONDS and isinstance(value, int | float):
        assert 1e9 < value < 1e10 and round(value, 3) == value, f"{key} is no time in seconds: {value!r}"
        return f"<{key} in seconds>"
    return normalised(value, replacements)


class Golden:
    def __init__(self, update):
        self.update = update

    def check(self, name, value, replacements=None):
        """Compares `value` with golden/<name>.json; `replacements` maps this run's texts to placeholders."""
        value = normalised(value, replacements or {})
        path = GOLDEN / f"{name}.json"
        if self.update:
            path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        assert path.exists(), f"golden/{name}.json does not exist; make it with --update-golden"
        assert value == json.loads(path.read_text())
