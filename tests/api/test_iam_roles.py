"""Roles: whole answers, who may assume them, their policies, limits, what is refused."""

import json

import botocore.exceptions
import pytest

from golden import Recorder
from policies import LAMBDA, allowing, document, of_size, trusting
from server import ACCOUNT, refused, unique

READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
TRUST = trusting(LAMBDA)


@pytest.fixture
def role(iam):
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return name


def test_life_of_a_role(guarded, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)
    name, team = unique("role"), unique("team")

    def check(step):
        golden.check(f"iam-role-{step}", recorder.answer(), {name: "<name>", team: "<team>"})

    iam.create_role(
        RoleName=name,
        Path=f"/{team}/",
        AssumeRolePolicyDocument=json.dumps(json.loads(TRUST), indent=1),
        Description="Does < & >",
        MaxSessionDuration=7200,
        PermissionsBoundary=READ_ONLY,
        Tags=[{"Key": "stage", "Value": "test"}],
    )
    check("create")
    iam.get_role(RoleName=name)
    check("get")
    iam.list_roles(PathPrefix=f"/{team}/")
    check("list")
    iam.update_role(RoleName=name, Description="Does it", MaxSessionDuration=43200)
    check("update")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusting({"AWS": ACCOUNT}))
    check("trust")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=POWER_USER)
    check("boundary")
    iam.get_role(RoleName=name)
    check("get-later")
    iam.list_role_tags(RoleName=name)
    check("tags")
    iam.list_instance_profiles_for_role(RoleName=name)
    check("instance-profiles")
    iam.delete_role(RoleName=name)
    check("delete")
    refused(iam.get_role, "NoSuchEntity", f"The role with name {name} cannot be found.", RoleName=name)
    check("get-deleted")


def test_a_role_without_anything(guarded, golden):
    iam = guarded.client("iam")
    recorder, name = Recorder(iam), unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    golden.check("iam-role-bare-create", recorder.answer(), {name: "<name>"})
    iam.get_role(RoleName=name)
    golden.check("iam-role-bare-get", recorder.answer(), {name: "<name>"})


def test_inline_policies_of_a_role(guarded, role, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)

    def check(step):
        golden.check(f"iam-role-policy-{step}", recorder.answer(), {role: "<name>"})

    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=allowing("s3:*"))
    check("put")
    text = '{ "Version": "2012-10-17",\n\t"Statement": {"Effect": "Deny", "NotAction": "s3:Get~*", "Resource": "arn:aws:s3:::a/ü+%20"}}'
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=text)
    iam.get_role_policy(RoleName=role, PolicyName="p")
    check("get")
    assert iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"] == json.loads(text)
    iam.list_role_policies(RoleName=role)
    check("list")
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    check("delete")
    missing = "The role policy with name p cannot be found."
    refused(iam.get_role_policy, "NoSuchEntity", missing, RoleName=role, PolicyName="p")
    check("get-deleted")
    refused(iam.delete_role_policy, "NoSuchEntity", missing, RoleName=role, PolicyName="p")
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []


def test_a_role_that_is_not_there(iam):
    missing = {"RoleName": unique("missing")}
    text = f"The role with name {missing['RoleName']} cannot be found."
    for call, arguments in [
        (iam.get_role, {}),
        (iam.delete_role, {}),
        (iam.update_role, {"Description": "d"}),
        (iam.update_assume_role_policy, {"PolicyDocument": TRUST}),
        (iam.tag_role, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (iam.untag_role, {"TagKeys": ["a"]}),
        (iam.list_role_tags, {}),
        (iam.list_instance_profiles_for_role, {}),
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": allowing("s3:*")}),
        (iam.get_role_policy, {"PolicyName": "p"}),
        (iam.delete_role_policy, {"PolicyName": "p"}),
        (iam.list_role_policies, {}),
        (iam.attach_role_policy, {"PolicyArn": READ_ONLY}),
        (iam.detach_role_policy, {"PolicyArn": READ_ONLY}),
        (iam.list_attached_role_policies, {}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": READ_ONLY}),
        (iam.delete_role_permissions_boundary, {}),
    ]:
        refused(call, "NoSuchEntity", text, **missing, **arguments)


def test_names_that_differ_by_case_only(iam, role):
    for name in (role, role.upper()):
        refused(iam.create_role, "EntityAlreadyExists", f"Role with name {name} already exists.", RoleName=name, AssumeRolePolicyDocument=TRUST)
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role


def test_what_a_role_still_has_is_removed_first(iam, role):
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=allowing("s3:*"))
    refused(iam.delete_role, "DeleteConflict", "Cannot delete entity, must detach all policies first.", RoleName=role)
    iam.detach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    refused(iam.delete_role, "DeleteConflict", "Cannot delete entity, must delete policies first.", RoleName=role)
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    iam.delete_role(RoleName=role)


def test_roles_in_pages(iam):
    path = f"/{unique('pages')}/"
    names = [unique(letter) for letter in "CaB"]
    for name in names:
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)
    for size, expected in [(1, [1, 1, 1]), (2, [2, 1]), (3, [3])]:
        pages = iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": size})
        pages = [[role["RoleName"] for role in page["Roles"]] for page in pages]
        assert [len(page) for page in pages] == expected
        assert sum(pages, []) == sorted(names, key=str.lower)


def test_waiting_for_a_role(iam, role):
    quickly = {"Delay": 1, "MaxAttempts": 1}
    iam.get_waiter("role_exists").wait(RoleName=role, WaiterConfig=quickly)
    with pytest.raises(botocore.exceptions.WaiterError):
        iam.get_waiter("role_exists").wait(RoleName=unique("missing"), WaiterConfig=quickly)


def test_how_long_sessions_may_last(guarded, role):
    iam = guarded.client("iam", validate=False)
    for call, arguments in [
        (iam.create_role, {"RoleName": unique("role"), "AssumeRolePolicyDocument": TRUST}),
        (iam.update_role, {"RoleName": role}),
    ]:
        for seconds, constraint in [(3599, "greater than or equal to 3600"), (43201, "less than or equal to 43200")]:
            with pytest.raises(iam.exceptions.ClientError) as refusal:
                call(MaxSessionDuration=seconds, **arguments)
            assert refusal.value.response["Error"]["Code"] == "ValidationError"
            text = refusal.value.response["Error"]["Message"]
            assert text.endswith(f"at 'maxSessionDuration' failed to satisfy constraint: Member must have value {constraint}")
        for seconds in (3600, 43200):
            call(**arguments | {"RoleName": arguments["RoleName"] if call == iam.update_role else unique("role")}, MaxSessionDuration=seconds)
    assert iam.get_role(RoleName=role)["Role"]["MaxSessionDuration"] == 43200


# Trust policies


MALFORMED = [
    (trusting(LAMBDA, Resource="*"), "Has prohibited field Resource"),
    (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
    (trusting(LAMBDA, Action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
    (trusting(LAMBDA, Action=["sts:AssumeRole", "lambda:*"]), "AssumeRole policy may only specify STS AssumeRole actions."),
    (trusting(LAMBDA, Action=[]), "Policy statement must contain actions."),
    (trusting({"AWS": "ann"}), 'Invalid principal in policy: "AWS":"ann"'),
    ("", None),
    ("trust me", None),
    ("[]", None),
    ("{}", None),
    ('{"Version": "2012-10-17"}', None),
    (trusting(LAMBDA)[:-1], None),
    (trusting(LAMBDA, Effect="Perhaps"), None),
    (document({"Effect": "Allow", "Principal": LAMBDA}), None),
    ("[" * 10_000, None),
]


@pytest.mark.parametrize("text, message", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_trust_policy(guarded, role, text, message):
    iam = guarded.client("iam", validate=False)
    for call, arguments in [
        (iam.create_role, {"RoleName": unique("role"), "AssumeRolePolicyDocument": text}),
        (iam.update_assume_role_policy, {"RoleName": role, "PolicyDocument": text}),
    ]:
        with pytest.raises(iam.exceptions.ClientError) as refusal:
            call(**arguments)
        error = refusal.value.response["Error"]
        # The empty text is too short for the model.
        assert error["Code"] == ("MalformedPolicyDocument" if text else "ValidationError")
        assert message is None or error["Message"] == message
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_a_trust_policy_as_long_as_it_may_be(iam, role):
    longest = of_size(TRUST, 2048)
    assert len(longest) > 2048
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=longest)
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(longest)
    text = "Cannot exceed quota for ACLSizePerRole: 2048"
    refused(iam.update_assume_role_policy, "LimitExceeded", text, RoleName=role, PolicyDocument=of_size(TRUST, 2049))
    refused(iam.create_role, "LimitExceeded", text, RoleName=unique("role"), AssumeRolePolicyDocument=of_size(TRUST, 2049))


# Permissions boundaries


def test_what_is_no_permissions_boundary(iam, role):
    missing = f"arn:aws:iam::{ACCOUNT}:policy/{unique('missing')}"
    wrong = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
    user = unique("user")
    for call, arguments in [
        (iam.put_role_permissions_boundary, {"RoleName": role}),
        (iam.create_role, {"RoleName": unique("role"), "AssumeRolePolicyDocument": TRUST}),
        (iam.create_user, {"UserName": user}),
    ]:
        refused(call, "NoSuchEntity", f"Scope ARN: {missing} does not exist or is not attachable.", PermissionsBoundary=missing, **arguments)
        refused(call, "InvalidInput", f"ARN {wrong} is not valid.", PermissionsBoundary=wrong, **arguments)
    refused(iam.get_user, "NoSuchEntity", f"The user with name {user} cannot be found.", UserName=user)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]


def test_a_boundary_is_put_and_taken_away(iam, role):
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=READ_ONLY)
    assert iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": READ_ONLY,
    }
    iam.delete_role_permissions_boundary(RoleName=role)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]


# Tags


def test_tags_of_a_role(iam, role):
    iam.tag_role(RoleName=role, Tags=[{"Key": "b", "Value": "1"}, {"Key": "A", "Value": "2"}])
    iam.tag_role(RoleName=role, Tags=[{"Key": "B", "Value": "3"}])
    pages = iam.get_paginator("list_role_tags").paginate(RoleName=role, PaginationConfig={"PageSize": 1})
    assert [page["Tags"] for page in pages] == [[{"Key": "B", "Value": "3"}], [{"Key": "A", "Value": "2"}]]
    twins = [{"Key": "c", "Value": "1"}, {"Key": "C", "Value": "2"}]
    text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    refused(iam.tag_role, "InvalidInput", text, RoleName=role, Tags=twins)
    refused(iam.create_role, "InvalidInput", text, RoleName=unique("role"), AssumeRolePolicyDocument=TRUST, Tags=twins)
    iam.untag_role(RoleName=role, TagKeys=["a", "b"])
    assert iam.list_role_tags(RoleName=role)["Tags"] == [] and "Tags" not in iam.get_role(RoleName=role)["Role"]
