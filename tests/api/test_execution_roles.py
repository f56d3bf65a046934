"""Execution roles: what Lambda asks of them, and what functions may do with them."""

import json

import pytest

import packages
from identities import OTHER, TRUST, credentials_of, denied, statement
from policies import document
from server import ACCOUNT, REGION, arn, refused, unique, wait_until



def test_a_role_must_trust_lambda(guarded, iam, python_runtime):
    client = guarded.client()
    request = dict(FunctionName=unique("f"), Runtime=python_runtime, Handler="a.b", Code={"ZipFile": packages.probe()})
    message = "The role defined for the function cannot be assumed by Lambda."

    def cannot(call, **arguments):
        refused(call, "InvalidParameterValueException", message, **arguments)

    cannot(client.create_function, Role=f"arn:aws:iam::{ACCOUNT}:role/absent", **request)
    name = unique("role")
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com"}
    role = iam.create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    cannot(client.create_function, Role=role, **request)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST)
    cannot(client.create_function, Role=role.replace("/team/", "/"), **request)
    assert client.create_function(Role=role, **request)["Role"] == role
    client.get_waiter("function_active_v2").wait(FunctionName=request["FunctionName"], WaiterConfig={"Delay": 1})
    cannot(client.update_function_configuration, FunctionName=request["FunctionName"], Role=f"{role}x")
    foreign = f"arn:aws:iam::{OTHER}:role/service"
    denied(client.update_function_configuration, "Cross-account pass role is not allowed.", FunctionName=request["FunctionName"], Role=foreign)
    client.delete_function(FunctionName=request["FunctionName"])


def test_an_account_without_roles_takes_any_name_for_one(server, deploy):
    assert server.client("iam").list_roles()["Roles"] == []
    name = deploy(Role=f"arn:aws:iam::{OTHER}:role/anything")
    # But such a role can do nothing.
    client = server.client(credentials=credentials_of(server.client(), name))
    me = f"arn:aws:sts::{ACCOUNT}:assumed-role/anything/{name}"
    assert server.client("sts", credentials=credentials_of(server.client(), name)).get_caller_identity()["Arn"] == me
    reason = "because no identity-based policy allows the lambda:ListFunctions action"
    denied(client.list_functions, f"User: {me} is not authorized to perform: lambda:ListFunctions on resource: * {reason}")


def test_what_a_function_may_is_what_its_role_may(guarded, iam, deployer):
    name = unique("role")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    deploy = deployer(guarded)
    function, caller, other = deploy(), deploy(Role=role["Arn"]), deploy(Role=role["Arn"])
    inside = {f: credentials_of(deploy.client, f) for f in (caller, other)}
    client = guarded.client(credentials=inside[caller])
    me = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{caller}"
    identity = guarded.client("sts", credentials=inside[caller]).get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (me, f"{role['RoleId']}:{caller}")
    reason = "because no identity-based policy allows the lambda:InvokeFunction action"
    message = f"User: {me} is not authorized to perform: lambda:InvokeFunction on resource: {arn(function)} {reason}"
    denied(client.invoke, message, FunctionName=function)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaRole")
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaRole")
    # A policy can be for one of the functions that have the role.
    from_caller = {"ArnEquals": {"lambda:SourceFunctionArn": arn(caller)}}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(statement("lambda:InvokeFunction", **from_caller)))
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    denied(
        guarded.client(credentials=inside[other]).invoke,
        message.replace(f"{name}/{caller}", f"{name}/{other}"),
        FunctionName=function,
    )


# What functions are set up for, and their role must be able to do

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
VPC = {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}


class Employed:
    """A function with a role of its own, which a test permits things as it goes."""

    def __init__(self, server, deployer):
        self.iam, self.client = server.client("iam"), server.client()
        self.role = unique("role")
        self.role_arn = self.iam.create_role(RoleName=self.role, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self.name = deployer(server)(Role=self.role_arn)

    def may(self, *statements):
        self.iam.put_role_policy(RoleName=self.role, PolicyName="p", PolicyDocument=document(statement("none:None"), *statements))

    def lacks(self, message, call, **arguments):
        refused(call, "InvalidParameterValueException", message, **arguments)


@pytest.fixture
def employed(guarded, deployer):
    return Employed(guarded, deployer)


@pytest.mark.parametrize(
    "settings,needed,message",
    [
        ({"DeadLetterConfig": {"TargetArn": QUEUE}}, ["sqs:SendMessage"], "SendMessage on SQS"),
        ({"DeadLetterConfig": {"TargetArn": TOPIC}}, ["sns:Publish"], "Publish on SNS"),
        (
            {"VpcConfig": VPC},
            ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"],
            "CreateNetworkInterface on EC2",
        ),
    ],
    ids=["queue", "topic", "network"],
)
def test_what_a_function_needs_its_role_for(employed, settings, needed, message):
    message = f"The provided execution role does not have permissions to call {message}"
    update = dict(FunctionName=employed.name, **settings)
    employed.lacks(message, employed.client.update_function_configuration, **update)
    new = dict(FunctionName=unique("f"), Role=employed.role_arn, Runtime="python3.13", Handler="a.b", Code={"ZipFile": packages.probe()})
    employed.lacks(message, employed.client.create_function, **new, **settings)
    employed.may(statement(needed))
    assert employed.client.update_function_configuration(**update)["FunctionName"] == employed.name


@pytest.mark.parametrize(
    "source,needed,message",
    [
        (QUEUE, ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "The function execution role does not have permissions to call ReceiveMessage on SQS"),
        (
            STREAM,
            ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards"],
            f"Cannot access stream {STREAM}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.",
        ),
        (
            TABLE,
            ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"],
            f"Cannot access stream {TABLE}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.",
        ),
    ],
    ids=["queue", "stream", "table"],
)
def test_what_a_mapping_needs_the_role_for(employed, source, needed, message):
    mapping = dict(FunctionName=employed.name, EventSourceArn=source)
    if source != QUEUE:
        mapping["StartingPosition"] = "LATEST"
    employed.lacks(message, employed.client.create_event_source_mapping, **mapping)
    for count in range(1, len(needed)):
        employed.may(statement(needed[:count], source))
        with pytest.raises(employed.client.exceptions.InvalidParameterValueException):
            employed.client.create_event_source_mapping(**mapping)
    employed.may(statement(needed, source))
    uuid = employed.client.create_event_source_mapping(**mapping)["UUID"]
    wait_until(lambda: employed.client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled", what="the mapping")
    employed.client.delete_event_source_mapping(UUID=uuid)


def test_a_mapping_needs_a_role_that_trusts_lambda(employed):
    employed.iam.attach_role_policy(RoleName=employed.role, PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole")
    employed.iam.update_assume_role_policy(RoleName=employed.role, PolicyDocument=TRUST.replace("lambda.", "ec2."))
    employed.lacks(
        f"Please add Lambda as a Trusted Entity for {employed.role_arn}",
        employed.client.create_event_source_mapping,
        FunctionName=employed.name,
        EventSourceArn=QUEUE,
    )


@pytest.mark.parametrize(
    "destination,action",
    [
        (QUEUE, "sqs:SendMessage"),
        (TOPIC, "sns:Publish"),
        (f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b", "events:PutEvents"),
        ("function", "lambda:InvokeFunction"),
    ],
    ids=["queue", "topic", "bus", "function"],
)
def test_what_a_destination_needs_the_role_for(employed, guarded, deployer, destination, action):
    if destination == "function":
        destination = arn(deployer(guarded)())
    config = dict(FunctionName=employed.name, DestinationConfig={"OnSuccess": {"Destination": destination}})
    message = f"The function execution role does not have permissions to call {action.partition(':')[2]} on {destination}"
    employed.lacks(message, employed.client.put_function_event_invoke_config, **config)
    employed.may(statement(action, destination))
    shown = employed.client.put_function_event_invoke_config(**config)
    assert shown["DestinationConfig"]["OnSuccess"] == {"Destination": destination}
