"""Resource-based policies of functions, versions and aliases: whole answers, forms, limits, what is refused."""

import json

import botocore.exceptions
import pytest

from golden import Recorder
from server import ACCOUNT, REGION, arn, refused, unique

OTHER = "111122223333"
STALE = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"
OLD = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def function(deploy, client):
    """A function with version 1 and an alias to it."""
    name = deploy()
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def allow(client, name, sid="s", principal="s3.amazonaws.com", **more):
    action = more.pop("Action", "lambda:InvokeFunction")
    answer = client.add_permission(FunctionName=name, StatementId=sid, Action=action, Principal=principal, **more)
    return json.loads(answer["Statement"])


def statements(client, name, **qualifier):
    return json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])["Statement"]


def test_life_of_a_policy(server, golden, function):
    client = server.client()
    recorder = Recorder(client)

    def check(step):
        golden.check(f"permission-{step}", recorder.answer(), {function: "<name>"})

    allow(client, function, "s3", SourceArn="arn:aws:s3:::bucket", SourceAccount=ACCOUNT)
    check("add")
    client.get_policy(FunctionName=function)
    check("get")
    allow(client, function, "org", "*", PrincipalOrgID="o-1234567890", Qualifier="live")
    check("add-alias")
    client.get_policy(FunctionName=arn(function, "live"))
    check("get-alias")
    client.remove_permission(FunctionName=function, StatementId="s3")
    check("remove")
    refused(client.get_policy, "ResourceNotFoundException", "The resource you requested does not exist.", FunctionName=function)
    check("get-none")
    policy = {"Version": "2012-10-17", "Statement": {"Sid": "all", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "lambda:Get*", "Resource": "*"}}
    client.put_resource_policy(ResourceArn=arn(function, "1"), Policy=json.dumps(policy))
    check("put")
    revision = client.get_resource_policy(ResourceArn=arn(function, "1"))["RevisionId"]
    check("get-put")
    assert statements(client, function, Qualifier="1") == policy["Statement"]
    client.delete_resource_policy(ResourceArn=arn(function, "1"), RevisionId=revision)
    check("delete")
    refused(client.get_resource_policy, "ResourceNotFoundException", "The resource you requested does not exist.", ResourceArn=arn(function, "1"))
    check("get-deleted")


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        (OTHER, {"AWS": f"arn:aws:iam::{OTHER}:root"}),
        (f"arn:aws:iam::{OTHER}:root", {"AWS": f"arn:aws:iam::{OTHER}:root"}),
        (f"arn:aws:iam::{OTHER}:user/team/ann", {"AWS": f"arn:aws:iam::{OTHER}:user/team/ann"}),
        (f"arn:aws:iam::{OTHER}:role/worker", {"AWS": f"arn:aws:iam::{OTHER}:role/worker"}),
        (f"arn:aws:sts::{OTHER}:assumed-role/worker/one", {"AWS": f"arn:aws:sts::{OTHER}:assumed-role/worker/one"}),
        ("sns.amazonaws.com", {"Service": "sns.amazonaws.com"}),
        ("logs.eu-west-1.amazonaws.com", {"Service": "logs.eu-west-1.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
def test_principals_get_the_form_that_policies_have(client, function, principal, shown):
    assert allow(client, function, principal=principal)["Principal"] == shown
    assert statements(client, function)[0]["Principal"] == shown


@pytest.mark.parametrize(
    "principal",
    ["invalid.nonaws.com", "amazonaws.com", ".amazonaws.com", "12345678901", "ann", "arn:aws:iam::12:user/ann", "arn:aws:s3:::bucket", f"arn:aws:iam::{OTHER}:role/*", "S3.amazonaws.com/", '"'],
)
def test_other_principals_are_refused(client, function, principal):
    text = "The provided principal was invalid. Please check the principal and try again."
    answer = refused(client.add_permission, "InvalidParameterValueException", text, FunctionName=function, StatementId="s", Action="lambda:InvokeFunction", Principal=principal)
    assert answer["message"] == text and answer["Type"] == "User"
    refused(client.get_policy, "ResourceNotFoundException", "The resource you requested does not exist.", FunctionName=function)


def test_conditions_are_those_of_aws(client, function):
    everything = allow(
        client,
        function,
        principal="*",
        Action="lambda:InvokeFunctionUrl",
        SourceAccount=ACCOUNT,
        SourceArn="arn:aws:s3:::bucket",
        PrincipalOrgID="o-1234567890",
        FunctionUrlAuthType="NONE",
        EventSourceToken="amzn1.ask.skill.x",
        InvokedViaFunctionUrl=True,
    )
    assert everything == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunctionUrl",
        "Resource": arn(function),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT, "lambda:FunctionUrlAuthType": "NONE", "aws:PrincipalOrgID": "o-1234567890", "lambda:EventSourceToken": "amzn1.ask.skill.x"},
            "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    assert list(everything) == ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]
    assert "Condition" not in allow(client, function, "bare")
    text = "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
    refused(client.add_permission, "InvalidParameterValueException", text, FunctionName=function, StatementId="u", Action="lambda:InvokeFunction", Principal="*", FunctionUrlAuthType="NONE")


def test_what_does_not_exist(client, unchecked, function):
    add = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    missing = unique("missing")
    none = "The resource you requested does not exist."
    for call, message, arguments in [
        (client.add_permission, f"Function not found: {arn(missing)}", {"FunctionName": missing} | add),
        (client.add_permission, f"Function not found: {arn(missing)}", {"FunctionName": missing, "Qualifier": "live"} | add),
        (client.add_permission, f"Function not found: {arn(function, 42)}", {"FunctionName": function, "Qualifier": "42"} | add),
        (client.add_permission, f"Cannot find alias arn: {arn(function, 'gone')}", {"FunctionName": function, "Qualifier": "gone"} | add),
        (client.add_permission, f"Function not found: {arn(function, 'with-$')}", {"FunctionName": function, "Qualifier": "with-$"} | add),
        (client.get_policy, none, {"FunctionName": missing}),
        (client.get_policy, none, {"FunctionName": function}),
        (client.get_policy, none, {"FunctionName": function, "Qualifier": "42"}),
        (client.remove_permission, f"No policy found for: {arn(missing)}", {"FunctionName": missing, "StatementId": "s"}),
        (client.remove_permission, "No policy is associated with the given resource.", {"FunctionName": function, "StatementId": "s"}),
        (client.remove_permission, f"Cannot find alias arn: {arn(function, 'gone')}", {"FunctionName": function, "StatementId": "s", "Qualifier": "gone"}),
        (client.put_resource_policy, f"Function not found: {arn(missing)}", {"ResourceArn": arn(missing), "Policy": '{"Statement":{"Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*"}}'}),
        (client.get_resource_policy, none, {"ResourceArn": arn(function)}),
        (client.get_resource_policy, none, {"ResourceArn": arn(missing)}),
        (client.get_resource_policy, none, {"ResourceArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:runtime/mine"}),
        (client.delete_resource_policy, "No policy is associated with the given resource.", {"ResourceArn": arn(function, "live")}),
        (client.delete_resource_policy, f"Cannot find alias arn: {arn(function, 'gone')}", {"ResourceArn": arn(function, "gone")}),
    ]:
        answer = refused(call, "ResourceNotFoundException", message, **arguments)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert (answer["Message"], answer["Type"]) == (message, "User")
    allow(client, function)
    refused(client.remove_permission, "ResourceNotFoundException", "Statement t is not found in resource policy.", FunctionName=function, StatementId="t")


def test_what_is_refused(client, function):
    add = {"FunctionName": function, "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    latest = "We currently do not support adding policies for $LATEST."
    refused(client.add_permission, "InvalidParameterValueException", latest, **add, Qualifier="$LATEST")
    refused(client.put_resource_policy, "InvalidParameterValueException", latest, ResourceArn=arn(function, "$LATEST"), Policy="{}")
    mismatch = "The derived qualifier from the function name does not match the specified qualifier."
    refused(client.add_permission, "InvalidParameterValueException", mismatch, **add | {"FunctionName": arn(function, "live")}, Qualifier="1")
    invalid = "1 validation error detected: Value 'example.com' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)"
    refused(client.add_permission, "ValidationException", invalid, **add | {"StatementId": "example.com"})
    action = "1 validation error detected: Value 's3:GetObject' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
    refused(client.add_permission, "ValidationException", action, **add | {"Action": "s3:GetObject"})
    client.add_permission(**add)
    exists = "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement."
    answer = refused(client.add_permission, "ResourceConflictException", exists, **add)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["message"], answer["Type"]) == (409, exists, "User")
    # The same id elsewhere is another statement.
    client.add_permission(**add, Qualifier="live")
    for call, arguments in [
        (client.add_permission, add | {"StatementId": "t"}),
        (client.remove_permission, {"FunctionName": function, "StatementId": "s"}),
        (client.put_resource_policy, {"ResourceArn": arn(function), "Policy": client.get_policy(FunctionName=function)["Policy"]}),
        (client.delete_resource_policy, {"ResourceArn": arn(function)}),
    ]:
        answer = refused(call, "PreconditionFailedException", STALE, **arguments, RevisionId=OLD)
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["message"], answer["Type"]) == (412, STALE, "User")


def test_the_revision_is_that_of_what_the_policy_belongs_to(client, function):
    for qualifier, revision in (
        ({}, lambda: client.get_function_configuration(FunctionName=function)["RevisionId"]),
        ({"Qualifier": "1"}, lambda: client.get_function_configuration(FunctionName=function, Qualifier="1")["RevisionId"]),
        ({"Qualifier": "live"}, lambda: client.get_alias(FunctionName=function, Name="live")["RevisionId"]),
    ):
        before = revision()
        allow(client, function, RevisionId=before, **qualifier)
        after = client.get_policy(FunctionName=function, **qualifier)["RevisionId"]
        assert before != after == revision()
        client.remove_permission(FunctionName=function, StatementId="s", RevisionId=after, **qualifier)
        assert revision() not in (before, after)


def test_a_policy_has_at_most_20_kilobytes(client, unchecked, function):
    fitting = 0
    with pytest.raises(client.exceptions.PolicyLengthExceededException) as raised:
        while True:
            allow(client, function, f"{fitting:0100}", SourceArn=f"arn:aws:s3:::{'b' * 1000}")
            fitting += 1
    text = client.get_policy(FunctionName=function)["Policy"]
    statement = json.dumps(json.loads(text)["Statement"][0], separators=(",", ":"))
    assert len(text) <= 20_480 < len(text) + len(statement) + 1
    message = f"The final policy size ({len(text) + len(statement) + 1}) is bigger than the limit (20480)."
    response = raised.value.response
    assert (response["message"], response["Type"], response["ResponseMetadata"]["HTTPStatusCode"]) == (message, "User", 400)
    # A whole document is held against its characters before it is looked at.
    long = json.dumps({"Id": "i" * 20_480})
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        unchecked.put_resource_policy(ResourceArn=arn(function), Policy=long)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert "Member must have length less than or equal to 20480" in raised.value.response["Error"]["Message"]


def test_public_policies_can_be_blocked(serve, deployer):
    instance = serve("--isolation", "none", "--block-public-policies")
    client = instance.client()
    deploy = deployer(instance)
    name = deploy()
    text = "The resource-based policy you tried to add to the Lambda resource would grant public access to it, which isn't allowed."
    add = {"FunctionName": name, "StatementId": "s", "Action": "lambda:InvokeFunction"}
    answer = refused(client.add_permission, "PublicPolicyException", text, **add, Principal="*")
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Message"], answer["Type"]) == (400, text, "User")
    public = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "lambda:InvokeFunction", "Resource": "*"}}
    refused(client.put_resource_policy, "PublicPolicyException", text, ResourceArn=arn(name), Policy=json.dumps(public))
    client.add_permission(**add, Principal="*", PrincipalOrgID="o-1234567890")
    client.add_permission(**add | {"StatementId": "t"}, Principal="s3.amazonaws.com")
    instance.stop()
    # What is there stays, and is not added to.
    instance.flags.remove("--block-public-policies")
    instance.start()
    client = instance.client()
    client.add_permission(**add | {"StatementId": "u"}, Principal="*")
    instance.stop()
    instance.flags.append("--block-public-policies")
    instance.start()
    client = instance.client()
    refused(client.remove_permission, "PublicPolicyException", text, FunctionName=name, StatementId="s")
    client.remove_permission(FunctionName=name, StatementId="u")
    assert [statement["Sid"] for statement in statements(client, name)] == ["s", "t"]
    instance.stop()


def test_policies_outlive_the_server(serve, deployer):
    instance = serve("--isolation", "none")
    deploy = deployer(instance)
    name = deploy()
    client = instance.client()
    allow(client, name)
    before = client.get_policy(FunctionName=name)
    instance.kill()
    instance.start()
    after = instance.client().get_policy(FunctionName=name)
    assert (before["Policy"], before["RevisionId"]) == (after["Policy"], after["RevisionId"])
    instance.stop()
