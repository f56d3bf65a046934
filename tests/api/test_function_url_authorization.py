"""Who may make requests to function URLs: signatures, both permissions, other accounts, and those who try without."""

import datetime
import json
import subprocess
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import packages
import pytest
from function_urls import FORBIDDEN, JSON, Url, let_in, make_url
from identities import OTHER, TRUST, User, credentials_of, statement
from policies import document
from server import ACCOUNT, REGION, arn, unique
from test_function_url_requests import PACKAGE, unknown

ACTIONS = ("InvokeFunctionUrl", "InvokeFunction")


def forbidden(answer):
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException"), answer
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["x-amzn-requestid"]
    assert answer.json() == FORBIDDEN


def rejected(answer, code, message):
    """A signature that is wrong is told what is wrong with it, as by the API."""
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, code), answer
    assert answer.json()["message"].startswith(message)


MISMATCH = ("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")


def sign(url, key, method="GET", path="/", body=b"", headers=None, service="lambda", region=REGION, presign=None, host=None, at=None):
    """A request as botocore signs it: method, path with query, headers."""
    request = botocore.awsrequest.AWSRequest(method, f"http://{host or url.host}{path}", data=body, headers=headers or {})
    credentials = botocore.credentials.Credentials(*key)
    if presign is None:
        auth = botocore.auth.SigV4Auth(credentials, service, region)
    else:
        auth = botocore.auth.SigV4QueryAuth(credentials, service, region, expires=presign)
    real = botocore.auth.get_current_datetime
    if at is not None:
        botocore.auth.get_current_datetime = lambda *_, **__: at
    try:
        auth.add_auth(request)
    finally:
        botocore.auth.get_current_datetime = real
    target = urllib.parse.urlsplit(request.url)
    return target.path + (f"?{target.query}" if target.query else ""), dict(request.headers.items())


def signed(url, key, method="GET", path="/", body=None, headers=None, **options):
    """The answer to a signed request."""
    path, headers = sign(url, key, method, path, body or b"", headers, **options)
    return url(method, path, body=body, headers=headers, host=options.get("host") or url.host)


@pytest.fixture(scope="module")
def deploy(guarded, deployer):
    return deployer(guarded)


@pytest.fixture(scope="module")
def owner(guarded):
    return guarded.client()


@pytest.fixture
def function(deploy):
    return deploy(PACKAGE, name=unique("url"))


@pytest.fixture
def url(guarded, owner, function):
    """A URL for those who sign."""
    return make_url(guarded, owner, function, "AWS_IAM")


@pytest.fixture
def may(user, function):
    """The user may invoke the function through its URL."""
    user.may(*(statement(f"lambda:{action}", arn(function)) for action in ACTIONS))


# NONE


def test_open_urls_need_both_permissions(guarded, owner, function):
    url = make_url(guarded, owner, function)
    forbidden(url())
    forbidden(url("POST", body=b"x" * 100_000))
    let_in(owner, function, actions=["InvokeFunctionUrl"])
    forbidden(url())
    let_in(owner, function, actions=["InvokeFunction"])
    assert url().status == 200
    # Which does not let anybody invoke the function in another way.
    for sid in [part["Sid"] for part in json.loads(owner.get_policy(FunctionName=function)["Policy"])["Statement"]][:1]:
        owner.remove_permission(FunctionName=function, StatementId=sid)
    forbidden(url())


def test_nobody_invokes_otherwise_by_the_permission_for_urls(user, owner, function):
    let_in(owner, function)
    with pytest.raises(user.client().exceptions.ClientError, match="not authorized to perform: lambda:InvokeFunction"):
        user.client().invoke(FunctionName=function)


def test_the_kind_of_url_is_a_condition(guarded, owner, function):
    url = make_url(guarded, owner, function)
    let_in(owner, function, auth_type="AWS_IAM")
    forbidden(url())
    let_in(owner, function)
    assert url().status == 200
    # It is asked at each request: the URL now wants signatures.
    owner.update_function_url_config(FunctionName=function, AuthType="AWS_IAM")
    forbidden(url())


def test_denials_decide(guarded, owner, function):
    url = make_url(guarded, owner, function)
    let_in(owner, function)
    assert url(headers={"User-Agent": "good"}).status == 200
    document = json.loads(owner.get_policy(FunctionName=function)["Policy"])
    denial = {"Sid": "no", "Principal": "*"} | statement("lambda:InvokeFunctionUrl", arn(function), "Deny", StringLike={"aws:UserAgent": "evil*"})
    owner.put_resource_policy(ResourceArn=arn(function), Policy=json.dumps({"Version": "2012-10-17", "Statement": document["Statement"] + [denial]}))
    assert url(headers={"User-Agent": "good"}).status == 200
    forbidden(url(headers={"User-Agent": "evil/1"}))


def test_a_signature_opens_no_open_url(guarded, owner, function):
    """Where nobody has to sign, whoever signs is anybody: also the root."""
    url = make_url(guarded, owner, function)
    forbidden(signed(url, guarded.credentials))
    let_in(owner, function, principal=ACCOUNT)
    forbidden(signed(url, guarded.credentials))
    let_in(owner, function)
    event = signed(url, ("AKIAIOSFODNN7EXAMPLE", "wrong")).json()["event"]
    assert event["requestContext"]["accountId"] == "anonymous"
    assert "authorizer" not in event["requestContext"]
    assert event["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 ")


# AWS_IAM


def test_who_signed_is_in_the_event(guarded, url, user, may):
    body = b'{"a": 1}'
    answer = signed(url, user.key, "POST", "/p%20q/x?b=2&a=1&b=1", body, JSON | {"Cookie": "a=1"})
    assert answer.status == 200, answer
    event = answer.json()["event"]
    identifier = user.iam.get_user(UserName=user.name)["User"]["UserId"]
    assert event["requestContext"]["accountId"] == ACCOUNT
    assert event["requestContext"]["authorizer"] == {
        "iam": {
            "accessKey": user.key[0],
            "accountId": ACCOUNT,
            "callerId": identifier,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": user.arn,
            "userId": identifier,
        }
    }
    assert (event["rawPath"], event["queryStringParameters"]) == ("/p%20q/x", {"a": "1", "b": "2,1"})
    assert event["body"] == body.decode()
    # The signature itself is not for the function.
    assert "authorization" not in event["headers"] and "x-amz-date" in event["headers"]


def test_the_root_needs_no_permission(guarded, url):
    assert signed(url, guarded.credentials).json()["event"]["requestContext"]["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_both_permissions_by_identity_policy(url, user, function):
    forbidden(signed(url, user.key))
    for action in ACTIONS:
        user.may(statement(f"lambda:{action}", arn(function)))
        forbidden(signed(url, user.key))
    both = [f"lambda:{action}" for action in ACTIONS]
    user.may(statement(both, arn(function)))
    assert signed(url, user.key).status == 200
    user.may(statement(both, arn("other")))
    forbidden(signed(url, user.key))


def test_conditions(url, user, function):
    def may(kind, via):
        by_url = statement("lambda:InvokeFunctionUrl", arn(function), StringEquals={"lambda:FunctionUrlAuthType": kind})
        user.may(by_url, statement("lambda:InvokeFunction", arn(function), Bool={"lambda:InvokedViaFunctionUrl": via}))

    may("AWS_IAM", "true")
    assert signed(url, user.key).status == 200
    with pytest.raises(user.client().exceptions.ClientError, match="AccessDenied"):
        user.client().invoke(FunctionName=function)
    for conditions in (("NONE", "true"), ("AWS_IAM", "false")):
        may(*conditions)
        forbidden(signed(url, user.key))


def test_by_resource_policy_alone(url, user, owner, function):
    let_in(owner, function, "AWS_IAM", principal=user.arn, actions=["InvokeFunctionUrl"])
    forbidden(signed(url, user.key))
    let_in(owner, function, "AWS_IAM", principal=user.arn, actions=["InvokeFunction"])
    assert signed(url, user.key).status == 200
    user.may(statement("lambda:InvokeFunctionUrl", effect="Deny"))
    forbidden(signed(url, user.key))


def test_a_function_calls_another_as_its_role(guarded, deploy, iam, url, function):
    role = unique("caller")
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    caller = deploy(packages.probe(), name=unique("caller"), Role=made)
    key = credentials_of(guarded.client(), caller)
    forbidden(signed(url, key))
    text = document(statement([f"lambda:{action}" for action in ACTIONS], arn(function)))
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=text)
    event = signed(url, key).json()["event"]
    signer = event["requestContext"]["authorizer"]["iam"]
    assert signer["userArn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{caller}"
    assert signer["callerId"] == signer["userId"] and signer["userId"].endswith(f":{caller}")
    # Without its token the key is none.
    rejected(signed(url, key[:2]), "UnrecognizedClientException", "The security token included in the request is invalid.")


def test_aliases_are_resources_of_their_own(guarded, owner, user, function):
    owner.publish_version(FunctionName=function)
    owner.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    url = make_url(guarded, owner, function, "AWS_IAM", qualifier="live")
    both = [f"lambda:{action}" for action in ACTIONS]
    user.may(statement(both, arn(function)))
    forbidden(signed(url, user.key))
    user.may(statement(both, arn(function, "live")))
    assert signed(url, user.key).json()["function"] == arn(function, "live")


def test_curl_signs_too(guarded, owner, url, user, may, function):
    address = owner.get_function_url_config(FunctionName=function)["FunctionUrl"]
    command = ["curl", "-sS", "--aws-sigv4", f"aws:amz:{REGION}:lambda", "--user", ":".join(user.key), "-H", "Content-Type: text/plain", "-d", "hello", f"{address}a/b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    event = json.loads(done.stdout)["event"]
    assert event["body"] == "hello"
    assert event["requestContext"]["authorizer"]["iam"]["userArn"] == user.arn


def test_presigned(url, user, may):
    assert signed(url, user.key, path="/a?b=c", presign=300).json()["event"]["queryStringParameters"]["b"] == "c"
    path, headers = sign(url, user.key, presign=300)
    assert url(path=path, host=url.host).json()["event"]["requestContext"]["authorizer"]["iam"]["accessKey"] == user.key[0]
    # It is for this method, this path, these parameters, and no body.
    for answer in (
        url("DELETE", path, host=url.host),
        url(path="/other" + path[1:], host=url.host),
        url(path=f"{path}&more=1", host=url.host),
        url("GET", path, body=b"x", host=url.host),
    ):
        rejected(answer, *MISMATCH)
    long_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=400)
    rejected(signed(url, user.key, presign=300, at=long_ago), "InvalidSignatureException", "Signature expired: ")


# Those who try without


def test_unsigned(url):
    forbidden(url())
    forbidden(url("POST", body=b"x" * 1_000_000))
    for nonsense in ("", "Bearer x", "Basic eDp5"):
        answer = url(headers={"Authorization": nonsense})
        assert answer.status == 403 and b"event" not in answer.body, answer


def test_forged_signatures(guarded, url, user, may):
    key, secret = user.key
    rejected(signed(url, (key, secret[:-1] + "x")), *MISMATCH)
    rejected(signed(url, ("AKIAIOSFODNN7EXAMPLE", secret)), "UnrecognizedClientException", "The security token")
    scope = "Credential should be scoped to "
    rejected(signed(url, user.key, service="execute-api"), "InvalidSignatureException", f"{scope}correct service: 'lambda'.")
    rejected(signed(url, user.key, region="eu-west-1"), "InvalidSignatureException", f"{scope}a valid region.")
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=6)
    rejected(signed(url, user.key, at=old), "InvalidSignatureException", "Signature expired: ")
    path, headers = sign(url, user.key, "POST", "/a?b=c", b"body")
    assert url("POST", path, body=b"body", headers=headers, host=url.host).status == 200
    for method, other, body, added in (
        ("PUT", path, b"body", {}),
        ("POST", "/b?b=c", b"body", {}),
        ("POST", "/a?b=d", b"body", {}),
        ("POST", path, b"tampered", {}),
        ("POST", path, None, {}),
        ("POST", path, b"body", {"X-Amz-Date": "20200101T000000Z"}),
    ):
        answer = url(method, other, body=body, headers=headers | added, host=url.host)
        assert answer.status == 403 and answer.headers["x-amzn-errortype"] == "InvalidSignatureException", answer


def test_a_signed_request_leads_nowhere_else(guarded, deploy, owner, user):
    """The host is signed: a request for one URL cannot be repeated at another, or at the API."""
    both = [f"lambda:{action}" for action in ACTIONS]
    user.may(statement(both), statement("lambda:*"))
    one, two = (make_url(guarded, owner, deploy(PACKAGE, name=unique("url")), "AWS_IAM") for _ in range(2))
    path, headers = sign(one, user.key)
    assert one(path=path, headers=headers, host=one.host).status == 200
    rejected(two(path=path, headers=headers, host=two.host), *MISMATCH)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    absolute = f"GET http://{two.host}/ HTTP/1.1\r\nHost: {one.host}\r\n" + "\r\n".join(lines) + "\r\n\r\n"
    assert one.raw(absolute.encode()).startswith(b"HTTP/1.1 400 ")
    path, headers = sign(one, user.key, path="/2015-03-31/functions")
    assert one(path=path, headers=headers, host="localhost").status == 403


def test_paths_that_a_signature_does_not_tell_apart(url, user, may):
    """What is signed is the path without dot segments: who overheard a request could repeat it under other paths."""
    path, headers = sign(url, user.key, path="/a/b")
    for other in ("/a/c/../b", "/a/./b", "/../a/b"):
        forbidden(url(path=other, headers=headers, host=url.host))
    assert url(path=path, headers=headers, host=url.host).status == 200
    # Doubled slashes are what joining an address and a path often makes.
    assert signed(url, user.key, path="//a//b").json()["event"]["rawPath"] == "//a//b"


def test_another_account(guarded, owner, url, function):
    made = json.loads(guarded.rushlight("iam", "create-account", OTHER, "--json").stdout)
    root = (made["AccessKeyId"], made["SecretAccessKey"])
    forbidden(signed(url, root))
    let_in(owner, function, "AWS_IAM", principal=OTHER)
    event = signed(url, root).json()["event"]
    assert event["requestContext"]["accountId"] == ACCOUNT
    assert event["requestContext"]["authorizer"]["iam"]["accountId"] == OTHER
    # Its users need the permission of both accounts.
    eve = User(guarded, guarded.client("iam", credentials=root), unique("eve"))
    forbidden(signed(url, eve.key))
    eve.may(statement([f"lambda:{action}" for action in ACTIONS], arn(function)))
    assert signed(url, eve.key).json()["event"]["requestContext"]["authorizer"]["iam"]["userArn"] == eve.arn


def test_preflight_requests_are_not_signed(guarded, owner, function):
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["authorization"]}
    url = make_url(guarded, owner, function, "AWS_IAM", Cors=cors)
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "GET"}
    answer = url("OPTIONS", headers=asked)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://example.com")
    # Everything else is; and a page may see why it is refused.
    refused = url(headers={"Origin": "https://example.com"})
    forbidden(refused)
    assert refused.headers["Access-Control-Allow-Origin"] == "https://example.com"
    forbidden(url("OPTIONS", headers={"Origin": "https://example.com"}))


def test_permissive(permissive, deployer):
    """No signature is verified and no permission asked for."""
    name = deployer(permissive)(PACKAGE)
    client = permissive.client(credentials=(ACCOUNT, "x"))
    url = make_url(permissive, client, name)
    assert url.event()["requestContext"]["accountId"] == "anonymous"
    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert url.event()["requestContext"]["authorizer"]["iam"]["accessKey"] is None
    signer = signed(url, ("222233334444", "whatever")).json()["event"]["requestContext"]["authorizer"]["iam"]
    assert (signer["accessKey"], signer["accountId"]) == ("222233334444", "222233334444")
    unknown(Url(permissive, f"http://{'0' * 32}.lambda-url.{REGION}.localhost/")())
