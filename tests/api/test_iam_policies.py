"""Policies: managed ones and their versions, attached and inline ones, those of AWS, limits, what is refused."""

import json

import botocore.exceptions
import pytest

from golden import Recorder
from policies import LAMBDA, allowing, document, of_size, trusting
from server import ACCOUNT, refused, unique

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
S3 = allowing("s3:*")
QUICKLY = {"Delay": 1, "MaxAttempts": 1}


def arn_of(name, path="/"):
    return f"arn:aws:iam::{ACCOUNT}:policy{path}{name}"


@pytest.fixture
def policy(iam):
    """The ARN of a managed policy."""
    return iam.create_policy(PolicyName=unique("policy"), PolicyDocument=S3)["Policy"]["Arn"]


@pytest.fixture
def user(iam):
    name = unique("user")
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def role(iam):
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(LAMBDA))
    return name


# Managed policies


def test_life_of_a_policy(guarded, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)
    name, team = unique("policy"), unique("team")
    arn = arn_of(name, f"/{team}/")

    def check(step):
        golden.check(f"iam-policy-{step}", recorder.answer(), {name: "<name>", team: "<team>"})

    tags = [{"Key": key, "Value": "1"} for key in ["b", "abc", "z", "a"]]
    iam.create_policy(PolicyName=name, Path=f"/{team}/", PolicyDocument=S3, Description="All of S3", Tags=tags)
    check("create")
    iam.get_policy(PolicyArn=arn)
    check("get")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("sqs:*"))
    check("version-create")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("sns:*"), SetAsDefault=True)
    check("version-create-default")
    iam.list_policy_versions(PolicyArn=arn)
    check("versions")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    check("version-set-default")
    iam.get_policy_version(PolicyArn=arn, VersionId="v2")
    check("version-get")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    check("version-delete")
    iam.list_policies(Scope="Local", PathPrefix=f"/{team}/")
    check("list")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v3")
    iam.delete_policy(PolicyArn=arn)
    check("delete")
    refused(iam.get_policy, "NoSuchEntity", f"Policy {arn} was not found.", PolicyArn=arn)
    check("get-deleted")


def test_a_policy_without_anything(guarded, golden):
    iam = guarded.client("iam")
    recorder, name = Recorder(iam), unique("policy")
    iam.create_policy(PolicyName=name, PolicyDocument=S3)
    golden.check("iam-policy-bare-create", recorder.answer(), {name: "<name>"})
    iam.get_policy(PolicyArn=arn_of(name))
    golden.check("iam-policy-bare-get", recorder.answer(), {name: "<name>"})


def test_a_policy_that_is_not_there(iam):
    arn = arn_of(unique("missing"))
    none = f"Policy {arn} was not found."
    version = f"Policy {arn} version v1 does not exist or is not attachable."
    for call, text, arguments in [
        (iam.get_policy, none, {}),
        (iam.delete_policy, none, {}),
        (iam.list_policy_versions, none, {}),
        (iam.create_policy_version, none, {"PolicyDocument": S3}),
        (iam.get_policy_version, version, {"VersionId": "v1"}),
        (iam.delete_policy_version, version, {"VersionId": "v1"}),
        (iam.set_default_policy_version, version, {"VersionId": "v1"}),
    ]:
        refused(call, "NoSuchEntity", text, PolicyArn=arn, **arguments)


def test_a_policys_name_is_taken_once(iam, policy):
    name = policy.rsplit("/")[-1]
    for again in (name, name.upper()):
        text = f"A policy called {again} already exists. Duplicate names are not allowed."
        refused(iam.create_policy, "EntityAlreadyExists", text, PolicyName=again, PolicyDocument=S3)
    refused(iam.create_policy, "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed.", PolicyName=name, Path="/x/", PolicyDocument=S3)


def test_tags_of_a_policy(iam):
    twins = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}]
    refused(iam.create_policy, "InvalidInput", "Duplicate tag keys found.", PolicyName=unique("policy"), PolicyDocument=S3, Tags=twins)
    by_case = [{"Key": "A", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert iam.create_policy(PolicyName=unique("policy"), PolicyDocument=S3, Tags=by_case)["Policy"]["Tags"] == by_case


# Versions


def test_five_versions_at_most(iam, policy):
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=allowing(f"s3:Get{number}"))
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    text = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    refused(iam.create_policy_version, "LimitExceeded", text, PolicyArn=policy, PolicyDocument=S3)
    iam.delete_policy_version(PolicyArn=policy, VersionId="v5")
    assert iam.create_policy_version(PolicyArn=policy, PolicyDocument=S3)["PolicyVersion"]["VersionId"] == "v6"
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 2})
    pages = [[(version["VersionId"], version["IsDefaultVersion"]) for version in page["Versions"]] for page in pages]
    assert pages == [[("v6", False), ("v4", False)], [("v3", False), ("v2", False)], [("v1", True)]]


def test_versions_that_are_not_there(guarded, policy):
    iam = guarded.client("iam", validate=False)
    calls = (iam.get_policy_version, iam.delete_policy_version, iam.set_default_policy_version)
    for version in ["v2", "v10", "v4294967297", "v1.x"]:
        text = f"Policy {policy} version {version} does not exist or is not attachable."
        for call in calls:
            refused(call, "NoSuchEntity", text, PolicyArn=policy, VersionId=version)
    for version in ["1", "v0", "V1", "v01"]:
        for call in calls:
            with pytest.raises(iam.exceptions.ClientError) as refusal:
                call(PolicyArn=policy, VersionId=version)
            error = refusal.value.response["Error"]
            assert error["Code"] == "ValidationError"
            assert error["Message"].endswith(r"at 'versionId' failed to satisfy constraint: Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?")


def test_the_default_version_stays(iam, policy):
    text = "Cannot delete the default version of a policy."
    refused(iam.delete_policy_version, "DeleteConflict", text, PolicyArn=policy, VersionId="v1")
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=allowing("sqs:*"), SetAsDefault=True)
    refused(iam.delete_policy_version, "DeleteConflict", text, PolicyArn=policy, VersionId="v2")
    assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v2"
    iam.delete_policy_version(PolicyArn=policy, VersionId="v1")


def test_what_is_in_use_is_not_deleted(iam, policy, user, role):
    attached = "Cannot delete a policy attached to entities."
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    refused(iam.delete_policy, "DeleteConflict", attached, PolicyArn=policy)
    iam.detach_user_policy(UserName=user, PolicyArn=policy)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=policy)
    refused(iam.delete_policy, "DeleteConflict", attached, PolicyArn=policy)
    iam.delete_role_permissions_boundary(RoleName=role)
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=S3)
    text = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
    refused(iam.delete_policy, "DeleteConflict", text, PolicyArn=policy)
    iam.delete_policy_version(PolicyArn=policy, VersionId="v2")
    iam.delete_policy(PolicyArn=policy)


# Attachments


def test_attached_policies(guarded, policy, user, role, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)

    def check(step):
        golden.check(f"iam-attached-{step}", recorder.answer(), {policy.rsplit("/")[-1]: "<policy>", user: "<user>", role: "<role>"})

    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    check("user")
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    iam.attach_user_policy(UserName=user, PolicyArn=BASIC)
    iam.list_attached_user_policies(UserName=user)
    check("user-list")
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    check("role")
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=policy)
    iam.list_attached_role_policies(RoleName=role)
    check("role-list")
    iam.get_policy(PolicyArn=policy)
    check("policy")
    iam.detach_user_policy(UserName=user, PolicyArn=policy)
    check("user-detach")
    iam.detach_role_policy(RoleName=role, PolicyArn=policy)
    check("role-detach")
    refused(iam.detach_role_policy, "NoSuchEntity", f"Policy {policy} was not found.", RoleName=role, PolicyArn=policy)
    check("role-detach-again")
    assert [found["PolicyArn"] for found in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]] == [BASIC]


def test_attached_policies_by_path_and_in_pages(iam, role):
    path = f"/{unique('path')}/"
    inside = sorted(iam.create_policy(PolicyName=unique("policy"), Path=path, PolicyDocument=S3)["Policy"]["Arn"] for _ in range(3))
    for arn in [BASIC, *inside]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=role, PathPrefix=path, PaginationConfig={"PageSize": 2})
    pages = [[found["PolicyArn"] for found in page["AttachedPolicies"]] for page in pages]
    assert pages == [inside[:2], inside[2:]]


@pytest.mark.parametrize("kind", ["User", "Role"])
def test_ten_attached_policies_at_most(iam, user, role, kind):
    name = {"UserName": user} if kind == "User" else {"RoleName": role}
    attach = iam.attach_user_policy if kind == "User" else iam.attach_role_policy
    arns = [iam.create_policy(PolicyName=unique("policy"), PolicyDocument=S3)["Policy"]["Arn"] for _ in range(10)]
    for arn in arns:
        attach(PolicyArn=arn, **name)
    refused(attach, "LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind}: 10", PolicyArn=BASIC, **name)
    attach(PolicyArn=arns[0], **name)
    detach = iam.detach_user_policy if kind == "User" else iam.detach_role_policy
    detach(PolicyArn=arns[0], **name)
    attach(PolicyArn=BASIC, **name)


def test_what_cannot_be_attached(iam, user, role):
    missing = arn_of(unique("missing"))
    foreign = "arn:aws:iam::111122223333:policy/theirs"
    for attach, detach, name in [
        (iam.attach_user_policy, iam.detach_user_policy, {"UserName": user}),
        (iam.attach_role_policy, iam.detach_role_policy, {"RoleName": role}),
    ]:
        for arn in (missing, foreign, "arn:aws:iam::aws:policy/NoSuchAccess"):
            refused(attach, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", PolicyArn=arn, **name)
            refused(detach, "NoSuchEntity", f"Policy {arn} was not found.", PolicyArn=arn, **name)
        text = "ARN longpolicynamebutnoarn is not valid."
        refused(attach, "ValidationError", text, PolicyArn="longpolicynamebutnoarn", **name)


# AWS managed policies


def test_every_policy_of_aws(iam):
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 7})
    pages = [page["Policies"] for page in pages]
    assert {len(page) for page in pages[:-1]} == {7}
    arns = [policy["Arn"] for page in pages for policy in page]
    assert arns == sorted(set(arns)) and {BASIC, ADMINISTRATOR} <= set(arns)
    for arn in arns:
        policy = iam.get_policy(PolicyArn=arn)["Policy"]
        assert arn == f"arn:aws:iam::aws:policy{policy['Path']}{policy['PolicyName']}" and policy["Tags"] == []
        (listed,) = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        assert listed["VersionId"] == version["VersionId"] and version["Document"]["Version"] == "2012-10-17"
    basic = iam.get_policy_version(PolicyArn=BASIC, VersionId="v1")["PolicyVersion"]["Document"]
    assert basic["Statement"][0]["Action"] == ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def test_policies_of_aws_cannot_be_changed(iam):
    for call, arguments in [
        (iam.delete_policy, {}),
        (iam.create_policy_version, {"PolicyDocument": S3}),
        (iam.delete_policy_version, {"VersionId": "v1"}),
        (iam.set_default_policy_version, {"VersionId": "v1"}),
    ]:
        with pytest.raises(iam.exceptions.ClientError) as refusal:
            call(PolicyArn=BASIC, **arguments)
        assert refusal.value.response["Error"]["Code"] == "AccessDenied"
    assert iam.get_policy(PolicyArn=BASIC)["Policy"]["DefaultVersionId"] == "v1"


def test_lists_of_policies(iam, policy, user):
    def listed(**arguments):
        pages = iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 50}, **arguments)
        return [found["Arn"] for page in pages for found in page["Policies"]]

    attached = iam.create_policy(PolicyName=unique("policy"), Path="/a/b/", PolicyDocument=S3)["Policy"]["Arn"]
    iam.attach_user_policy(UserName=user, PolicyArn=attached)
    iam.attach_user_policy(UserName=user, PolicyArn=BASIC)
    aws, local, everything = listed(Scope="AWS"), listed(Scope="Local"), listed()
    assert everything == listed(Scope="All") == sorted(aws + local) and not set(aws) & set(local)
    assert {policy, attached} <= set(local)
    used = listed(OnlyAttached=True)
    assert {attached, BASIC} <= set(used) and policy not in used and ADMINISTRATOR not in used
    assert attached in listed(PathPrefix="/a/") and policy not in listed(PathPrefix="/a/")
    assert set(listed(PathPrefix="/service-role/")) < set(aws)


def test_waiting_for_a_policy(iam, policy):
    for arn in (policy, BASIC):
        iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig=QUICKLY)
    with pytest.raises(botocore.exceptions.WaiterError):
        iam.get_waiter("policy_exists").wait(PolicyArn=arn_of(unique("missing")), WaiterConfig=QUICKLY)


# Inline policies


def test_inline_policies_of_a_user(guarded, user, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)

    def check(step):
        golden.check(f"iam-user-policy-{step}", recorder.answer(), {user: "<name>"})

    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=S3)
    check("put")
    iam.get_user_policy(UserName=user, PolicyName="p")
    check("get")
    for name in "cab":
        iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=S3)
    pages = iam.get_paginator("list_user_policies").paginate(UserName=user, PaginationConfig={"PageSize": 3})
    assert [page["PolicyNames"] for page in pages] == [["a", "b", "c"], ["p"]]
    iam.list_user_policies(UserName=user)
    check("list")
    iam.delete_user_policy(UserName=user, PolicyName="p")
    check("delete")
    text = "The user policy with name p cannot be found."
    refused(iam.get_user_policy, "NoSuchEntity", text, UserName=user, PolicyName="p")
    check("get-deleted")
    refused(iam.delete_user_policy, "NoSuchEntity", text, UserName=user, PolicyName="p")


@pytest.mark.parametrize("kind, limit", [("user", 2048), ("role", 10_240)])
def test_inline_policies_may_be_so_long_together(iam, user, role, kind, limit):
    name = {"UserName": user} if kind == "user" else {"RoleName": role}
    put = iam.put_user_policy if kind == "user" else iam.put_role_policy
    put(PolicyName="one", PolicyDocument=of_size(S3, limit), **name)
    put(PolicyName="one", PolicyDocument=of_size(S3, limit - 1000), **name)
    put(PolicyName="two", PolicyDocument=of_size(S3, 1000), **name)
    text = f"Maximum policy size of {limit} bytes exceeded for {kind} {user if kind == 'user' else role}"
    refused(put, "LimitExceeded", text, PolicyName="two", PolicyDocument=of_size(S3, 1001), **name)
    refused(put, "LimitExceeded", text, PolicyName="three", PolicyDocument=S3, **name)
    get = iam.get_user_policy if kind == "user" else iam.get_role_policy
    assert get(PolicyName="two", **name)["PolicyDocument"] == json.loads(of_size(S3, 1000))
    names = iam.list_user_policies if kind == "user" else iam.list_role_policies
    assert names(**name)["PolicyNames"] == ["one", "two"]


# Documents


def test_a_managed_policy_as_long_as_it_may_be(iam):
    longest, longer = of_size(S3, 6144), of_size(S3, 6145)
    arn = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=longest)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=longest)
    text = "Cannot exceed quota for PolicySize: 6144"
    refused(iam.create_policy, "LimitExceeded", text, PolicyName=unique("policy"), PolicyDocument=longer)
    refused(iam.create_policy_version, "LimitExceeded", text, PolicyArn=arn, PolicyDocument=longer)
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 2


def statement(**changes):
    written = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"} | changes
    return {name: value for name, value in written.items() if value is not None}


OLD = "Policy document must be version 2012-10-17 or greater."
MALFORMED = [
    (document(statement(), version="2008-10-17"), OLD),
    (json.dumps({"Statement": statement()}), OLD),
    (document(statement(Sid="a"), statement(Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
    (document(statement(Action=None)), "Policy statement must contain actions."),
    (document(statement(Action=[])), "Policy statement must contain actions."),
    (document(statement(Resource=None)), "Policy statement must contain resources."),
    (document(statement(Resource=[])), "Policy statement must contain resources."),
    (document(statement(Resource="bucket")), 'Resource bucket must be in ARN format or "*".'),
    (document(statement(Action="invalid")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    (document(statement(Action="a:b:c")), "Actions/Condition can contain only one colon."),
    (document(statement(Action="a a:b")), "Vendor a a is not valid"),
    (document(statement(Principal="*")), "Policy document should not specify a principal."),
    # Here the words are not AWS'.
    ("allow me", None),
    ("null", None),
    ("[]", None),
    ("{}", None),
    (S3[:-1], None),
    (S3 + S3, None),
    (document(), None),
    (document(statement(), version="2013-10-17"), None),
    (document(statement(), Owner="me"), None),
    (document("statement"), None),
    (document(statement(Effect=None)), None),
    (document(statement(Effect="Maybe")), None),
    (document(statement(Action=1)), None),
    (document(statement(Action={"s3": "*"})), None),
    (document(statement(NotAction="s3:*")), None),
    (document(statement(NotResource="*")), None),
    (document(statement(Condition="no")), None),
    (document(statement(Condition={"NoSuchOperator": {"aws:username": "a"}})), None),
    (document(statement(Because="I say so")), None),
    ('{"a":' * 20_000, None),
    ("[" * 131_072, None),
]


@pytest.mark.parametrize("text, message", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_policy(iam, user, policy, text, message):
    name = unique("policy")
    for call, arguments in [
        (iam.create_policy, {"PolicyName": name}),
        (iam.create_policy_version, {"PolicyArn": policy}),
        (iam.put_user_policy, {"UserName": user, "PolicyName": "p"}),
    ]:
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException) as refusal:
            call(PolicyDocument=text, **arguments)
        assert message is None or refusal.value.response["Error"]["Message"] == message
    refused(iam.get_policy, "NoSuchEntity", f"Policy {arn_of(name)} was not found.", PolicyArn=arn_of(name))
    assert len(iam.list_policy_versions(PolicyArn=policy)["Versions"]) == 1
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Version": "2012-10-17", "Statement": statement()}),
        document(statement(Action="s3: Get"), Id="mine"),
        document(statement(Action="nosuchservice:Do*", Resource=["arn:aws:s3:::a", "*"])),
        document(statement(Condition={})),
        document(statement(Condition={"StringLike": {"aws:username": ["a", "b*"]}}), statement(Sid="a"), statement(Sid="b")),
    ],
)
def test_what_is_a_policy(iam, user, text):
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=text)
    assert iam.get_user_policy(UserName=user, PolicyName="p")["PolicyDocument"] == json.loads(text)


def test_a_document_is_no_longer_than_its_parameter(guarded, user):
    iam = guarded.client("iam", validate=False)
    with pytest.raises(iam.exceptions.ClientError) as refusal:
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=S3 + " " * 131_072)
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"].endswith("at 'policyDocument' failed to satisfy constraint: Member must have length less than or equal to 131072")
