"""The check that every other test runs under finds what it is there to find."""

import json
from types import SimpleNamespace

import pytest

import conformance
import constraints

ID = "11111111-2222-4333-8444-555555555555"
ALIAS = {"AliasArn": "arn", "Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}}


def found(operation, status, body, service="lambda", **headers):
    headers = {"x-amzn-RequestId": ID, "Content-Type": conformance.CONTENT_TYPES["json" if service == "logs" else "rest-json"]} | headers
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = SimpleNamespace(status_code=status, headers=headers, content=content)
    return list(conformance.problems(constraints.model(service).operation_model(operation), answer))


def refused(operation, status, code, body):
    return found(operation, status, body, **{"x-amzn-ErrorType": code})


def test_good_answers():
    assert found("GetAlias", 200, ALIAS) == []
    assert found("DeleteFunction", 204, b"") == []
    assert found("DescribeLogGroups", 200, {"logGroups": [{"logGroupName": "a", "creationTime": 1}]}, service="logs") == []
    assert refused("GetAlias", 404, "ResourceNotFoundException", {"Type": "User", "Message": "m"}) == []
    assert refused("GetAlias", 400, "ValidationException", {"message": "m"}) == []
    assert refused("GetAlias", 403, "AccessDeniedException", {"Message": None}) == []
    not_found = {"__type": "ResourceNotFoundException", "message": "m"}
    assert found("GetLogEvents", 400, not_found, service="logs") == []


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"Alias": 1}, "body has a member Alias that AliasConfiguration lacks"),
        ({"Name": 1}, "body.Name is no string: 1"),
        ({"RoutingConfig": []}, "body.RoutingConfig is no structure: []"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": "0.5"}}}, "body.RoutingConfig.AdditionalVersionWeights.2 is no double: '0.5'"),
    ],
)
def test_members_and_types(change, problem):
    assert found("GetAlias", 200, ALIAS | change) == [problem]


def test_values_times_and_required_members():
    assert found("GetFunctionConfiguration", 200, {"State": "Gone"}) == ["body.State is 'Gone', which State does not know"]
    mapping = {"UUID": ID, "LastModified": "2026-01-01T00:00:00Z"}
    assert found("GetEventSourceMapping", 200, mapping) == ["body.LastModified is no timestamp: '2026-01-01T00:00:00Z'"]
    assert found("GetEventSourceMapping", 200, mapping | {"LastModified": 1.5}) == []
    (problem,) = found("GetFunctionRecursionConfig", 200, {"RecursiveLoop": True})
    assert problem == "body.RecursiveLoop is no string: True"
    (problem,) = found("GetFunctionCodeSigningConfig", 200, {"CodeSigningConfigArn": None, "FunctionName": "f"})
    assert problem == "body.CodeSigningConfigArn is null"
    problems = found("ListFunctionUrlConfigs", 200, {})
    assert problems == ["body lacks FunctionUrlConfigs, which ListFunctionUrlConfigsResponse must have"]


def test_statuses_bodies_and_headers():
    assert found("CreateAlias", 200, ALIAS) == ["the status is not {201}"]
    assert found("DeleteAlias", 204, b"{}") == ["there is a body: b'{}'"]
    assert found("GetAlias", 200, b"alias") == ["the body is not JSON: b'alias'"]
    assert found("GetAlias", 200, ALIAS, **{"x-amzn-RequestId": "1"}) == ["x-amzn-RequestId is '1'"]
    assert found("GetAlias", 200, ALIAS, **{"Content-Type": "text/plain"}) == ["Content-Type is 'text/plain'"]


@pytest.mark.parametrize(
    "status, code, body, problem",
    [
        (400, "ResourceNotFoundException", {"Type": "User", "Message": "m"}, "the status of ResourceNotFoundException is not 404"),
        (404, "ResourceNotFoundException", {"Message": "m"}, "Type of ResourceNotFoundException is not User: {'Message': 'm'}"),
        (500, "ServiceException", {"Type": "Service", "Message": "m", "Why": "w"}, "ServiceException has no member {'Why'}"),
        (403, "ValidationException", {"message": "m"}, "the status of ValidationException is not 400"),
        (400, "ValidationException", {"Message": "m"}, "the body of ValidationException has not just message: {'Message': 'm'}"),
        (400, "StrangeException", {}, "StrangeException is known neither to the model nor in front of it: {}"),
        (400, "", {}, "no exception is named: {}"),
    ],
)
def test_errors(status, code, body, problem):
    assert refused("GetAlias", status, code, body) == [problem]


def test_spelling_and_lists_of_exceptions():
    problems = refused("GetAlias", 404, "ResourceNotFoundException", {"Type": "User", "message": "m"})
    assert "ResourceNotFoundException has no Message: {'Type': 'User', 'message': 'm'}" in problems
    (problem,) = refused("GetAlias", 409, "ResourceConflictException", {"Type": "User", "message": "m"})
    assert problem.startswith("ResourceConflictException is not listed for the operation")
    limit = {"message": "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."}
    assert refused("PutFunctionConcurrency", 400, "InvalidParameterValueException", limit) == []


IAM = "https://iam.amazonaws.com/doc/2010-05-08/"
USER = "<Path>/</Path><UserName>a</UserName><UserId>AIDA</UserId><Arn>arn</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
LIST = f"<Users><member>{USER}</member></Users><IsTruncated>false</IsTruncated>"


def found_in_xml(operation, status, body, request_id=ID, content_type="text/xml"):
    ending = f"<RequestId>{request_id}</RequestId>"
    if status == 200:
        text = f"<{operation}Response xmlns='{IAM}'>{body}<ResponseMetadata>{ending}</ResponseMetadata></{operation}Response>"
    else:
        text = f"<ErrorResponse xmlns='{IAM}'>{body}{ending}</ErrorResponse>"
    return found(operation, status, text.encode(), service="iam", **{"Content-Type": content_type})


def result(operation, members):
    return found_in_xml(operation, 200, f"<{operation}Result>{members}</{operation}Result>")


def query_error(status, code, kind="Sender", message="<Message>m</Message>"):
    return found_in_xml("GetUser", status, f"<Error><Type>{kind}</Type><Code>{code}</Code>{message}</Error>")


def test_good_xml():
    assert result("GetUser", f"<User>{USER}</User>") == []
    assert result("ListUsers", LIST) == []
    assert result("ListUsers", "<Users/>") == []
    assert found_in_xml("DeleteUser", 200, "") == []
    for status, code in [(404, "NoSuchEntity"), (403, "AccessDenied"), (403, "InvalidClientTokenId"), (400, "ValidationError")]:
        assert query_error(status, code) == []
    assert query_error(500, "ServiceFailure", "Receiver") == []


@pytest.mark.parametrize(
    "operation, members, problem",
    [
        ("GetUser", f"<User>{USER}<Age>1</Age></User>", "body.User has a member Age that User lacks"),
        ("GetUser", f"<User>{USER}<Path xmlns='other'>/</Path></User>", "body.User has a member {other}Path that User lacks"),
        ("GetUser", "<User/>", "body.User lacks Path, which User must have"),
        ("GetUser", "", "body lacks User, which GetUserResponse must have"),
        ("GetUser", "<User>a</User>", "body.User is no structure: 'a'"),
        ("GetUser", f"<User>{USER.replace('Z<', '<')}</User>", "body.User.CreateDate is no timestamp: '2026-01-01T00:00:00'"),
        ("GetUser", f"<User>{USER}</User><User/>", "body is no structure: "),
        ("GetUser", f"<User>{USER.replace('arn', '<b>arn</b>')}</User>", "body.User.Arn is no string: {'b': 'arn'}"),
        ("ListUsers", LIST.replace("false", "no"), "body.IsTruncated is no boolean: 'no'"),
        ("ListUsers", LIST.replace("member", "entry"), "body.Users is no list: "),
        ("ListAccessKeys", "<AccessKeyMetadata><member><Status>On</Status></member></AccessKeyMetadata>", "body.AccessKeyMetadata[0].Status is 'On', which statusType does not know"),
        ("GetRole", f"<Role>{USER.replace('User', 'Role')}<MaxSessionDuration>1h</MaxSessionDuration></Role>", "body.Role.MaxSessionDuration is no integer: '1h'"),
    ],
)
def test_members_and_types_in_xml(operation, members, problem):
    assert result(operation, members)[0].startswith(problem)


def test_what_is_around_xml():
    assert found_in_xml("GetUser", 200, "") == ["GetUserResponse has ['ResponseMetadata'], not ['GetUserResult', 'ResponseMetadata']"]
    assert found_in_xml("DeleteUser", 200, "<DeleteUserResult/>")[0].endswith("not ['ResponseMetadata']")
    assert found_in_xml("DeleteUser", 200, "", request_id="1") == ["the RequestId is '1'"]
    assert found_in_xml("DeleteUser", 200, "", content_type="application/xml") == ["Content-Type is 'application/xml'"]
    assert found("DeleteUser", 200, b"<a>", service="iam", **{"Content-Type": "text/xml"}) == ["the body is not XML: b'<a>'"]


@pytest.mark.parametrize(
    "problem, given",
    [
        ("the status of NoSuchEntity is not 404", (400, "NoSuchEntity")),
        ("the status of AccessDenied is not 403", (400, "AccessDenied")),
        ("Type of NoSuchEntity is Receiver", (404, "NoSuchEntity", "Receiver")),
        ("NoSuchEntity has no message", (404, "NoSuchEntity", "Sender", "<Message/>")),
        ("ErrorResponse has no Error of Type, Code and Message", (404, "NoSuchEntity", "Sender", "")),
        ("DeleteConflict is not listed for the operation: m", (409, "DeleteConflict")),
        ("NoSuchEntityException is known neither to the model nor in front of it: m", (404, "NoSuchEntityException")),
    ],
)
def test_errors_in_xml(problem, given):
    (found,) = query_error(*given)
    assert found.startswith(problem)


def test_clients_are_watched(server, monkeypatch):
    monkeypatch.setitem(conformance.STATUSES, "GetAccountSettings", {201})
    server.client().get_account_settings()
    assert conformance.take_findings() == ["GetAccountSettings (200): the status is not {201}"]
    monkeypatch.setitem(conformance.CONTENT_TYPES, "query", "text/html")
    server.client("sts").get_caller_identity()
    assert conformance.take_findings() == ["GetCallerIdentity (200): Content-Type is 'text/xml'"]
