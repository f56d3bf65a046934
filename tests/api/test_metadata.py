"""The metadata endpoint: what functions are told of where they run."""

import json

import packages
import pytest
from server import unique

PACKAGE = packages.python("""
import http.client, os

def handler(event, context):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_METADATA_API"], timeout=5)
    headers = {name: value.replace("TOKEN", os.environ["AWS_LAMBDA_METADATA_TOKEN"]) for name, value in event["headers"].items()}
    connection.request(event.get("method", "GET"), event.get("path", "/2026-01-15/metadata/execution-environment"), headers=headers)
    answer = connection.getresponse()
    return {"status": answer.status, "cache": answer.headers["Cache-Control"], "type": answer.headers["Content-Type"], "body": answer.read().decode()}
""")
TOKEN = {"Authorization": "Bearer TOKEN"}


@pytest.fixture(scope="module")
def ask(client, deploy):
    name = deploy(PACKAGE, name=unique("metadata"))
    return lambda headers=TOKEN, **event: asked(client, name, headers, **event)


def asked(client, name, headers=TOKEN, **event):
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"headers": headers} | event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.load(answer["Payload"])


def test_the_zone(ask):
    answer = ask()
    assert (answer["status"], answer["type"]) == (200, "application/json")
    assert answer["cache"] == "private, max-age=43200, immutable"
    assert json.loads(answer["body"]) == {"AvailabilityZoneID": "use1-az1"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "TOKEN"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer xTOKEN"}, {"Authorization": "Bearer TOKENx"}, {"Authorization": "Basic TOKEN"}],
    ids=str,
)
def test_only_who_has_the_token_is_told(ask, headers):
    answer = ask(headers)
    assert answer["status"] == 401 and "az1" not in answer["body"]


def test_other_methods_and_paths(ask):
    assert ask(method="POST")["status"] == 405
    assert ask(path="/2026-01-15/metadata")["status"] == 404


def test_each_environment_has_its_own_token(client, deploy):
    names = [deploy() for _ in range(2)]
    tokens = set()
    for name in names:
        variables = json.load(client.invoke(FunctionName=name, Payload=b'{"do": "environment"}')["Payload"])
        tokens.add(variables["AWS_LAMBDA_METADATA_TOKEN"])
        assert variables["AWS_LAMBDA_METADATA_API"] == variables["AWS_LAMBDA_RUNTIME_API"]
    assert len(tokens) == 2


def test_a_zone_of_the_operators_own(serve, deployer):
    instance = serve("--isolation", "none", "--availability-zone-id", "home-az7")
    name = deployer(instance)(PACKAGE)
    assert json.loads(asked(instance.client(), name)["body"]) == {"AvailabilityZoneID": "home-az7"}
    instance.stop()
