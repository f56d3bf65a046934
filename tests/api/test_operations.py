"""Every operation of Lambda is known: it is carried out, or refused by its name. None is an internal error."""

import http.client
import json
import re

import botocore.exceptions
import pytest

from golden import Recorder
from server import ACCOUNT, REGION, REPOSITORY

# As `cargo xtask compat` found them in the code.
BUILT = set(re.findall(r"^\| (\w+) \| built", (REPOSITORY / "docs/compat.md").read_text(), re.M))

# Values of members whose pattern no generic text satisfies, by the end of the member's name.
EXAMPLES = {
    "CodeSigningConfigArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0",
    "CapacityProviderName": "provider",
    "DurableExecutionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:1/durable-execution/name/0b8f7a1e-1111-2222-3333-444455556666",
    "FunctionName": "f",
    "LayerName": "layer",
    "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:layer:1",
    "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    "ResourceArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/service",
    "Action": "lambda:GetLayerVersion",
    "Principal": ACCOUNT,
    "FunctionVersion": "1",
    "Qualifier": "1",
    "UUID": "0b8f7a1e-1111-2222-3333-444455556666",
    "Name": "name",
    "SigningProfileVersionArns": f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/0123456789",
    "CallbackId": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "CapacityProviderOperatorRoleArn": f"arn:aws:iam::{ACCOUNT}:role/operator",
    "SubnetIds": "subnet-0123456789abcdef0",
    "SecurityGroupIds": "sg-0123456789abcdef0",
}

ACTIONS = {
    "AddPermission": {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"},
    "AddLayerVersionPermission": {"Action": "lambda:GetLayerVersion", "Principal": "*"},
}


def example(shape, name):
    """A value that the model allows."""
    match shape.type_name:
        case "structure":
            return {member: example(shape.members[member], member) for member in shape.required_members}
        case "list":
            return [example(shape.member, name)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {"key": example(shape.value, name)}
        case "string":
            if shape.enum:
                return shape.enum[0]
            return EXAMPLES.get(name, "x" * max(1, shape.metadata.get("min", 1)))
        case "integer" | "long":
            return shape.metadata.get("min", 1)
        case "float" | "double":
            return 0.5
        case "boolean":
            return True
        case "blob":
            return b"{}"
        case "timestamp":
            return 0
    raise AssertionError(shape.type_name)


def operations(client):
    return sorted(client.meta.service_model.operation_names)


def call(client, operation):
    recorder = Recorder(client)
    model = client.meta.service_model.operation_model(operation)
    members = example(model.input_shape, "") if model.input_shape else {}
    members |= ACTIONS.get(operation, {})
    method = {name: method for method, name in client.meta.method_to_api_mapping.items()}[operation]
    try:
        getattr(client, method)(**members)
    except botocore.exceptions.ClientError:
        pass
    return recorder.answer()


def test_every_operation_answers_by_name(server):
    client = server.client(validate=False)
    assert len(operations(client)) == 91
    wrong = {}
    for operation in operations(client):
        if operation in BUILT:
            continue
        answer = call(server.client(validate=False), operation)
        body = answer["body"]
        text = json.dumps(body)
        if not (answer["status"] == 501 and operation in text):
            wrong[operation] = answer
    assert wrong == {}


def test_the_shape_of_a_refusal(server, golden):
    golden.check("not-implemented", call(server.client(), "ListDurableExecutionsByFunction"))


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/"),
        ("GET", "/2015-03-31/nothing"),
        ("PATCH", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions/f/invocations"),
        ("GET", "/favicon.ico"),
        ("DELETE", "/_rushlight/health"),
        ("GET", "/_rushlight/nothing"),
    ],
)
def test_unknown_addresses(server, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    assert 400 <= answer.status < 500, body
    assert answer.headers["x-amzn-requestid"]
    assert json.loads(body) is not None


def test_health(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/_rushlight/health")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (200, "ok")


def test_every_answer_has_a_request_id(server):
    client = server.client()
    seen = {client.list_functions()["ResponseMetadata"]["RequestId"] for _ in range(5)}
    assert len(seen) == 5
