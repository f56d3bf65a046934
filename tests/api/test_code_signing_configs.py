"""Code signing configurations: whole answers, who has them, what they say to deployments."""

import re

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import ACCOUNT, REGION, ROLE, unique

PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/test"
PUBLISHERS = {"SigningProfileVersionArns": [PROFILE]}
ENFORCE = {"UntrustedArtifactOnDeployment": "Enforce"}
WARN = {"UntrustedArtifactOnDeployment": "Warn"}
UNKNOWN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"


@pytest.fixture
def make(server):
    """Makes configurations, and removes them and what has them again."""
    client = server.client()
    made = []

    def create(**settings):
        config = client.create_code_signing_config(AllowedPublishers=PUBLISHERS, **settings)["CodeSigningConfig"]
        made.append(config["CodeSigningConfigArn"])
        return config["CodeSigningConfigArn"]

    yield create
    for arn in made:
        for function in client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]:
            client.delete_function_code_signing_config(FunctionName=function)
        client.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_life_of_a_configuration(recorded, golden, deploy):
    client, recorder = recorded
    name = deploy(packages.python("def handler(event, context): return 1\n"), name=unique("signed"))
    replacements = {name: "<name>"}

    def check(step):
        golden.check(f"code-signing-{step}", recorder.answer(), replacements)

    created = client.create_code_signing_config(
        Description="Testing CodeSigning Config", AllowedPublishers=PUBLISHERS, CodeSigningPolicies=ENFORCE
    )["CodeSigningConfig"]
    identifier, arn = created["CodeSigningConfigId"], created["CodeSigningConfigArn"]
    assert re.fullmatch(r"csc-[a-z0-9]{17}", identifier)
    replacements[identifier] = "<csc>"
    check("create")
    client.update_code_signing_config(CodeSigningConfigArn=arn, CodeSigningPolicies=WARN)
    check("update")
    client.update_code_signing_config(CodeSigningConfigArn=arn)
    check("update-nothing")
    client.get_code_signing_config(CodeSigningConfigArn=arn)
    check("get")
    client.get_function_code_signing_config(FunctionName=name)
    check("function-get-none")
    client.delete_function_code_signing_config(FunctionName=name)
    check("function-delete-none")
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=arn)
    check("function-put")
    client.get_function_code_signing_config(FunctionName=name)
    check("function-get")
    listed = client.list_code_signing_configs()["CodeSigningConfigs"]
    assert arn in [config["CodeSigningConfigArn"] for config in listed]
    client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)
    check("functions")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_code_signing_config(CodeSigningConfigArn=arn)
    check("delete-in-use")
    client.delete_function_code_signing_config(FunctionName=name)
    check("function-delete")
    client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)
    check("functions-none")
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    check("delete")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_code_signing_config(CodeSigningConfigArn=arn)
    check("get-deleted")


def test_the_least_that_a_configuration_needs(recorded, golden):
    client, recorder = recorded
    created = client.create_code_signing_config(AllowedPublishers=PUBLISHERS)["CodeSigningConfig"]
    golden.check("code-signing-minimal", recorder.answer(), {created["CodeSigningConfigId"]: "<csc>"})
    client.delete_code_signing_config(CodeSigningConfigArn=created["CodeSigningConfigArn"])


@pytest.mark.parametrize(
    "operation, step",
    [
        (lambda client: client.get_code_signing_config(CodeSigningConfigArn=UNKNOWN), "missing"),
        (lambda client: client.update_code_signing_config(CodeSigningConfigArn=UNKNOWN), "missing"),
        (lambda client: client.delete_code_signing_config(CodeSigningConfigArn=UNKNOWN), "missing"),
        (lambda client: client.list_functions_by_code_signing_config(CodeSigningConfigArn=UNKNOWN), "missing"),
        (
            lambda client: client.put_function_code_signing_config(FunctionName="nobody", CodeSigningConfigArn=UNKNOWN),
            "not-configured",
        ),
        (lambda client: client.get_function_code_signing_config(FunctionName="nobody"), "no-function"),
        (lambda client: client.delete_function_code_signing_config(FunctionName="nobody"), "no-function"),
    ],
)
def test_what_is_not_there(recorded, golden, operation, step):
    client, recorder = recorded
    with pytest.raises(botocore.exceptions.ClientError):
        operation(client)
    golden.check(f"code-signing-{step}", recorder.answer())


def test_put_for_a_function_that_is_not_there(recorded, golden, make):
    client, recorder = recorded
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_function_code_signing_config(FunctionName="nobody", CodeSigningConfigArn=make())
    golden.check("code-signing-no-function", recorder.answer())


def test_enforce_refuses_unsigned_code_and_warn_does_not(recorded, golden, deploy, make, python_runtime):
    client, recorder = recorded
    warn, enforce = make(), make(CodeSigningPolicies=ENFORCE)
    name = unique("unsigned")

    def check(step):
        golden.check(f"code-signing-{step}", recorder.answer(), {name: "<name>"})

    package = packages.python("def handler(event, context): return 1\n")
    settings = dict(FunctionName=name, Runtime=python_runtime, Role=ROLE, Handler="index.handler", Code={"ZipFile": package})
    with pytest.raises(client.exceptions.CodeVerificationFailedException):
        client.create_function(**settings, CodeSigningConfigArn=enforce)
    check("refused")
    with pytest.raises(client.exceptions.CodeSigningConfigNotFoundException):
        client.create_function(**settings, CodeSigningConfigArn=UNKNOWN)
    check("not-configured")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)
    deploy(package, name=name, CodeSigningConfigArn=warn)
    assert client.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == warn
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=enforce)
    for dry_run in (False, True):
        with pytest.raises(client.exceptions.CodeVerificationFailedException):
            client.update_function_code(FunctionName=name, ZipFile=package, DryRun=dry_run)
        check("refused")
    # What is deployed goes on, and so does all that is not a deployment.
    assert client.invoke(FunctionName=name)["StatusCode"] == 200
    client.update_function_configuration(FunctionName=name, Description="new")
    deploy.wait(name)
    client.delete_function_code_signing_config(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=package)
    deploy.wait(name)


def test_a_warning_is_in_the_log(server, deploy, make):
    arn = make()
    name = deploy(packages.python("def handler(event, context): return 1\n"), CodeSigningConfigArn=arn)
    noted = [line for line in server.log.read_text().splitlines() if "code_signing.untrusted" in line]
    assert any(name in line and arn in line for line in noted), noted


def test_lists_in_pages(client, deploy, make):
    arn = make()
    package = packages.python("def handler(event, context): return 1\n")
    names = sorted(unique(f"paged-{number}") for number in range(3))
    for name in names:
        deploy(package, name=name, wait=False, CodeSigningConfigArn=arn)
    pages = client.get_paginator("list_functions_by_code_signing_config").paginate(
        CodeSigningConfigArn=arn, PaginationConfig={"PageSize": 2}
    )
    found = [page["FunctionArns"] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert [function.rsplit(":", 1)[1] for page in found for function in page] == names
    for name in names:
        client.delete_function(FunctionName=name)
    arns = sorted([arn, make(), make()])
    pages = client.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 2})
    found = [config["CodeSigningConfigArn"] for page in pages for config in page["CodeSigningConfigs"]]
    assert sorted(found) == found and set(arns) <= set(found)
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.list_code_signing_configs(Marker="x")


def test_limits_of_the_parameters(unchecked, golden):
    recorder = Recorder(unchecked)

    def refused(step, **settings):
        with pytest.raises(botocore.exceptions.ClientError):
            unchecked.create_code_signing_config(**settings)
        golden.check(f"code-signing-invalid-{step}", recorder.answer())

    refused("publishers", AllowedPublishers={"SigningProfileVersionArns": []})
    refused("many-publishers", AllowedPublishers={"SigningProfileVersionArns": [PROFILE] * 21})
    refused("no-publishers")
    refused("policy", AllowedPublishers=PUBLISHERS, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Block"})
    refused("description", AllowedPublishers=PUBLISHERS, Description="x" * 257)
    most = unchecked.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [f"{PROFILE}/{number}" for number in range(20)]},
        Description="x" * 256,
    )["CodeSigningConfig"]
    assert len(most["AllowedPublishers"]["SigningProfileVersionArns"]) == 20
    unchecked.delete_code_signing_config(CodeSigningConfigArn=most["CodeSigningConfigArn"])


def test_configurations_survive_a_crash(serve, deployer):
    server = serve("--isolation", "none")
    client = server.client()
    created = client.create_code_signing_config(AllowedPublishers=PUBLISHERS)["CodeSigningConfig"]
    arn = created["CodeSigningConfigArn"]
    name = deployer(server)(packages.bootstrap("#!/bin/sh\n"), runtime="provided.al2023", CodeSigningConfigArn=arn)
    server.kill()
    client = server.start().client()
    assert client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == created
    functions = client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert [function.rsplit(":", 1)[1] for function in functions] == [name]
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_code_signing_config(CodeSigningConfigArn=arn)
    client.delete_function(FunctionName=name)
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    server.stop()
