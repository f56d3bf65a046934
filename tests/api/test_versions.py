"""Versions and aliases: whole answers, which version a request reaches, what is refused."""

import collections
import json

import pytest

import packages
from golden import Recorder
from server import ACCOUNT, arn, refused, unique

TELL = "import os\ndef handler(event, context):\n    return ['{}', os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.function_version, context.invoked_function_arn]\n"


def told(answer):
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


@pytest.fixture
def two(deploy, client):
    """A function with two published versions that tell which one they are."""
    name = deploy(packages.python(TELL.format("one")))
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=packages.python(TELL.format("two")))
    deploy.wait(name)
    client.publish_version(FunctionName=name)
    return name


def test_life_of_a_version(server, golden, deploy, python_runtime):
    client = server.client()
    recorder = Recorder(client)
    name = deploy(packages.python(TELL.format("one")), client=client, Environment={"Variables": {"STAGE": "one"}})
    replacements = {name: "<name>", python_runtime: "<runtime>"}

    def check(step):
        golden.check(f"version-{step}", recorder.answer(), replacements)

    latest = client.get_function_configuration(FunctionName=name)
    first = client.publish_version(FunctionName=name, Description="First", RevisionId=latest["RevisionId"], CodeSha256=latest["CodeSha256"])
    check("publish")
    assert client.publish_version(FunctionName=name)["RevisionId"] == first["RevisionId"]
    check("publish-unchanged")
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"STAGE": "two"}})
    deploy.wait(name)
    client.get_function(FunctionName=name, Qualifier="1")
    check("get")
    client.get_function_configuration(FunctionName=f"{name}:1")
    check("get-configuration")
    client.publish_version(FunctionName=arn(name))
    client.list_versions_by_function(FunctionName=name)
    check("list")
    client.delete_function(FunctionName=name, Qualifier="1")
    check("delete")
    refused(client.get_function, "ResourceNotFoundException", f"Function not found: {arn(name, 1)}", FunctionName=name, Qualifier="1")
    check("get-deleted")
    assert [version["Version"] for version in client.list_versions_by_function(FunctionName=name)["Versions"]] == ["$LATEST", "2"]


def test_creation_and_update_publish(server, golden, deploy, python_runtime):
    client = server.client()
    recorder = Recorder(client)
    name = deploy(packages.python(TELL.format("one")), client=client, wait=False, Publish=True)
    replacements = {name: "<name>", python_runtime: "<runtime>"}
    golden.check("version-create-published", recorder.answer(), replacements)
    waiter = client.get_waiter("published_version_active")
    waiter.config.delay = 0.1
    waiter.wait(FunctionName=name, Qualifier="1")
    assert told(client.invoke(FunctionName=name, Qualifier="1"))[:2] == ["one", "1"]
    client.update_function_code(FunctionName=name, ZipFile=packages.python(TELL.format("two")), Publish=True)
    golden.check("version-update-published", recorder.answer(), replacements)
    waiter.wait(FunctionName=name, Qualifier="2")
    assert told(client.invoke(FunctionName=name, Qualifier="2"))[:2] == ["two", "2"]


def test_life_of_an_alias(server, golden, two):
    client = server.client()
    recorder = Recorder(client)

    def check(step):
        golden.check(f"alias-{step}", recorder.answer(), {two: "<name>"})

    client.create_alias(FunctionName=two, Name="live", FunctionVersion="1", Description="what runs", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
    check("create")
    client.get_alias(FunctionName=two, Name="live")
    check("get")
    client.create_alias(FunctionName=two, Name="edge", FunctionVersion="$LATEST")
    check("create-latest")
    client.list_aliases(FunctionName=two)
    check("list")
    client.list_aliases(FunctionName=two, FunctionVersion="2")
    check("list-of-version")
    answer = client.update_alias(FunctionName=two, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    check("update")
    client.update_alias(FunctionName=two, Name="live", FunctionVersion="2", Description="", RevisionId=answer["RevisionId"])
    check("update-guarded")
    client.get_function_configuration(FunctionName=two, Qualifier="live")
    client.delete_alias(FunctionName=two, Name="live")
    check("delete")
    client.delete_alias(FunctionName=two, Name="live")
    check("delete")


def test_a_request_reaches_the_version_that_it_names(two, client):
    client.create_alias(FunctionName=two, Name="live", FunctionVersion="1")
    for arguments, text, version in (
        ({"FunctionName": two}, "two", "$LATEST"),
        ({"FunctionName": two, "Qualifier": "$LATEST"}, "two", "$LATEST"),
        ({"FunctionName": two, "Qualifier": "1"}, "one", "1"),
        ({"FunctionName": f"{two}:2"}, "two", "2"),
        ({"FunctionName": arn(two, "live")}, "one", "1"),
        ({"FunctionName": arn(two, "live"), "Qualifier": "live"}, "one", "1"),
        ({"FunctionName": f"{ACCOUNT}:function:{two}:live"}, "one", "1"),
    ):
        answer = client.invoke(**arguments)
        qualifier = arguments.get("Qualifier") or next((end for end in ("live", "2") if arguments["FunctionName"].endswith(f":{end}")), None)
        assert told(answer) == [text, version, version, arn(two, qualifier)]
        assert answer["ExecutedVersion"] == version
    client.update_alias(FunctionName=two, Name="live", FunctionVersion="2")
    assert told(client.invoke(FunctionName=two, Qualifier="live"))[0] == "two"


def test_an_alias_shares_requests_by_weight(two, client):
    client.create_alias(FunctionName=two, Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    counts = collections.Counter()
    for _ in range(60):
        answer = client.invoke(FunctionName=two, Qualifier="live")
        payload = told(answer)
        assert payload[1] == answer["ExecutedVersion"]
        counts[answer["ExecutedVersion"]] += 1
    # One of 60 throws of a coin away from certainty: 2 to the -59th.
    assert set(counts) == {"1", "2"}
    for weight, version in ((0.0, "1"), (1.0, "2")):
        client.update_alias(FunctionName=two, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": weight}})
        assert {client.invoke(FunctionName=two, Qualifier="live")["ExecutedVersion"] for _ in range(10)} == {version}


def test_versions_have_environments_of_their_own(deploy, client):
    """Memory of one version's processes is not seen by another's, and an update of $LATEST ends neither."""
    count = "runs = 0\ndef handler(event, context):\n    global runs\n    runs += 1\n    return runs\n"
    name = deploy(packages.python(count))
    client.publish_version(FunctionName=name)
    assert [told(client.invoke(FunctionName=name, Qualifier=qualifier)) for qualifier in ("1", "1", "$LATEST", "1")] == [1, 2, 1, 3]
    client.update_function_code(FunctionName=name, ZipFile=packages.python(count + "# changed\n"))
    deploy.wait(name)
    assert [told(client.invoke(FunctionName=name, Qualifier=qualifier)) for qualifier in ("1", "$LATEST")] == [4, 1]


def test_versions_are_there_and_run_after_kill(serve, deployer):
    instance = serve()
    deploy = deployer(instance)
    name = deploy(packages.python(TELL.format("one")))
    deploy.client.publish_version(FunctionName=name)
    deploy.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    instance.kill()
    instance.start()
    client = instance.client()
    assert told(client.invoke(FunctionName=name, Qualifier="live"))[:2] == ["one", "1"]
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    instance.stop()


def test_refusals(two, client, unchecked):
    missing = unique("missing")
    not_found = "ResourceNotFoundException"
    invalid = "InvalidParameterValueException"
    refused(client.publish_version, not_found, f"Function not found: {arn(missing)}", FunctionName=missing)
    sha = client.get_function_configuration(FunctionName=two)["CodeSha256"]
    refused(
        client.publish_version, invalid,
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({sha}). Please try again with the CodeSHA256 in $LATEST.",
        FunctionName=two, CodeSha256="other",
    )  # fmt: skip
    stale = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    other = "11111111-2222-3333-4444-555555555555"
    refused(client.publish_version, "PreconditionFailedException", stale, FunctionName=two, RevisionId=other)
    refused(client.list_versions_by_function, not_found, f"Function not found: {arn(missing)}", FunctionName=missing)
    refused(client.get_function, not_found, f"Function not found: {arn(two, 42)}", FunctionName=two, Qualifier="42")
    refused(client.get_function, not_found, f"Function not found: {arn(two, 'nope')}", FunctionName=two, Qualifier="nope")
    refused(client.invoke, not_found, f"Function not found: {arn(two, 'nope')}", FunctionName=two, Qualifier="nope")
    refused(client.invoke, not_found, f"Function not found: {arn(two, 42)}", FunctionName=two, Qualifier="42")
    mismatch = "The derived qualifier from the function name does not match the specified qualifier."
    refused(client.get_function, invalid, mismatch, FunctionName=f"{two}:1", Qualifier="2")
    refused(client.invoke, invalid, mismatch, FunctionName=f"{two}:1", Qualifier="2")

    create = dict(FunctionName=two, Name="new", FunctionVersion="1")
    refused(client.create_alias, not_found, f"Function not found: {arn(missing, 1)}", **create | {"FunctionName": missing})
    refused(client.create_alias, not_found, f"Function not found: {arn(two, 10)}", **create | {"FunctionVersion": "10"})

    def weights(**given):
        return {"RoutingConfig": {"AdditionalVersionWeights": given}}

    refused(client.create_alias, invalid, "Number of items in AdditionalVersionWeights cannot be greater than 1", **create, **weights(**{"1": 0.1, "2": 0.5}))
    refused(client.create_alias, invalid, "Invalid function version 1. Function version 1 is already included in routing configuration.", **create, **weights(**{"1": 0.5}))
    refused(client.create_alias, not_found, f"Function not found: {arn(two, 10)}", **create, **weights(**{"10": 0.5}))
    shared = refused(
        client.create_alias, invalid, "$LATEST is not supported for an alias pointing to more than 1 version",
        **create | {"FunctionVersion": "$LATEST"}, **weights(**{"2": 0.5}),
    )  # fmt: skip
    assert "Type" not in shared
    constraint = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"
    at = "'routingConfig.additionalVersionWeights' failed to satisfy constraint"
    for weight in (2.0, -1.0):
        refused(unchecked.create_alias, "ValidationException", f"1 validation error detected: Value '{{2={weight}}}' at {at}: {constraint}", **create, **weights(**{"2": weight}))
    keys = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"
    refused(unchecked.create_alias, "ValidationException", f"1 validation error detected: Value '{{$LATEST=0.5}}' at {at}: {keys}", **create, **weights(**{"$LATEST": 0.5}))

    client.create_alias(**create)
    refused(client.create_alias, "ResourceConflictException", f"Alias already exists: {arn(two, 'new')}", **create)
    refused(client.get_alias, not_found, f"Cannot find alias arn: {arn(two, 'nope')}", FunctionName=two, Name="nope")
    refused(client.update_alias, not_found, f"Alias not found: {arn(two, 'nope')}", FunctionName=two, Name="nope")
    refused(client.update_alias, "PreconditionFailedException", stale, FunctionName=two, Name="new", RevisionId=other)
    refused(client.delete_function, "ResourceConflictException", "Unable to delete version because the following aliases reference it: [new]", FunctionName=two, Qualifier="1")
    refused(client.delete_function, invalid, "Deletion of aliases is not currently supported.", FunctionName=two, Qualifier="new")


def test_paginators_see_all(two, client):
    for number in range(5):
        client.create_alias(FunctionName=two, Name=f"a{number}", FunctionVersion="1")
    versions = client.get_paginator("list_versions_by_function").paginate(FunctionName=two, PaginationConfig={"PageSize": 1})
    assert [version["Version"] for page in versions for version in page["Versions"]] == ["$LATEST", "1", "2"]
    aliases = client.get_paginator("list_aliases").paginate(FunctionName=two, PaginationConfig={"PageSize": 2})
    assert [alias["Name"] for page in aliases for alias in page["Aliases"]] == [f"a{number}" for number in range(5)]
    functions = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
    arns = [function["FunctionArn"] for page in functions for function in page["Functions"]]
    assert [found for found in arns if f":{two}:" in found] == [arn(two, "$LATEST"), arn(two, 1), arn(two, 2)]
