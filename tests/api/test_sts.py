"""Who a caller is, and becoming a role for a while: who may, what a session can do, what is refused."""

import base64
import datetime
import urllib.error
import urllib.request
from xml.etree import ElementTree

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from golden import Recorder
from identities import OTHER, statement
from policies import LAMBDA, allowing, document, trusting
from server import ACCOUNT, REGION, refused, unique

READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
INVALID_TOKEN = "The security token included in the request is invalid."
IN_PATH = "/team/red/"


@pytest.fixture
def make_role(iam):
    """Makes a role and returns its name and ARN."""

    def make(trust, *, path="/", seconds=3600, allows=None, name=None):
        name = name or unique("role")
        arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust, MaxSessionDuration=seconds)["Role"]["Arn"]
        if allows:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allows)
        return name, arn

    return make


def become(user, role, **more):
    """The user's session as the role, as credentials."""
    made = user.client("sts").assume_role(RoleArn=role, RoleSessionName="one", **more)["Credentials"]
    return made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]


def not_authorized(user, role, **more):
    """That the user may not assume the role, for whatever reason."""
    text = f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}"
    refused(user.client("sts").assume_role, "AccessDenied", text, RoleArn=role, RoleSessionName="one", **more)


# Who a caller is


def test_who_the_root_is(sts):
    identity = sts.get_caller_identity()
    del identity["ResponseMetadata"]
    assert identity == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}


def test_who_a_user_is(guarded, iam):
    """It takes no permission to ask."""
    name = unique("user")
    user = iam.create_user(UserName=name, Path="/team/blue/")["User"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    sts = guarded.client("sts", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    identity = sts.get_caller_identity()
    assert (identity["UserId"], identity["Account"]) == (user["UserId"], ACCOUNT)
    assert identity["Arn"] == user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/blue/{name}"


def test_who_a_session_is(guarded, iam, user, make_role):
    name, role = make_role(trusting({"AWS": user.arn}), path=IN_PATH)
    sts = guarded.client("sts", credentials=become(user, role))
    role_id = iam.get_role(RoleName=name)["Role"]["RoleId"]
    identity = sts.get_caller_identity()
    assert (identity["UserId"], identity["Account"]) == (f"{role_id}:one", ACCOUNT)
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/one"


def test_a_presigned_question(guarded):
    """Others take such a URL for a proof of who somebody is."""
    url = f"{guarded.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = botocore.awsrequest.AWSRequest("GET", url)
    auth = botocore.auth.SigV4QueryAuth(botocore.credentials.Credentials(*guarded.credentials), "sts", REGION, expires=60)
    auth.add_auth(request)
    with urllib.request.urlopen(request.url, timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/xml"
        arn = ElementTree.fromstring(answer.read()).findtext(".//{*}Arn")
    assert arn == f"arn:aws:iam::{ACCOUNT}:root"
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request.url.replace("GetCallerIdentity", "AssumeRole"), timeout=20)
    assert refusal.value.code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in refusal.value.read()


# Becoming a role


def test_a_session(user, make_role, golden):
    name, role = make_role(trusting({"AWS": user.arn}), path=IN_PATH)
    client = user.client("sts")
    recorder = Recorder(client)
    begun = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    made = client.assume_role(RoleArn=role, RoleSessionName="a=b@c,d.e-f_g+h")
    golden.check("sts-assume-role", recorder.answer(), {name: "<role>"})
    lasts = made["Credentials"]["Expiration"] - begun
    assert datetime.timedelta(hours=1) <= lasts < datetime.timedelta(hours=1, minutes=1)


def test_a_user_of_the_account_needs_a_yes_from_either_side(user, make_role):
    _, by_name = make_role(trusting({"AWS": user.arn}))
    _, by_account = make_role(trusting({"AWS": ACCOUNT}))
    become(user, by_name)
    not_authorized(user, by_account)
    user.may(statement("sts:AssumeRole", by_account))
    become(user, by_account)
    user.may(statement("sts:AssumeRole", effect="Deny"))
    not_authorized(user, by_name)


def test_who_is_not_trusted(user, make_role):
    user.may(statement("sts:AssumeRole"))
    not_authorized(user, make_role(trusting(LAMBDA))[1])
    not_authorized(user, make_role(trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody-else"}))[1])
    not_authorized(user, make_role(trusting({"AWS": OTHER}))[1])
    allow, deny = ({"Effect": effect, "Principal": {"AWS": user.arn}, "Action": "sts:AssumeRole"} for effect in ("Allow", "Deny"))
    not_authorized(user, make_role(document(allow, deny))[1])
    not_authorized(user, make_role(trusting({"AWS": user.arn}, Action="sts:TagSession"))[1])


def test_trust_that_is_withdrawn(iam, user, make_role):
    name, role = make_role(trusting({"AWS": user.arn}))
    become(user, role)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusting(LAMBDA))
    not_authorized(user, role)


def test_roles_that_are_not_there(user, make_role):
    """It is not told which roles there are."""
    user.may(statement("sts:AssumeRole"))
    name, role = make_role(trusting({"AWS": user.arn}), path=IN_PATH)
    for missing in [
        f"arn:aws:iam::{ACCOUNT}:role/{unique('missing')}",
        f"arn:aws:iam::{ACCOUNT}:role/{name}",
        f"arn:aws:iam::{ACCOUNT}:user{IN_PATH}{name}",
        role.replace(ACCOUNT, OTHER),
        f"{role}/x",
    ]:
        not_authorized(user, missing)
    for nonsense in ["nothing-valid-in-here", f"{ACCOUNT}:role/{name}", "arn:aws:iam::role/some-role"]:
        arguments = {"RoleArn": nonsense, "RoleSessionName": "one"}
        refused(user.client("sts").assume_role, "ValidationError", f"{nonsense} is invalid", **arguments)
    become(user, role)


def test_the_root_becomes_no_role(sts, make_role):
    text = "Roles may not be assumed by root accounts."
    refused(sts.assume_role, "AccessDenied", text, RoleArn=make_role(trusting({"AWS": ACCOUNT}))[1], RoleSessionName="one")


def test_how_long_a_session_lasts(user, make_role):
    _, short = make_role(trusting({"AWS": user.arn}))
    _, long = make_role(trusting({"AWS": user.arn}), seconds=7200)
    text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    for role, seconds in [(short, 3601), (long, 7201)]:
        arguments = {"RoleArn": role, "RoleSessionName": "one", "DurationSeconds": seconds}
        refused(user.client("sts").assume_role, "ValidationError", text, **arguments)
    for role, seconds in [(short, 900), (short, 3600), (long, 7200)]:
        now = datetime.datetime.now(datetime.UTC)
        arguments = {"RoleArn": role, "RoleSessionName": "one", "DurationSeconds": seconds}
        lasts = user.client("sts").assume_role(**arguments)["Credentials"]["Expiration"] - now
        assert abs(lasts.total_seconds() - seconds) < 30
    for seconds, constraint in [(899, "greater than or equal to 900"), (43201, "less than or equal to 43200")]:
        text = f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value {constraint}"
        client = user.client("sts", validate=False)
        refused(client.assume_role, "ValidationError", text, RoleArn=long, RoleSessionName="one", DurationSeconds=seconds)


@pytest.mark.parametrize(
    "name, constraint",
    [
        ("Session1:2", r"satisfy regular expression pattern: [\w+=,.@-]*"),
        ("with space", r"satisfy regular expression pattern: [\w+=,.@-]*"),
        ("s" * 65, "have length less than or equal to 64"),
        ("s", "have length greater than or equal to 2"),
    ],
)
def test_names_of_sessions(user, make_role, name, constraint):
    _, role = make_role(trusting({"AWS": user.arn}))
    text = f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must {constraint}"
    client = user.client("sts", validate=False)
    refused(client.assume_role, "ValidationError", text, RoleArn=role, RoleSessionName=name)
    client.assume_role(RoleArn=role, RoleSessionName="s" * 64)


def test_conditions_of_trust(user, make_role):
    def trusting_if(**condition):
        return make_role(trusting({"AWS": user.arn}, Condition=condition))[1]

    secret = trusting_if(StringEquals={"sts:ExternalId": "12:34"})
    not_authorized(user, secret)
    not_authorized(user, secret, ExternalId="12:35")
    become(user, secret, ExternalId="12:34")
    become(user, trusting_if(StringLike={"sts:RoleSessionName": "o*"}))
    not_authorized(user, trusting_if(StringLike={"sts:RoleSessionName": "x*"}))
    become(user, trusting_if(StringEquals={"aws:PrincipalArn": user.arn}))
    not_authorized(user, trusting_if(IpAddress={"aws:SourceIp": "192.0.2.0/24"}))


def test_what_is_not_offered(user, make_role):
    """A session that can do more than was asked for must not be handed out."""
    _, role = make_role(trusting({"AWS": user.arn}))
    for member, value in [
        ("Policy", allowing("s3:*")),
        ("PolicyArns", [{"arn": READ_ONLY}]),
        ("Tags", [{"Key": "a", "Value": "b"}]),
        ("TransitiveTagKeys", ["a"]),
        ("SourceIdentity", "ann"),
        ("SerialNumber", "arn:aws:iam::1:mfa/a"),
    ]:
        text = f"Rushlight does not offer {member} of AssumeRole: leave it out."
        refused(user.client("sts").assume_role, "ValidationError", text, RoleArn=role, RoleSessionName="one", **{member: value})


# What a session can do


def test_a_session_may_what_its_role_may(guarded, iam, user, make_role):
    """And not what the user may; changes count at once."""
    user.may(statement("iam:ListUsers"))
    name, role = make_role(trusting({"AWS": user.arn}))
    session = guarded.client("iam", credentials=become(user, role))
    everybody = f"arn:aws:iam::{ACCOUNT}:user/"
    denied = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/one is not authorized to perform: iam:ListUsers on resource: {everybody} because no"
    by_identity = f"{denied} identity-based policy allows the iam:ListUsers action"
    refused(session.list_users, "AccessDenied", by_identity)
    iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    assert session.list_users()["Users"]
    policy = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=allowing("iam:ListRoles"))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=policy)
    refused(session.list_users, "AccessDenied", f"{denied} permissions boundary allows the iam:ListUsers action")
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=allowing("iam:*"), SetAsDefault=True)
    assert session.list_users()["Users"]
    iam.detach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    refused(session.list_users, "AccessDenied", by_identity)
    refused(session.get_user, "ValidationError", "Must specify userName when calling with non-User credentials")


def test_a_role_made_anew_is_not_that_of_older_sessions(guarded, iam, user, make_role):
    trust, allows = trusting({"AWS": user.arn}), allowing("iam:ListUsers")
    name, role = make_role(trust, allows=allows)
    old = guarded.client("iam", credentials=become(user, role))
    assert old.list_users()["Users"]
    text = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/one is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::{ACCOUNT}:user/ because no identity-based policy allows the iam:ListUsers action"
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    refused(old.list_users, "AccessDenied", text)
    make_role(trust, allows=allows, name=name)
    refused(old.list_users, "AccessDenied", text)
    assert guarded.client("iam", credentials=become(user, role)).list_users()["Users"]


def test_a_session_becomes_another_role(guarded, user, make_role):
    first_name, first = make_role(trusting({"AWS": user.arn}))
    name, second = make_role(trusting({"AWS": first}))
    made = guarded.client("sts", credentials=become(user, first)).assume_role(RoleArn=second, RoleSessionName="two")
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/two"
    not_authorized(user, second)
    _, third = make_role(trusting({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/{first_name}/one"}))
    guarded.client("sts", credentials=become(user, first)).assume_role(RoleArn=third, RoleSessionName="two")


def test_a_session_outlives_the_key_that_began_it(guarded, iam, user, make_role):
    _, role = make_role(trusting({"AWS": user.arn}))
    session = guarded.client("sts", credentials=become(user, role))
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.key[0])
    refused(user.client("sts").get_caller_identity, "InvalidClientTokenId", INVALID_TOKEN)
    assert session.get_caller_identity()["Account"] == ACCOUNT


# Tokens


def test_tokens_that_are_none(guarded, user, make_role):
    _, role = make_role(trusting({"AWS": user.arn}))
    key, secret, token = become(user, role)
    other_key, _, other_token = become(user, role)
    sealed = bytearray(base64.urlsafe_b64decode(token + "=="))
    sealed[1] ^= 1  # The time at which it ends.
    forged = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    for wrong in [(key, secret), (key, secret, other_token), (other_key, secret, token), (key, secret, token[:-4]), (key, secret, forged), (key, secret, "x"), (*user.key, token)]:
        refused(guarded.client("sts", credentials=wrong).get_caller_identity, "InvalidClientTokenId", INVALID_TOKEN)
        refused(guarded.client(credentials=wrong).list_functions, "UnrecognizedClientException", INVALID_TOKEN)
    with pytest.raises(Exception) as refusal:
        guarded.client("sts", credentials=(key, secret + "x", token)).get_caller_identity()
    assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert guarded.client("sts", credentials=(key, secret, token)).get_caller_identity()["Account"] == ACCOUNT
