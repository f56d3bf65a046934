"""Who may do what: policies of users, roles and resources decide every request of Lambda and its logs."""

import json
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

import packages
from identities import OTHER, TRUST, User, denied, statement
from policies import document
from server import ACCOUNT, REGION, ROLE, arn, refused, unique, wait_until
from test_operations import ACTIONS, BUILT, example, operations


@pytest.fixture(scope="module")
def function(guarded, deployer):
    """A function with version 1 and an alias to it."""
    deploy = deployer(guarded)
    name = deploy(Tags={"team": "blue"})
    deploy.client.publish_version(FunctionName=name)
    deploy.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


# Every operation


def permissions_for(user, operation, client):
    """The permissions that the operation turns out to need, given to a user who has none one by one."""
    model = client.meta.service_model.operation_model(operation)
    members = example(model.input_shape, "") | ACTIONS.get(operation, {})
    method = {name: method for method, name in client.meta.method_to_api_mapping.items()}[operation]
    needed = []
    while True:
        user.may(*(statement(action, resource) for action, resource in needed), statement("none:None"))
        try:
            getattr(client, method)(**members)
            return needed
        except botocore.exceptions.ClientError as refusal:
            error = refusal.response["Error"]
        if error["Code"] != "AccessDeniedException" or " is not authorized to perform: " not in error["Message"]:
            return needed
        action, _, rest = error["Message"].partition(" is not authorized to perform: ")[2].partition(" on resource: ")
        resource = rest.partition(" because ")[0]
        assert error["Message"] == user.denial(action, resource), operation
        assert (action, resource) not in needed, f"{operation} is denied although {action} on {resource} is allowed"
        needed.append((action, resource))


def test_every_operation_needs_its_permission_and_no_other(user, golden):
    client = user.client(validate=False)
    needed = {operation: permissions_for(user, operation, client) for operation in operations(client) if operation in BUILT}
    assert [operation for operation, permissions in needed.items() if not permissions] == []
    shown = {operation: [f"{action} on {resource}" for action, resource in permissions] for operation, permissions in needed.items()}
    golden.check("permissions", shown)


def test_an_operation_with_all_that_a_request_can_ask_for(user, guarded):
    """Tags, layers, a capacity provider and a role each take a permission of their own."""
    root = guarded.client()
    layer = root.publish_layer_version(LayerName=unique("layer"), Content={"ZipFile": packages.probe()})["LayerVersionArn"]
    provider = f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:p"
    name = unique("f")
    request = dict(
        FunctionName=name,
        Role=ROLE,
        Code={"ZipFile": packages.probe()},
        Runtime="python3.13",
        Handler="a.b",
        Layers=[layer],
        Tags={"team": "blue"},
        CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": provider}},
    )
    needed = [
        ("lambda:CreateFunction", arn(name)),
        ("iam:PassRole", ROLE),
        ("lambda:GetLayerVersion", layer),
        ("lambda:PassCapacityProvider", provider),
        ("lambda:TagResource", arn(name)),
    ]
    for count, (action, resource) in enumerate(needed):
        user.may(statement("none:None"), *(statement(*given) for given in needed[:count]))
        denied(user.client().create_function, user.denial(action, resource), **request)


# Identity-based policies


def test_what_a_user_may(user, function):
    client = user.client()
    message = user.denial("lambda:InvokeFunction", arn(function))
    denied(client.invoke, message, FunctionName=function)
    user.may(statement("lambda:Invoke*", arn(function)))
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    assert client.invoke(FunctionName=function, InvocationType="DryRun")["StatusCode"] == 204
    # A qualifier makes it another resource.
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function, "live")), FunctionName=function, Qualifier="live")
    user.may(statement("lambda:InvokeFunction", arn(function, "*")))
    assert client.invoke(FunctionName=arn(function, "live"))["ExecutedVersion"] == "1"
    denied(client.invoke, message, FunctionName=function)
    # It takes effect at once, and so does its end.
    user.iam.delete_user_policy(UserName=user.name, PolicyName="p")
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function, "1")), FunctionName=function, Qualifier="1")


def test_what_does_not_exist_is_not_told_to_who_may_not_see_it(user):
    client = user.client()
    denied(client.get_function, user.denial("lambda:GetFunction", arn("absent")), FunctionName="absent")
    user.may(statement("lambda:GetFunction"))
    refused(client.get_function, "ResourceNotFoundException", f"Function not found: {arn('absent')}", FunctionName="absent")


def test_explicit_denials(user, iam, function):
    client = user.client()
    deny = statement("lambda:InvokeFunction", effect="Deny")
    user.may(statement("lambda:*"), deny)
    reason = "with an explicit deny in an identity-based policy"
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function), reason), FunctionName=function)
    user.may(statement("lambda:*"))
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    guard = iam.create_policy(PolicyName=unique("guard"), PolicyDocument=document(deny))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=user.name, PolicyArn=guard)
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function), f"{reason}: {guard}"), FunctionName=function)
    # A version of a managed policy counts once it is the default.
    version = iam.create_policy_version(PolicyArn=guard, PolicyDocument=document(statement("s3:*")))["PolicyVersion"]["VersionId"]
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function), f"{reason}: {guard}"), FunctionName=function)
    iam.set_default_policy_version(PolicyArn=guard, VersionId=version)
    assert client.invoke(FunctionName=function)["StatusCode"] == 200


def test_permissions_boundaries(user, iam, function):
    client = user.client()
    user.may(statement("*"))
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=document(statement("lambda:Get*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=boundary)
    assert client.get_function(FunctionName=function)
    reason = "because no permissions boundary allows the lambda:InvokeFunction action"
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function), reason), FunctionName=function)
    iam.delete_user_permissions_boundary(UserName=user.name)
    assert client.invoke(FunctionName=function)["StatusCode"] == 200


@pytest.mark.parametrize(
    "condition,holds",
    [
        ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "red"}}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"StringLike": {"aws:UserAgent": "Boto3/*"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": REGION}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}, False),
        ({"StringEquals": {"aws:username": "${aws:username}"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/user-*"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "blue"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}}, True),
        ({"Null": {"lambda:SourceFunctionArn": "true"}}, True),
    ],
)
def test_conditions(user, iam, function, condition, holds):
    iam.tag_user(UserName=user.name, Tags=[{"Key": "team", "Value": "blue"}])
    user.may(statement("lambda:InvokeFunction", **condition))
    if holds:
        assert user.client().invoke(FunctionName=function)["StatusCode"] == 200
    else:
        denied(user.client().invoke, user.denial("lambda:InvokeFunction", arn(function)), FunctionName=function)


def test_conditions_on_what_a_request_says(user, guarded, function):
    """Tags to be set, the principal to be let in, the function to be mapped."""
    client = user.client()
    user.may(
        statement("lambda:TagResource", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "StringEquals": {"aws:RequestTag/team": "blue"}}),
        statement("lambda:UntagResource", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["mine"]}}),
        statement("lambda:AddPermission", **{"StringEquals": {"lambda:Principal": "s3.amazonaws.com"}}),
        statement("lambda:CreateEventSourceMapping", **{"ArnEquals": {"lambda:FunctionArn": arn(function)}}),
    )

    def only(call, good, bad, action, resource=arn(function)):
        denied(call, user.denial(action, resource), **bad)
        return call(**good)

    resource = {"Resource": arn(function)}
    only(client.tag_resource, resource | {"Tags": {"team": "blue"}}, resource | {"Tags": {"team": "red"}}, "lambda:TagResource")
    denied(client.tag_resource, user.denial("lambda:TagResource", arn(function)), Tags={"team": "blue", "more": "x"}, **resource)
    only(client.untag_resource, resource | {"TagKeys": ["mine"]}, resource | {"TagKeys": ["team"]}, "lambda:UntagResource")
    permission = dict(FunctionName=function, StatementId=unique("s"), Action="lambda:InvokeFunction")
    only(client.add_permission, permission | {"Principal": "s3.amazonaws.com"}, permission | {"Principal": "*"}, "lambda:AddPermission")
    queue = {"EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique('q')}"}
    mapping = only(
        client.create_event_source_mapping,
        queue | {"FunctionName": function},
        queue | {"FunctionName": f"{function}:live"},
        "lambda:CreateEventSourceMapping",
        "*",
    )
    # To give it another function takes the permission for both.
    mapping_arn = mapping["EventSourceMappingArn"]
    user.may(statement("lambda:UpdateEventSourceMapping", **{"ArnEquals": {"lambda:FunctionArn": arn(function)}}))
    update = {"UUID": mapping["UUID"], "FunctionName": f"{function}:live"}
    denied(client.update_event_source_mapping, user.denial("lambda:UpdateEventSourceMapping", mapping_arn), **update)
    root, uuid = guarded.client(), mapping["UUID"]
    wait_until(lambda: root.get_event_source_mapping(UUID=uuid)["State"] != "Creating", what="that it may be deleted")
    root.delete_event_source_mapping(UUID=uuid)


def test_conditions_on_urls_and_layers(user, guarded, function):
    client = user.client()
    user.may(
        statement("lambda:CreateFunctionUrlConfig", **{"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}, "ArnEquals": {"lambda:FunctionArn": arn(function)}}),
        statement("lambda:DeleteFunctionUrlConfig", **{"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
        statement("lambda:UpdateFunctionConfiguration", **{"ForAllValues:StringLike": {"lambda:Layer": [f"arn:aws:lambda:*:{ACCOUNT}:layer:approved:*"]}}),
        statement("lambda:GetLayerVersion"),
    )
    denied(client.create_function_url_config, user.denial("lambda:CreateFunctionUrlConfig", arn(function)), FunctionName=function, AuthType="NONE")
    client.create_function_url_config(FunctionName=function, AuthType="AWS_IAM")
    # The one that is there is meant where the request has none.
    denied(client.delete_function_url_config, user.denial("lambda:DeleteFunctionUrlConfig", arn(function)), FunctionName=function)
    guarded.client().delete_function_url_config(FunctionName=function)
    root = guarded.client()
    content = {"ZipFile": packages.probe()}
    approved, other = (root.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"] for name in ("approved", "other"))
    denied(
        client.update_function_configuration,
        user.denial("lambda:UpdateFunctionConfiguration", arn(function)),
        FunctionName=function,
        Layers=[approved, other],
    )
    client.update_function_configuration(FunctionName=function, Layers=[approved])
    wait_until(lambda: root.get_function_configuration(FunctionName=function)["LastUpdateStatus"] == "Successful", what="the update")


# Resource-based policies


def test_a_functions_policy_lets_a_user_in(user, guarded, function):
    root, client = guarded.client(), user.client()
    root.add_permission(FunctionName=function, StatementId=user.name, Action="lambda:InvokeFunction", Principal=user.arn)
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    denied(client.get_function, user.denial("lambda:GetFunction", arn(function)), FunctionName=function)
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function, "live")), FunctionName=function, Qualifier="live")
    user.may(statement("lambda:InvokeFunction", effect="Deny"))
    reason = "with an explicit deny in an identity-based policy"
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function), reason), FunctionName=function)
    user.may(statement("s3:*"))
    root.remove_permission(FunctionName=function, StatementId=user.name)
    denied(client.invoke, user.denial("lambda:InvokeFunction", arn(function)), FunctionName=function)


def test_a_functions_policy_keeps_everybody_out_but_the_root_can_mend_it(guarded, user, function, deployer):
    root = guarded.client()
    name = deployer(guarded)()
    everybody = {"Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*"}
    root.put_resource_policy(ResourceArn=arn(name), Policy=document(everybody))
    reason = "with an explicit deny in a resource-based policy"
    message = f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: lambda:InvokeFunction on resource: {arn(name)} {reason}"
    denied(root.invoke, message, FunctionName=name)
    user.may(statement("lambda:*"))
    denied(user.client().delete_resource_policy, user.denial("lambda:DeleteResourcePolicy", arn(name), reason), ResourceArn=arn(name))
    root.delete_resource_policy(ResourceArn=arn(name))
    assert root.invoke(FunctionName=name)["StatusCode"] == 200


@pytest.fixture(scope="module")
def neighbour(guarded):
    """The key of another account's root."""
    made = json.loads(guarded.rushlight("iam", "create-account", OTHER, "--json").stdout)
    return made["AccessKeyId"], made["SecretAccessKey"]


def test_functions_of_other_accounts(guarded, neighbour, function):
    owner, stranger = guarded.client(), guarded.client(credentials=neighbour)
    assert stranger.list_functions()["Functions"] == []
    refused(stranger.invoke, "ResourceNotFoundException", f"Function not found: {arn(function, '$LATEST').replace(ACCOUNT, OTHER)}", FunctionName=function)
    reason = "because no resource-based policy allows the lambda:InvokeFunction action"
    message = f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: lambda:InvokeFunction on resource: {arn(function)} {reason}"
    denied(stranger.invoke, message, FunctionName=arn(function))
    # Of what is not theirs, nothing else is said.
    denied(stranger.get_function, None, FunctionName=arn(function))
    denied(stranger.delete_function, None, FunctionName=arn(function))
    owner.add_permission(FunctionName=function, StatementId="neighbour", Action="lambda:InvokeFunction", Principal=OTHER)
    assert stranger.invoke(FunctionName=arn(function))["StatusCode"] == 200
    assert stranger.invoke(FunctionName=f"{ACCOUNT}:function:{function}")["StatusCode"] == 200
    denied(stranger.invoke, message.replace(arn(function), arn(function, "live")), FunctionName=arn(function, "live"))
    denied(stranger.get_function, None, FunctionName=arn(function))
    owner.add_permission(FunctionName=function, StatementId="neighbour", Action="lambda:GetFunction", Principal=OTHER, Qualifier="live")
    shown = stranger.get_function(FunctionName=arn(function, "live"))
    assert shown["Configuration"]["FunctionArn"] == arn(function, "live")
    with urllib.request.urlopen(shown["Code"]["Location"], timeout=30) as answer:
        assert answer.read() == packages.probe()
    for qualifier in ({}, {"Qualifier": "live"}):
        owner.remove_permission(FunctionName=function, StatementId="neighbour", **qualifier)
    denied(stranger.invoke, message, FunctionName=arn(function))


def test_a_user_of_another_account_needs_the_permission_of_both(guarded, neighbour, function):
    owner = guarded.client()
    user = User(guarded, guarded.client("iam", credentials=neighbour), "eve")
    assert user.arn == f"arn:aws:iam::{OTHER}:user/eve"
    user.may(statement("lambda:*"))
    reason = "because no resource-based policy allows the lambda:InvokeFunction action"
    denied(user.client().invoke, user.denial("lambda:InvokeFunction", arn(function), reason), FunctionName=arn(function))
    owner.add_permission(FunctionName=function, StatementId="eve", Action="lambda:InvokeFunction", Principal=user.arn)
    assert user.client().invoke(FunctionName=arn(function))["StatusCode"] == 200
    user.may(statement("s3:*"))
    denied(user.client().invoke, user.denial("lambda:InvokeFunction", arn(function)), FunctionName=arn(function))
    owner.remove_permission(FunctionName=function, StatementId="eve")


def test_changes_to_functions_of_other_accounts_happen_there(guarded, neighbour, function):
    owner, stranger = guarded.client(), guarded.client(credentials=neighbour)
    for number, action in enumerate(["TagResource", "ListTags", "CreateAlias", "DeleteAlias", "UpdateFunctionConfiguration"]):
        owner.add_permission(FunctionName=function, StatementId=f"n{number}", Action=f"lambda:{action}", Principal=OTHER)
    stranger.tag_resource(Resource=arn(function), Tags={"by": "neighbour"})
    assert owner.list_tags(Resource=arn(function))["Tags"]["by"] == "neighbour"
    made = stranger.create_alias(FunctionName=arn(function), Name="theirs", FunctionVersion="1")
    assert made["AliasArn"] == arn(function, "theirs")
    stranger.delete_alias(FunctionName=arn(function), Name="theirs")
    # To pass on a role of one's own into another account is not allowed.
    refused(
        stranger.update_function_configuration,
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
        FunctionName=arn(function),
        Role=f"arn:aws:iam::{OTHER}:role/service",
    )
    for number in range(5):
        owner.remove_permission(FunctionName=function, StatementId=f"n{number}")


def test_layers_of_other_accounts_need_the_users_permission_too(guarded, neighbour, user):
    foreign = guarded.client(credentials=neighbour)
    version = foreign.publish_layer_version(LayerName="shared", Content={"ZipFile": packages.probe()})["LayerVersionArn"]
    user.may(statement("lambda:GetLayerVersion"))
    reason = "because no resource-based policy allows the lambda:GetLayerVersion action"
    denied(user.client().get_layer_version_by_arn, user.denial("lambda:GetLayerVersion", version, reason), Arn=version)
    foreign.add_layer_version_permission(
        LayerName="shared", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal=ACCOUNT
    )
    assert user.client().get_layer_version_by_arn(Arn=version)["LayerVersionArn"] == version
    user.may(statement("lambda:ListLayers"))
    denied(user.client().get_layer_version_by_arn, user.denial("lambda:GetLayerVersion", version), Arn=version)


# Logs


def test_logs_take_permissions_too(guarded, iam, user, function):
    guarded.client().invoke(FunctionName=function)
    group = f"/aws/lambda/{function}"
    logs = user.client("logs")
    resource = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:"
    denied(logs.filter_log_events, user.denial("logs:FilterLogEvents", resource), logGroupName=group)
    user.may(statement("logs:FilterLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"))
    wait_until(lambda: logs.filter_log_events(logGroupName=group)["events"], what="an event in the log")
    stream = guarded.client("logs").describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
    denied(
        logs.get_log_events, user.denial("logs:GetLogEvents", resource + stream), logGroupName=group, logStreamName=stream
    )
    denied(logs.describe_log_groups, user.denial("logs:DescribeLogGroups", resource.replace(group, "")))
    iam.attach_user_policy(UserName=user.name, PolicyArn="arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess")
    assert logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    denied(logs.delete_log_group, user.denial("logs:DeleteLogGroup", resource), logGroupName=group)


# What no policy gives


def test_only_the_operator_runs_the_server(guarded, neighbour, user):
    user.may(statement("*"))
    for key, who in [(user.key, "user"), (neighbour, "another account's root")]:
        environment = {"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1]}
        for command in (
            ["clock", "advance", "1"],
            ["iam", "create-account", "222233334444"],
            ["runtimes", "versions"],
            ["runtimes", "publish", "provided.al2023", "/"],
            ["runtimes", "withdraw", "provided.al2023"],
        ):
            done = _as(guarded, environment, *command)
            assert done.returncode == 1 and "only the server's root key may" in done.stderr, (who, done)


def _as(server, environment, *command):
    before = dict(server.environment)
    try:
        server.environment |= environment
        return server.rushlight(*command, check=False)
    finally:
        server.environment = before


def test_nobody_else_signs_for_packages(guarded, user, function):
    """The URL of a package, signed anew by somebody who may do everything in the account."""
    user.may(statement("*"))
    location = user.client().get_function(FunctionName=function)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=30) as answer:
        assert answer.read() == packages.probe()
    path = location.partition("?")[0]
    request = botocore.awsrequest.AWSRequest("GET", path)
    botocore.auth.S3SigV4QueryAuth(botocore.credentials.Credentials(*user.key), "s3", REGION).add_auth(request)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request.url, timeout=30)
    assert refusal.value.code == 403


def test_nobody_needs_a_permission_where_signatures_are_not_verified(permissive, python_runtime):
    anybody = permissive.client(credentials=("whoever", "x"))
    assert anybody.list_functions()["Functions"] is not None
    iam = permissive.client("iam", credentials=("whoever", "x"))
    iam.create_role(RoleName="unassumable", AssumeRolePolicyDocument=TRUST.replace("lambda.", "ec2."))
    name = unique("f")
    made = anybody.create_function(
        FunctionName=name,
        Runtime=python_runtime,
        Handler="a.b",
        Role=f"arn:aws:iam::{ACCOUNT}:role/unassumable",
        Code={"ZipFile": packages.probe()},
    )
    assert made["FunctionName"] == name
    anybody.delete_function(FunctionName=name)
    sts = permissive.client("sts", credentials=("whoever", "x"))
    assumed = sts.assume_role(RoleArn=made["Role"], RoleSessionName="session")["AssumedRoleUser"]
    assert assumed["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/unassumable/session"
    iam.delete_role(RoleName="unassumable")
