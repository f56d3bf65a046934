"""Settings of function URLs: whole answers, every refusal, every limit, pages, restarts."""

import re

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, arn, unique

PACKAGE = packages.python("def handler(event, context): return 1\n")
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["content-type", "x-custom"],
    "AllowMethods": ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"],
    "AllowOrigins": ["https://example.com", "*"],
    "ExposeHeaders": ["date"],
    "MaxAge": 86400,
}


@pytest.fixture
def function(deploy, client):
    """A function with version 1 and alias live."""
    name = deploy(PACKAGE, name=unique("url"))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_life_of_a_url(recorded, golden, function):
    client, recorder = recorded

    def check(step):
        golden.check(f"url-{step}", recorder.answer(), {function: "<name>"})

    created = client.create_function_url_config(FunctionName=function, AuthType="NONE")
    check("create")
    client.get_function_url_config(FunctionName=function)
    check("get")
    client.create_function_url_config(FunctionName=function, Qualifier="live", AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM", Cors=CORS)
    check("create-everything")
    client.get_function_url_config(FunctionName=f"{function}:live")
    check("get-everything")
    client.list_function_url_configs(FunctionName=arn(function))
    check("list")
    updated = client.update_function_url_config(FunctionName=function, AuthType="AWS_IAM")
    check("update")
    assert (updated["FunctionUrl"], updated["CreationTime"]) == (created["FunctionUrl"], created["CreationTime"])
    assert updated["LastModifiedTime"] > created["CreationTime"]
    client.update_function_url_config(FunctionName=function, InvokeMode="BUFFERED", Cors={"AllowOrigins": ["*"]})
    check("update-cors")
    client.get_function_url_config(FunctionName=function)
    check("get-cors")
    client.update_function_url_config(FunctionName=arn(f"{function}:live"), Qualifier="live", Cors={})
    check("update-without-cors")
    client.delete_function_url_config(FunctionName=function)
    check("delete")
    client.delete_function_url_config(FunctionName=function, Qualifier="live")
    check("delete")
    client.list_function_url_configs(FunctionName=function)
    check("list-empty")
    assert client.create_function_url_config(FunctionName=function, AuthType="NONE")["FunctionUrl"] != created["FunctionUrl"]


def test_what_is_refused(recorded, golden, deploy, function):
    client, recorder = recorded
    create, update = client.create_function_url_config, client.update_function_url_config
    get, delete, listed = client.get_function_url_config, client.delete_function_url_config, client.list_function_url_configs

    def refused(step, call, name=function, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            call(FunctionName=name, **arguments)
        golden.check(f"url-refused-{step}", recorder.answer(), {function: "<name>"})

    for call, missing, arguments in (
        (create, "no-function", {"AuthType": "NONE"}),
        (update, "no-function", {"AuthType": "AWS_IAM"}),
        (get, "none", {}),
        (delete, "none", {}),
    ):
        refused(missing, call, name="nobody", **arguments)
        refused(missing, call, name=arn("nobody"), **arguments)
        refused(missing, call, Qualifier="nobody", **arguments)
        refused("version", call, name="nobody", Qualifier="1", **arguments)
        refused("version", call, Qualifier="1", **arguments)
        refused("latest", call, Qualifier="$LATEST", **arguments)
        refused("qualifiers", call, name=f"{function}:live", Qualifier="other", **arguments)
        refused("name-version", call, name=f"{function}:1", **arguments)
        refused("name-latest", call, name=f"{function}:$LATEST", **arguments)
        refused("other-region", call, name=arn(function).replace(REGION, "eu-west-1"), **arguments)
        refused("other-account", call, name=arn(function).replace(ACCOUNT, "999999999999"), **arguments)
    for call in (get, delete, update):
        refused("none", call)
        refused("none", call, Qualifier="live")
    refused("no-function", listed, name="nobody")
    refused("list-qualified", listed, name=f"{function}:live")
    refused("list-marker", listed, Marker="nonsense")
    refused("no-auth-type", create)
    refused("auth-type", create, AuthType="BASIC")
    refused("invoke-mode", create, AuthType="NONE", InvokeMode="STREAM")
    for qualifier in (None, "live"):
        arguments = {"Qualifier": qualifier} if qualifier else {}
        create(FunctionName=function, AuthType="NONE", **arguments)
        refused(f"exists-{qualifier or 'function'}", create, AuthType="AWS_IAM", **arguments)
        assert get(FunctionName=function, **arguments)["AuthType"] == "NONE"
    refused("update-auth-type", update, AuthType="BASIC")
    isolated = deploy(PACKAGE, name=unique("tenants"), TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    refused("tenants", create, name=isolated, AuthType="NONE")


@pytest.mark.parametrize(
    ("member", "most", "too_much"),
    [
        ("AllowHeaders", ["h"] * 100, ["h"] * 101),
        ("AllowHeaders", ["h" * 1024], ["h" * 1025]),
        ("AllowMethods", ["GET"] * 6, ["GET"] * 7),
        ("AllowMethods", ["DELETE"], ["OPTIONS"]),
        ("AllowOrigins", ["https://example.com"] * 100, ["https://example.com"] * 101),
        ("AllowOrigins", ["o" * 253], ["o" * 254]),
        ("AllowOrigins", ["o"], [""]),
        ("ExposeHeaders", ["h"] * 100, ["h"] * 101),
        ("MaxAge", 86400, 86401),
        ("MaxAge", 0, -1),
        ("AllowCredentials", False, "maybe"),
    ],
)
def test_limits_of_cors(recorded, function, member, most, too_much):
    client, _ = recorded
    created = client.create_function_url_config(FunctionName=function, AuthType="NONE", Cors={member: most})
    assert created["Cors"] == {member: most}
    assert client.update_function_url_config(FunctionName=function, Cors={member: most})["Cors"] == {member: most}
    for call in (client.create_function_url_config, client.update_function_url_config):
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            call(FunctionName=function, AuthType="NONE", Cors={member: too_much})
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        code = "SerializationException" if member == "AllowCredentials" else "ValidationException"
        assert raised.value.response["Error"]["Code"] == code
    assert client.get_function_url_config(FunctionName=function)["Cors"] == {member: most}
    client.delete_function_url_config(FunctionName=function)


def test_pages(client, function):
    client.create_function_url_config(FunctionName=function, AuthType="NONE")
    for number in range(50):
        client.create_alias(FunctionName=function, Name=f"a{number:02}", FunctionVersion="1")
        client.create_function_url_config(FunctionName=function, Qualifier=f"a{number:02}", AuthType="NONE")
    expected = [arn(function), *(arn(f"{function}:a{number:02}") for number in range(50))]
    paginator = client.get_paginator("list_function_url_configs")
    for size, pages in ((None, 2), (50, 2), (17, 3), (1, 51)):
        config = {"PageSize": size} if size else {}
        listed = [page["FunctionUrlConfigs"] for page in paginator.paginate(FunctionName=function, PaginationConfig=config)]
        assert [len(page) for page in listed][:-1] == [size or 50] * (pages - 1)
        assert [url["FunctionArn"] for page in listed for url in page] == expected
    assert len({url["FunctionUrl"] for page in listed for url in page}) == 51


def test_urls_go_with_their_alias(client, function):
    for qualifier in ({}, {"Qualifier": "live"}):
        client.create_function_url_config(FunctionName=function, AuthType="NONE", **qualifier)
    client.delete_alias(FunctionName=function, Name="live")
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    urls = client.list_function_url_configs(FunctionName=function)["FunctionUrlConfigs"]
    assert [url["FunctionArn"] for url in urls] == [arn(function)]


def test_urls_outlive_the_server_and_follow_the_port(serve, deployer):
    instance = serve("--isolation", "none")
    name = deployer(instance)(PACKAGE)
    created = instance.client().create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    identifier = re.fullmatch(rf"http://([a-z0-9]{{32}})\.lambda-url\.{REGION}\.localhost:{instance.port}/", created)[1]
    instance.kill()
    instance.start()
    kept = instance.client().get_function_url_config(FunctionName=name)["FunctionUrl"]
    assert kept == f"http://{identifier}.lambda-url.{REGION}.localhost:{instance.port}/"


def test_a_domain_of_ones_own(serve, deployer):
    instance = serve("--isolation", "none", "--url-domain", "Functions.Example.com")
    name = deployer(instance)(PACKAGE)
    url = instance.client().create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert re.fullmatch(rf"https://[a-z0-9]{{32}}\.lambda-url\.{REGION}\.functions\.example\.com/", url)


def test_aws_own_command_line(server, function):
    server.aws("lambda", "create-function-url-config", "--function-name", function, "--auth-type", "NONE", "--cors", "AllowOrigins=*,MaxAge=5")
    shown = server.aws("lambda", "get-function-url-config", "--function-name", function, "--query", "[AuthType,InvokeMode,Cors.MaxAge]", "--output", "text")
    assert shown.stdout.split() == ["NONE", "BUFFERED", "5"]
