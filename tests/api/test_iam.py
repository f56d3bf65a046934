"""IAM and STS as services: what is kept when the server dies, the AWS CLI, requests made by people who mean harm."""

import http.client
import json
from xml.etree import ElementTree

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from policies import LAMBDA, allowing, trusting
from server import ACCOUNT, REGION, refused, unique

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
INVALID_TOKEN = "The security token included in the request is invalid."


# What is kept


def told(iam):
    """All that there is to be told of Ann, the worker and the policy."""
    arn = f"arn:aws:iam::{ACCOUNT}:policy/p"
    answers = [
        iam.list_users(),
        iam.get_user(UserName="Ann"),
        iam.list_access_keys(UserName="Ann"),
        iam.get_user_policy(UserName="Ann", PolicyName="own"),
        iam.list_attached_user_policies(UserName="Ann"),
        iam.get_role(RoleName="worker"),
        iam.get_role_policy(RoleName="worker", PolicyName="own"),
        iam.list_attached_role_policies(RoleName="worker"),
        iam.get_policy(PolicyArn=arn),
        iam.list_policy_versions(PolicyArn=arn),
        iam.get_policy_version(PolicyArn=arn, VersionId="v2"),
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
    return answers


def test_everything_is_there_after_kill_9(serve):
    instance = serve("--isolation", "none")
    iam = instance.client("iam")
    policy = iam.create_policy(PolicyName="p", PolicyDocument=allowing("iam:Get*"), Tags=[{"Key": "a", "Value": "b"}])["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=allowing("iam:List*"), SetAsDefault=True)
    user = iam.create_user(UserName="Ann", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])["User"]
    iam.attach_user_policy(UserName="Ann", PolicyArn=policy)
    iam.put_user_policy(UserName="Ann", PolicyName="own", PolicyDocument=allowing("sts:AssumeRole"))
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trusting({"AWS": user["Arn"]}), Description="d", PermissionsBoundary=policy)
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=allowing("iam:*"))
    iam.create_user(UserName="gone")
    iam.delete_user(UserName="gone")
    made = [iam.create_access_key(UserName="Ann")["AccessKey"] for _ in range(2)]
    active, inactive = ((key["AccessKeyId"], key["SecretAccessKey"]) for key in made)
    iam.update_access_key(UserName="Ann", AccessKeyId=inactive[0], Status="Inactive")
    made = instance.client("sts", credentials=active).assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/worker", RoleSessionName="one")
    session = [made["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    before = told(iam)
    assert [user["UserName"] for user in before[0]["Users"]] == ["Ann"]
    for end in (instance.kill, instance.stop):
        end()
        instance.start()
        assert told(instance.client("iam")) == before
        # Keys and sessions sign, and may what they might.
        for credentials in (active, session):
            theirs = instance.client("iam", credentials=credentials)
            assert theirs.list_users()["Users"] == before[0]["Users"]
            with pytest.raises(iam.exceptions.ClientError) as refusal:
                theirs.get_user(UserName="Ann")
            assert refusal.value.response["Error"]["Code"] == "AccessDenied"
        refused(instance.client("iam", credentials=inactive).list_users, "InvalidClientTokenId", INVALID_TOKEN)
    instance.stop()


# The AWS CLI


@pytest.mark.parametrize("version", [1, 2])
def test_the_aws_cli(guarded, version):
    def aws(command, *arguments, service="iam"):
        text = guarded.aws(service, command, *arguments, "--output", "json", version=version).stdout
        return json.loads(text) if text.strip() else None

    user, role, policy = unique("user"), unique("role"), unique("policy")
    of_user, of_role = ("--user-name", user), ("--role-name", role)
    assert aws("get-caller-identity", service="sts")["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert aws("create-user", *of_user, "--tags", "Key=a,Value=b c")["User"]["Tags"] == [{"Key": "a", "Value": "b c"}]
    key = aws("create-access-key", *of_user)["AccessKey"]["AccessKeyId"]
    trust = trusting(LAMBDA)
    arn = aws("create-role", *of_role, "--assume-role-policy-document", trust)["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert aws("get-role", *of_role)["Role"]["AssumeRolePolicyDocument"] == json.loads(trust)
    policy_arn = aws("create-policy", "--policy-name", policy, "--policy-document", allowing("s3:*"))["Policy"]["Arn"]
    aws("attach-role-policy", *of_role, "--policy-arn", policy_arn)
    aws("attach-user-policy", *of_user, "--policy-arn", BASIC)
    aws("put-role-policy", *of_role, "--policy-name", "p", "--policy-document", allowing("sqs:*"))
    assert [found["PolicyArn"] for found in aws("list-attached-role-policies", *of_role)["AttachedPolicies"]] == [policy_arn]
    assert aws("get-role-policy", *of_role, "--policy-name", "p")["PolicyDocument"] == json.loads(allowing("sqs:*"))
    everything = aws("list-policies", "--scope", "AWS", "--page-size", "10")["Policies"]
    assert BASIC in [found["Arn"] for found in everything]
    done = guarded.aws("iam", "delete-role", *of_role, version=version, check=False)
    assert done.returncode != 0 and "(DeleteConflict) when calling the DeleteRole operation" in done.stderr
    aws("delete-role-policy", *of_role, "--policy-name", "p")
    aws("detach-role-policy", *of_role, "--policy-arn", policy_arn)
    aws("detach-user-policy", *of_user, "--policy-arn", BASIC)
    aws("delete-role", *of_role)
    aws("delete-policy", "--policy-arn", policy_arn)
    aws("delete-access-key", *of_user, "--access-key-id", key)
    aws("delete-user", *of_user)
    done = guarded.aws("iam", "get-user", *of_user, version=version, check=False)
    assert f"The user with name {user} cannot be found." in done.stderr


# Requests made by people who mean harm


@pytest.fixture
def sent(guarded):
    """Sends a form, signed by the root, and returns status, code of the error if it is one, and the body. Afterwards the
    server must still answer."""

    def send(body=b"", *, method="POST", path="/", content_type=FORM, service="iam", headers=None, signed=True):
        body = body.encode() if isinstance(body, str) else body
        given = {"Content-Type": content_type} | (headers or {})
        request = botocore.awsrequest.AWSRequest(method, guarded.endpoint + path, data=body, headers=given)
        if signed:
            credentials = botocore.credentials.Credentials(*guarded.credentials)
            botocore.auth.SigV4Auth(credentials, service, REGION).add_auth(request)
        request = request.prepare()
        connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=20)
        head = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
        connection.request(method, path, body, head)
        answer = connection.getresponse()
        content = answer.read()
        if answer.headers["Content-Type"] != "text/xml":
            return answer.status, answer.headers["x-amzn-ErrorType"], content
        root = ElementTree.fromstring(content)
        return answer.status, root.findtext("{*}Error/{*}Code"), content

    yield send
    guarded.client("iam").list_users()


IAM = "Version=2010-05-08&Action="
CREATE = f"{IAM}CreateUser&UserName="


@pytest.mark.parametrize(
    "body, expected",
    [
        ("", (400, "InvalidAction")),
        ("Version=2010-05-08", (400, "InvalidAction")),
        ("&&&===&&", (400, "InvalidAction")),
        (f"{IAM}", (400, "InvalidAction")),
        (f"{IAM}createuser&UserName=a", (400, "InvalidAction")),
        (f"{IAM}Steal%00%3C/Message%3E", (400, "InvalidAction")),
        (f"{IAM}" + "A" * 100_000, (400, "InvalidAction")),
        (f"{IAM}GetCallerIdentity", (400, "InvalidAction")),
        ("Version=2011-06-15&Action=ListUsers", (400, "InvalidAction")),
        (f"{IAM}CreateUser", (400, "ValidationError")),
        (f"{CREATE}", (400, "ValidationError")),
        (f"{CREATE}%zz", (400, "ValidationError")),
        (f"{CREATE}%", (400, "ValidationError")),
        (f"{CREATE}%00%01%1B", (400, "ValidationError")),
        (f"{CREATE}%3C/Message%3E%26%5D%5D%3E", (400, "ValidationError")),
        (f"{CREATE}../root", (400, "ValidationError")),
        (f"{CREATE}%EF%BF%BF", (400, "ValidationError")),
        (f"{CREATE}" + "a" * 1_000_000, (400, "ValidationError")),
        (f"{IAM}CreateUser&UserName.member.1=a", (400, "MalformedInput")),
        (f"{IAM}CreateUser&UserName.a.b=a", (400, "MalformedInput")),
        (f"{CREATE}a&Tags=x", (400, "MalformedInput")),
        (f"{CREATE}a&Tags.member.1=x", (400, "MalformedInput")),
        (f"{CREATE}a&Tags.member.1.Key=x", (400, "ValidationError")),
        (f"{CREATE}a&Tags.member.4294967295.Key=x", (400, "ValidationError")),
        (f"{CREATE}a&" + "&".join(f"Tags.member.{n}.Key=x{n}&Tags.member.{n}.Value=" for n in range(1, 4000)), (400, "ValidationError")),
        (f"{IAM}ListUsers&MaxItems=one", (400, "MalformedInput")),
        (f"{IAM}ListUsers&MaxItems=99999999999999999999", (400, "MalformedInput")),
        (f"{IAM}ListUsers&MaxItems=-1", (400, "ValidationError")),
        (f"{IAM}ListPolicies&OnlyAttached=perhaps", (400, "MalformedInput")),
        (f"{IAM}ListPolicies&Scope=Everything", (400, "ValidationError")),
        (f"{CREATE}".encode() + b"\xff", (400, "MalformedInput")),
        (f"{CREATE}%ff", (400, "MalformedInput")),
        (f"{CREATE}a" + "&b=c" * 10_001, (400, "MalformedInput")),
        (f"{CREATE}" + "a" * (2 << 20), (413, "RequestEntityTooLarge")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_forms_that_are_no_request(sent, iam, body, expected):
    before = iam.list_users()
    status, code, content = sent(body)
    assert (status, code) == expected, content[:300]
    after = iam.list_users()
    assert [user["UserId"] for user in after["Users"]] == [user["UserId"] for user in before["Users"]]


def test_odd_forms_that_are_a_request(sent, iam):
    """Of a name given twice the last one counts; what is unknown, or too deep to be anything, is nothing."""
    for odd in ["UserName=first&UserName={}", "UserName={}&Unknown.member.1.X=y", "UserName={}&" + ".member.1" * 10_000 + "=x", "User%4Eame={}&&"]:
        name = unique("odd")
        status, _, content = sent(IAM + "CreateUser&" + odd.format(name))
        assert status == 200, content[:300]
        assert iam.get_user(UserName=name)["User"]["UserName"] == name


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(sent, method):
    status, _, _ = sent(f"{IAM}ListUsers", method=method)
    assert 400 <= status < 500


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-amz-json-1.1", "", "\u00e9"])
def test_other_content_types(sent, content_type):
    status, code, _ = sent(f"{IAM}ListUsers", content_type=content_type)
    assert 400 <= status < 500 and code


def test_other_paths(sent):
    for path in ["//", "/iam", "/%2F", "/?Action=ListUsers&Version=2010-05-08", "/../"]:
        status, _, content = sent(f"{IAM}DeleteUser&UserName=nobody", path=path)
        assert 400 <= status < 500, (path, content[:200])


def test_signatures(sent):
    form = "Version=2011-06-15&Action=GetCallerIdentity"
    assert sent(form, signed=False)[:2] == (403, "MissingAuthenticationToken")
    assert sent(form, service="lambda")[:2] == (403, "SignatureDoesNotMatch")
    assert sent(form, headers={"X-Amz-Security-Token": "x"})[:2] == (403, "InvalidClientTokenId")
    assert sent(form, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"}, signed=False)[:2] == (403, "IncompleteSignature")
    assert sent(form, service="sts")[0] == 200
