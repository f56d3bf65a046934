"""Users, their access keys and tags: whole answers, limits, what is refused."""

import botocore.exceptions
import pytest

import policies
from golden import Recorder
from server import ACCOUNT, refused, unique

READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
LETTERS = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
INVALID_TOKEN = "The security token included in the request is invalid."
TWINS = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
TAG_LETTERS = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"


@pytest.fixture
def user(iam):
    name = unique("user")
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def key(iam, user):
    """An access key of the user, as credentials."""
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def invalid(call, at, constraint, **arguments):
    """Makes a call whose input breaks a constraint of the model."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"].startswith("1 validation error detected: Value ")
    assert error["Message"].endswith(f"at '{at}' failed to satisfy constraint: {constraint}")


def tags(count, start=0):
    return [{"Key": f"key-{number}", "Value": str(number)} for number in range(start, start + count)]


# Users


def test_life_of_a_user(guarded, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)
    name, team = unique("user"), unique("team")

    def check(step):
        golden.check(f"iam-user-{step}", recorder.answer(), {name: "<name>", team: "<team>"})

    iam.create_user(UserName=name, Path=f"/{team}/", PermissionsBoundary=READ_ONLY, Tags=[{"Key": "Stage", "Value": "ü = 1"}])
    check("create")
    iam.get_user(UserName=name)
    check("get")
    iam.list_users(PathPrefix=f"/{team}")
    check("list")
    iam.tag_user(UserName=name, Tags=[{"Key": "owner", "Value": ""}])
    check("tag")
    iam.list_user_tags(UserName=name)
    check("tags")
    iam.untag_user(UserName=name, TagKeys=["STAGE", "none"])
    check("untag")
    iam.delete_user_permissions_boundary(UserName=name)
    check("boundary-delete")
    iam.get_user(UserName=name)
    check("get-later")
    iam.delete_user(UserName=name)
    check("delete")
    refused(iam.get_user, "NoSuchEntity", f"The user with name {name} cannot be found.", UserName=name)
    check("get-deleted")


def test_a_user_without_anything(guarded, golden):
    iam = guarded.client("iam")
    recorder, name = Recorder(iam), unique("user")
    iam.create_user(UserName=name)
    golden.check("iam-user-bare-create", recorder.answer(), {name: "<name>"})


def test_a_user_that_is_not_there(iam):
    missing = {"UserName": unique("missing")}
    text = f"The user with name {missing['UserName']} cannot be found."
    allow = {"PolicyName": "p", "PolicyDocument": policies.allowing("s3:*")}
    for call, arguments in [
        (iam.get_user, {}),
        (iam.delete_user, {}),
        (iam.tag_user, {"Tags": tags(1)}),
        (iam.untag_user, {"TagKeys": ["a"]}),
        (iam.list_user_tags, {}),
        (iam.create_access_key, {}),
        (iam.list_access_keys, {}),
        (iam.update_access_key, {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"}),
        (iam.delete_access_key, {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
        (iam.put_user_policy, allow),
        (iam.get_user_policy, {"PolicyName": "p"}),
        (iam.delete_user_policy, {"PolicyName": "p"}),
        (iam.list_user_policies, {}),
        (iam.attach_user_policy, {"PolicyArn": READ_ONLY}),
        (iam.detach_user_policy, {"PolicyArn": READ_ONLY}),
        (iam.list_attached_user_policies, {}),
        (iam.put_user_permissions_boundary, {"PermissionsBoundary": READ_ONLY}),
        (iam.delete_user_permissions_boundary, {}),
    ]:
        refused(call, "NoSuchEntity", text, **missing, **arguments)


def test_names_that_differ_by_case_only(iam, user):
    refused(iam.create_user, "EntityAlreadyExists", f"User with name {user} already exists.", UserName=user)
    refused(iam.create_user, "EntityAlreadyExists", f"User with name {user.upper()} already exists.", UserName=user.upper(), Path="/x/")
    assert iam.get_user(UserName=user)["User"]["UserName"] == user


def test_names_and_paths(guarded):
    iam = guarded.client("iam", validate=False)
    refused(iam.create_user, "ValidationError", f"The specified value for userName is invalid. {LETTERS}", UserName="a b")
    path = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
    for wrong in ["a", "/a", "a/", "/a b/"]:
        refused(iam.create_user, "ValidationError", path, UserName="a", Path=wrong)
    invalid(iam.create_user, "userName", "Member must have length less than or equal to 64", UserName="a" * 65)
    invalid(iam.create_user, "userName", "Member must not be null")
    invalid(iam.create_user, "path", "Member must have length less than or equal to 512", UserName="a", Path="/" + "a" * 511 + "/")
    name = unique("+=,.@_-").ljust(64, "x")
    user = iam.create_user(UserName=name, Path="/" + "a" * 510 + "/")["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{'a' * 510}/{name}"


def test_what_a_user_still_has_is_removed_first(iam, user, key):
    iam.attach_user_policy(UserName=user, PolicyArn=READ_ONLY)
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policies.allowing("s3:*"))
    refused(iam.delete_user, "DeleteConflict", "Cannot delete entity, must detach all policies first.", UserName=user)
    iam.detach_user_policy(UserName=user, PolicyArn=READ_ONLY)
    refused(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete policies first.", UserName=user)
    iam.delete_user_policy(UserName=user, PolicyName="p")
    refused(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete access keys first.", UserName=user)
    iam.delete_access_key(UserName=user, AccessKeyId=key[0])
    iam.delete_user(UserName=user)


def test_users_in_pages(iam):
    path = f"/{unique('pages')}/"
    names = [unique(letter) for letter in "aBcDe"]
    for name in names:
        iam.create_user(UserName=name, Path=path)
    pages = iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2})
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    first = iam.list_users(PathPrefix=path, MaxItems=1)
    iam.delete_user(UserName=names[0])
    iam.delete_user(UserName=names[1])
    rest = iam.list_users(PathPrefix=path, Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == names[2:] and not rest["IsTruncated"]
    refused(iam.list_users, "ValidationError", "Invalid Marker.", Marker="?")


def test_waiting_for_a_user(iam, user):
    quickly = {"Delay": 1, "MaxAttempts": 1}
    iam.get_waiter("user_exists").wait(UserName=user, WaiterConfig=quickly)
    with pytest.raises(botocore.exceptions.WaiterError):
        iam.get_waiter("user_exists").wait(UserName=unique("missing"), WaiterConfig=quickly)


def test_a_user_made_anew_is_another(iam, user):
    before = iam.get_user(UserName=user)["User"]["UserId"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=READ_ONLY)
    iam.delete_user(UserName=user)
    iam.create_user(UserName=user)
    after = iam.get_user(UserName=user)["User"]
    assert after["UserId"] != before and "PermissionsBoundary" not in after


# Access keys


def test_life_of_an_access_key(guarded, user, golden):
    iam = guarded.client("iam")
    recorder = Recorder(iam)

    def check(step):
        golden.check(f"iam-access-key-{step}", recorder.answer(), {user: "<name>", key: "<key>"})

    key = "none yet"
    iam.list_access_keys(UserName=user)
    check("list-none")
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    check("create")
    iam.update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")
    check("update")
    iam.list_access_keys(UserName=user)
    check("list")
    iam.delete_access_key(UserName=user, AccessKeyId=key)
    check("delete")
    text = f"The Access Key with id {key} cannot be found."
    refused(iam.update_access_key, "NoSuchEntity", text, UserName=user, AccessKeyId=key, Status="Active")
    check("update-deleted")
    refused(iam.delete_access_key, "NoSuchEntity", text, UserName=user, AccessKeyId=key)


def test_two_access_keys_at_most(iam, user):
    keys = {iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"] for _ in range(2)}
    refused(iam.create_access_key, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", UserName=user)
    pages = iam.get_paginator("list_access_keys").paginate(UserName=user, PaginationConfig={"PageSize": 1})
    assert {key["AccessKeyId"] for page in pages for key in page["AccessKeyMetadata"]} == keys
    iam.delete_access_key(UserName=user, AccessKeyId=keys.pop())
    iam.create_access_key(UserName=user)


def test_keys_count_while_they_are_active(guarded, iam, user, key):
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user}"

    def check_refused():
        refused(guarded.client("sts", credentials=key).get_caller_identity, "InvalidClientTokenId", INVALID_TOKEN)
        refused(guarded.client("iam", credentials=key).list_users, "InvalidClientTokenId", INVALID_TOKEN)
        refused(guarded.client(credentials=key).list_functions, "UnrecognizedClientException", INVALID_TOKEN)
        refused(guarded.client("logs", credentials=key).describe_log_groups, "UnrecognizedClientException", INVALID_TOKEN)

    def caller():
        return guarded.client("sts", credentials=key).get_caller_identity()["Arn"]

    assert caller() == arn
    iam.update_access_key(UserName=user, AccessKeyId=key[0], Status="Inactive")
    check_refused()
    iam.update_access_key(UserName=user, AccessKeyId=key[0], Status="Active")
    assert caller() == arn
    iam.delete_access_key(UserName=user, AccessKeyId=key[0])
    check_refused()


def test_the_wrong_secret(guarded, key):
    client = guarded.client("iam", credentials=(key[0], "wrong"))
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        client.list_users()
    assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_key_of_another_user(iam, user, key):
    other = unique("other")
    iam.create_user(UserName=other)
    text = f"The Access Key with id {key[0]} cannot be found."
    refused(iam.update_access_key, "NoSuchEntity", text, UserName=other, AccessKeyId=key[0], Status="Inactive")
    refused(iam.delete_access_key, "NoSuchEntity", text, UserName=other, AccessKeyId=key[0])


def test_users_mean_themselves_by_leaving_the_name_out(guarded, iam, user, key):
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policies.allowing("iam:*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    own = guarded.client("iam", credentials=key)
    assert own.get_user()["User"]["UserName"] == user
    second = own.create_access_key()["AccessKey"]
    assert second["UserName"] == user
    assert {found["AccessKeyId"] for found in own.list_access_keys()["AccessKeyMetadata"]} == {key[0], second["AccessKeyId"]}
    own.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    own.delete_access_key(AccessKeyId=second["AccessKeyId"])
    own.delete_access_key(AccessKeyId=key[0])
    refused(own.get_user, "InvalidClientTokenId", INVALID_TOKEN)


def test_who_is_no_user_must_name_one(iam):
    text = "Must specify userName when calling with non-User credentials"
    for call, arguments in [
        (iam.create_access_key, {}),
        (iam.list_access_keys, {}),
        (iam.delete_access_key, {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
        (iam.update_access_key, {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"}),
    ]:
        refused(call, "ValidationError", text, **arguments)
    root = iam.get_user()["User"]
    assert (root["UserId"], root["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def test_who_has_no_permission(guarded, user, key):
    own = guarded.client("iam", credentials=key)
    arn = f"arn:aws:iam::{ACCOUNT}:user/"
    for call, action, on, arguments in [
        (own.create_user, "CreateUser", arn + "bob", {"UserName": "bob"}),
        (own.list_users, "ListUsers", arn, {}),
    ]:
        text = f"User: {arn}{user} is not authorized to perform: iam:{action} on resource: {on} because no identity-based policy allows the iam:{action} action"
        refused(call, "AccessDenied", text, **arguments)


# Tags


def test_tags_keep_their_order_and_their_keys_have_no_case(iam, user):
    def listed():
        return [(tag["Key"], tag["Value"]) for tag in iam.list_user_tags(UserName=user)["Tags"]]

    iam.tag_user(UserName=user, Tags=[{"Key": key, "Value": "1"} for key in ["z", "abc", "Ärger", "a"]])
    iam.tag_user(UserName=user, Tags=[{"Key": "ABC", "Value": "2"}, {"Key": "ärger", "Value": "2"}, {"Key": "b", "Value": "2"}])
    assert listed() == [("z", "1"), ("ABC", "2"), ("ärger", "2"), ("a", "1"), ("b", "2")]
    pages = iam.get_paginator("list_user_tags").paginate(UserName=user, PaginationConfig={"PageSize": 2})
    assert [[tag["Key"] for tag in page["Tags"]] for page in pages] == [["z", "ABC"], ["ärger", "a"], ["b"]]
    iam.untag_user(UserName=user, TagKeys=["Z", "ÄRGER"])
    assert listed() == [("ABC", "2"), ("a", "1"), ("b", "2")]


def test_tag_keys_that_differ_by_case_only(iam, user):
    twins = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    refused(iam.tag_user, "InvalidInput", TWINS, UserName=user, Tags=twins)
    refused(iam.create_user, "InvalidInput", TWINS, UserName=unique("user"), Tags=twins)
    assert iam.list_user_tags(UserName=user)["Tags"] == []


def test_fifty_tags_at_most(guarded, user):
    iam = guarded.client("iam", validate=False)
    invalid(iam.tag_user, "tags", "Member must have length less than or equal to 50", UserName=user, Tags=tags(51))
    iam.tag_user(UserName=user, Tags=tags(50))
    iam.tag_user(UserName=user, Tags=tags(50))
    with pytest.raises(iam.exceptions.LimitExceededException):
        iam.tag_user(UserName=user, Tags=tags(1, start=50))
    assert len(iam.list_user_tags(UserName=user)["Tags"]) == 50


def test_what_tags_may_be(guarded, user):
    iam = guarded.client("iam", validate=False)
    long = "Member must have length less than or equal to"
    for key, value, at, constraint in [
        ("k" * 129, "", "key", f"{long} 128"),
        ("k", "v" * 257, "value", f"{long} 256"),
        ("?", "", "key", f"Member must satisfy regular expression pattern: {TAG_LETTERS}"),
    ]:
        invalid(iam.tag_user, f"tags.1.member.{at}", constraint, UserName=user, Tags=[{"Key": key, "Value": value}])
    every = f"[{long} 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: {TAG_LETTERS}, Member must not be null]"
    invalid(iam.untag_user, "tagKeys", f"Member must satisfy constraint: {every}", UserName=user, TagKeys=["?"])
    longest = {"Key": "k" * 128, "Value": "v" * 256}
    iam.tag_user(UserName=user, Tags=[longest])
    assert iam.list_user_tags(UserName=user)["Tags"] == [longest]
