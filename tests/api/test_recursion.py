"""Functions that invoke each other in a loop, through AWS' own SDK."""

import json
import pathlib

import botocore
import packages
import pytest
from identities import TRUST
from server import refused, unique

LIMIT = 16
MESSAGE = (
    "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources "
    "and stopped your function's invocation."
)
SITE = pathlib.Path(botocore.__file__).parents[1]

TRACED = packages.python("""
import os

def handler(event, context):
    return os.environ["_X_AMZN_TRACE_ID"]
""")

LOOPING = b"""
import json, os
import botocore.session
from botocore.exceptions import ClientError

client = botocore.session.get_session().create_client("lambda")

def handler(event, context):
    depth = event["depth"] + 1
    if depth == event["stop"]:
        return depth
    try:
        answer = client.invoke(FunctionName=context.function_name, Payload=json.dumps(event | {"depth": depth}))
        return json.load(answer["Payload"])
    except ClientError as error:
        return [depth, error.response["Error"]["Code"]]
"""


def sdk():
    """What of botocore a function needs to call Lambda."""
    def is_needed(path):
        data = path.parts[:2] == ("botocore", "data")
        return path.suffix == ".py" or (data and (len(path.parts) == 3 or path.parts[2] == "lambda"))

    parts = [SITE / "six.py", *(file for name in ("botocore", "dateutil", "jmespath", "urllib3") for file in (SITE / name).rglob("*"))]
    files = [file.relative_to(SITE) for file in parts if file.is_file()]
    return {str(path): (SITE / path).read_bytes() for path in files if is_needed(path)}


@pytest.fixture
def chain(server, monkeypatch):
    """Invokes as if from within an invocation, which the SDK takes from its environment: one after the other."""
    client = server.client()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "caller")
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"

    def invoke(name):
        nonlocal trace
        monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
        trace = json.load(client.invoke(FunctionName=name)["Payload"])
        return trace

    invoke.client = client
    return invoke


def test_the_lineage_of_a_chain(deploy, chain):
    name, other = deploy(TRACED), deploy(TRACED)
    root, lineage = chain(name).split(";Lineage=")
    assert root == "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
    own = lineage.removesuffix(":1")
    assert len(own) == 8
    for count in range(2, LIMIT + 1):
        chain(other)
        assert chain(name).endswith(f"|{own}:{count}"), count
    before = chain(other)
    error = refused(chain, "RecursiveInvocationException", MESSAGE, name=name)
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Type"]) == (400, "User")
    # The other one has now been in the chain just as often, and a third one has not.
    assert f":{LIMIT}" in before.rsplit("|", 1)[1]
    refused(chain, "RecursiveInvocationException", MESSAGE, name=other)
    assert chain(deploy(TRACED)).endswith(":1")


def test_a_loop_that_is_meant(deploy, chain):
    name = deploy(TRACED)
    chain.client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    for _ in range(LIMIT * 2):
        last = chain(name)
    assert last.endswith(f":{LIMIT * 2}")
    chain.client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    refused(chain, "RecursiveInvocationException", MESSAGE, name=name)


def test_streams_are_counted_too(deploy, chain, monkeypatch):
    name = deploy(TRACED)
    for _ in range(LIMIT):
        trace = chain(name)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    refused(chain.client.invoke_with_response_stream, "RecursiveInvocationException", MESSAGE, FunctionName=name)


@pytest.mark.timeout(300)
def test_a_function_that_invokes_itself(guarded, iam, deployer):
    role = iam.create_role(RoleName=unique("loop"), AssumeRolePolicyDocument=TRUST)["Role"]
    iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaRole")
    package = packages.package(sdk() | {"index.py": LOOPING})
    name = deployer(guarded)(package, Role=role["Arn"], Timeout=120, MemorySize=512)
    client = guarded.client(timeout=200)

    def loop(stop):
        return json.load(client.invoke(FunctionName=name, Payload=json.dumps({"depth": 0, "stop": stop}))["Payload"])

    assert loop(3) == 3
    assert loop(0) == [LIMIT, "RecursiveInvocationException"]
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert loop(LIMIT + 4) == LIMIT + 4
