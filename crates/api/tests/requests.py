"""Writes requests.jsonl: for every generated operation one request with every member given, as the
botocore that the code generator is pinned to serialises it.

    pip install botocore==1.44.5 && python3 crates/api/tests/requests.py > crates/api/tests/requests.jsonl
"""

import json
import re
import tomllib
import urllib.parse
from pathlib import Path

import botocore.serialize
import botocore.session
from botocore.model import ServiceModel
from botocore.utils import percent_encode_sequence

OVERLAYS = Path(__file__).parents[3] / "xtask/overlay"


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:123456789012:{resource}"


# Values that patterns are tried with, the plainest first.
CANDIDATES = [
    "a", "ab", "1", "f", "AB", "aA0-_", "ALL", "subnet-1", "sg-1", "lambda:GetLayerVersion", "123456789012",
    "o-0123456789", "91eaeb7e-c976-1234-9451-8709db01f137", "csc-0123456789abcdefg", "host:9092", "/mnt/a",
    "AAAA", "x" * 12, "x" * 40, "x" * 85, "$LATEST.PUBLISHED",
    "arn:aws:iam::123456789012:role/r",
    arn("lambda", "function:f"), arn("lambda", "layer:l"), arn("lambda", "layer:l:1"),
    arn("lambda", "code-signing-config:csc-0123456789abcdefg"), arn("lambda", "capacity-provider:c"),
    arn("lambda", "function:f:$LATEST/durable-execution/n/i"), arn("lambda", "runtime/name-of-it"),
    "arn:aws:lambda:us-east-1::runtime:" + "0" * 64, arn("sqs", "q"), arn("kms", "key/k"),
    arn("signer", "/signing-profiles/p/1"), arn("elasticfilesystem", "access-point/fsap-0123456789abcdef0"),
    "/", "v1", "123456",
]


def string(shape):
    if shape.enum:
        return [value for value in shape.enum if value != "None"][-1]
    pattern = shape.metadata.get("pattern")
    if pattern:
        pattern = pattern.replace(r"\p{L}\p{Z}\p{N}_", r"\w ")
    shortest, longest = shape.metadata.get("min", 0), shape.metadata.get("max", 1000)
    for value in CANDIDATES:
        if shortest <= len(value) <= longest and (not pattern or re.fullmatch(pattern, value)):
            return value
    raise ValueError(f"no candidate for {shape.name}: {pattern}")


def sample(shape):
    match shape.type_name:
        case "structure":
            return {name: sample(member) for name, member in shape.members.items()}
        case "list":
            return [sample(shape.member)]
        case "map":
            count = max(int(shape.metadata.get("min", 1)), 1)
            return {sample(shape.key) + "b" * more: sample(shape.value) for more in range(count)}
        case "string":
            return string(shape)
        case "integer" | "long":
            return max(int(shape.metadata.get("min", 1)), 1)
        case "double" | "float":
            return shape.metadata.get("max", 0.5)
        case "boolean":
            return True
        case "blob":
            return b"PK\x03\x04"
        case "timestamp":
            return 1_700_000_000
    raise ValueError(shape.type_name)


def requests(service, model, operations):
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], include_validation=False)
    for name in operations or sorted(model.operation_names):
        operation = model.operation_model(name)
        request = serializer.serialize_to_request(sample(operation.input_shape), operation)
        path, _, query = request["url_path"].partition("?")
        more = urllib.parse.urlencode(request["query_string"], doseq=True)
        body = request["body"]
        if isinstance(body, dict) and service in ("iam", "sts"):
            body = percent_encode_sequence(body)
        yield {
            "service": service,
            "operation": name,
            "method": request["method"],
            "path": path,
            "query": "&".join(part for part in (query, more) if part),
            "headers": {key.lower(): str(value) for key, value in request["headers"].items()},
            "body": body.decode() if isinstance(body, bytes) else body or "",
        }


def main():
    loader = botocore.session.get_session().get_component("data_loader")
    for service in ("lambda", "logs", "iam", "sts"):
        overlay = tomllib.loads((OVERLAYS / f"{service}.toml").read_text())
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for request in requests(service, model, overlay.get("operations")):
            print(json.dumps(request))


main()
