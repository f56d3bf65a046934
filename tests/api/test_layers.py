"""Layers: whole answers, numbers, pages, policies, and what is refused."""

import base64
import hashlib
import json
import threading
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, ROLE, unique, wait_until

STRANGER = "999999999999"


def arn(name, version=None):
    suffix = "" if version is None else f":{version}"
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}{suffix}"


def content(text="1"):
    return packages.package({"python/tools.py": f"NAME = {text!r}\n"})


def error(call, **arguments):
    """(status, code, message, members of the body) of a call that is refused."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**arguments)
    response = refusal.value.response
    members = sorted(set(response) - {"Error", "ResponseMetadata"})
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"], members


WITH_TYPE = ["Type", "message"]
NOT_FOUND_BODY = ["Message", "Type"]


@pytest.fixture
def layers(client):
    """Publishes versions and removes them again."""
    published = []

    def publish(name=None, text="1", client=client, **arguments):
        name = name or unique("layer")
        arguments.setdefault("Content", {"ZipFile": content(text)})
        version = client.publish_layer_version(LayerName=name, **arguments)
        published.append((client, name, version["Version"]))
        return version

    yield publish
    for client, name, version in published:
        client.delete_layer_version(LayerName=name, VersionNumber=version)


def name_of(version):
    return version["LayerArn"].rsplit(":", 1)[1]


EVERYTHING = dict(
    Description="All members – ünïcode",
    LicenseInfo="MIT",
    CompatibleArchitectures=["x86_64", "arm64"],
    CompatibleRuntimes=["python3.12", "nodejs22.x"],
)


@pytest.mark.parametrize("kind", ["minimal", "everything"])
def test_life_of_a_layer(recorded, golden, deploy, python_runtime, kind):
    client, recorder = recorded
    name, function = unique("life"), unique("uses")
    replacements = {name: "<name>", function: "<function>", python_runtime: "<runtime>"}

    def check(step):
        golden.check(f"layer-{kind}-{step}", recorder.answer(), replacements)

    settings = EVERYTHING if kind == "everything" else {}
    client.publish_layer_version(LayerName=name, Content={"ZipFile": content()}, **settings)
    check("publish")
    client.publish_layer_version(LayerName=arn(name), Content={"ZipFile": content()}, **settings)
    check("publish-second")
    client.get_layer_version(LayerName=name, VersionNumber=1)
    check("get")
    client.get_layer_version_by_arn(Arn=arn(name, 1))
    check("get")
    client.list_layer_versions(LayerName=name)
    check("list-versions")
    deploy(name=function, client=client, wait=False, Layers=[arn(name, 1)])
    check("create-function")
    deploy.wait(function)
    client.get_function(FunctionName=function)
    check("get-function")
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    check("delete")
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    check("delete")
    client.get_function(FunctionName=function)
    check("get-function")
    client.delete_layer_version(LayerName=name, VersionNumber=2)
    client.list_layer_versions(LayerName=name)
    check("list-nothing")
    client.update_function_configuration(FunctionName=function, Layers=[])
    check("update-function")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_layer_version(LayerName=name, VersionNumber=2)
    check("get-deleted")
    assert client.publish_layer_version(LayerName=name, Content={"ZipFile": content()})["Version"] == 3
    client.delete_layer_version(LayerName=name, VersionNumber=3)


def test_the_location_leads_to_the_same_bytes(layers):
    version = layers()
    shown = version["Content"]
    assert shown["CodeSize"] == len(content())
    assert shown["CodeSha256"] == base64.b64encode(hashlib.sha256(content()).digest()).decode()
    with urllib.request.urlopen(shown["Location"], timeout=30) as answer:
        assert answer.headers["content-type"] == "application/zip"
        assert answer.read() == content()
    for other in (shown["Location"].replace("X-Amz-Expires=600", "X-Amz-Expires=6000"), shown["Location"].split("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(other, timeout=30)
        assert refusal.value.code == 403


def test_what_does_not_exist(client, layers):
    name = name_of(layers())
    nothing = (404, "ResourceNotFoundException", "The resource you requested does not exist.", NOT_FOUND_BODY)
    below_one = (400, "InvalidParameterValueException", "Layer Version Cannot be less than 1", WITH_TYPE)
    assert error(client.get_layer_version, LayerName=unique("missing"), VersionNumber=1) == nothing
    assert error(client.get_layer_version, LayerName=name, VersionNumber=2) == nothing
    assert error(client.get_layer_version_by_arn, Arn=arn(name, 2)) == nothing
    assert error(client.get_layer_version_by_arn, Arn=arn(name, 1).replace(REGION, "eu-west-1")) == nothing
    for number in (0, -1):
        assert error(client.get_layer_version, LayerName=name, VersionNumber=number) == below_one
        assert error(client.delete_layer_version, LayerName=name, VersionNumber=number) == below_one
    assert client.list_layer_versions(LayerName=unique("missing"))["LayerVersions"] == []
    deleted = client.delete_layer_version(LayerName=unique("missing"), VersionNumber=1)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_constraints(unchecked, layers):
    name = name_of(layers())

    def violation(call, **arguments):
        status, code, message, members = error(call, **arguments)
        assert (status, code, members) == (400, "ValidationException", [])
        return message

    pattern = (
        "((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)"
        "|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))"
    )
    assert violation(unchecked.get_layer_version_by_arn, Arn=arn(name)) == (
        f"1 validation error detected: Value '{arn(name)}' at 'arn' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {pattern}"
    )
    assert violation(
        unchecked.add_layer_version_permission,
        LayerName=name,
        VersionNumber=1,
        StatementId="s",
        Action="*",
        Principal="*",
    ) == (
        "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: lambda:GetLayerVersion"
    )
    assert violation(unchecked.list_layers, CompatibleArchitecture="mips") == (
        "1 validation error detected: Value 'mips' at 'compatibleArchitecture' failed to satisfy constraint: "
        "Member must satisfy enum value set: [x86_64, arm64]"
    )
    for call, arguments in [(unchecked.list_layers, {}), (unchecked.list_layer_versions, {"LayerName": name})]:
        assert violation(call, CompatibleRuntime="unknown", **arguments).startswith(
            "1 validation error detected: Value 'unknown' at 'compatibleRuntime' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ruby3.5, ruby2.6, "
        )
    publish = {"LayerName": name, "Content": {"ZipFile": content()}}
    assert violation(unchecked.publish_layer_version, CompatibleRuntimes=["unknown", "python3.12"], **publish).startswith(
        "1 validation error detected: Value '[unknown, python3.12]' at 'compatibleRuntimes' failed to satisfy constraint: "
        "Member must satisfy enum value set: [nodejs20.x, "
    )
    assert violation(unchecked.publish_layer_version, CompatibleRuntimes=["python3.12"] * 16, **publish).endswith(
        "at 'compatibleRuntimes' failed to satisfy constraint: Member must have length less than or equal to 15"
    )
    assert violation(unchecked.publish_layer_version, LicenseInfo="x" * 513, **publish).endswith(
        "at 'licenseInfo' failed to satisfy constraint: Member must have length less than or equal to 512"
    )
    long = "l" * 141
    assert f"Value '{long}' at 'layerName'" in violation(unchecked.publish_layer_version, **publish | {"LayerName": long})
    layers("l" * 140, LicenseInfo="x" * 512, CompatibleRuntimes=["python3.12"] * 15, Description="d" * 256)


def test_hostile_archives(client):
    def refusal(zip_file):
        return error(client.publish_layer_version, LayerName="hostile", Content={"ZipFile": zip_file})

    unreadable = "Could not unzip uploaded file. Please check your file, then try to upload again."
    invalid = (400, "InvalidParameterValueException")
    assert refusal(b"not a zip") == (*invalid, unreadable, WITH_TYPE)
    assert refusal(content()[:-4]) == (*invalid, unreadable, WITH_TYPE)
    for name in ("../outside", "/etc/passwd", "python/../../outside"):
        assert refusal(packages.package({name: "x"})) == (*invalid, unreadable, WITH_TYPE)
    assert refusal(packages.package({})) == (*invalid, "Uploaded file must be a non-empty zip", WITH_TYPE)
    bomb = packages.package({"zeros": b"\0" * 262_144_001})
    assert refusal(bomb) == (*invalid, "Unzipped size must be smaller than 262144000 bytes", WITH_TYPE)
    too_large = "Zipped size must be smaller than 52428800 bytes"
    assert refusal(b"\0" * 52_428_801) == (413, "RequestEntityTooLargeException", too_large, [])
    assert client.list_layer_versions(LayerName="hostile")["LayerVersions"] == []


def test_pages_and_filters(server):
    # A region of its own, so that no other test's layers are listed.
    client = server.client(region="sa-east-1")
    publish = {"Content": {"ZipFile": content()}}
    for number in range(7):
        for runtime in ("python3.12", "nodejs22.x")[: 1 + number % 2]:
            client.publish_layer_version(
                LayerName=f"paged-{number}", CompatibleRuntimes=[runtime], CompatibleArchitectures=["x86_64"], **publish
            )
    try:

        def listed(**arguments):
            pages = list(client.get_paginator("list_layers").paginate(**arguments))
            shown = [
                (layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for page in pages for layer in page["Layers"]
            ]
            return shown, len(pages)

        everything = [(f"paged-{number}", 1 + number % 2) for number in range(7)]
        for size, pages in [(50, 1), (7, 1), (6, 2), (3, 3), (1, 7)]:
            assert listed(PaginationConfig={"PageSize": size}) == (everything, pages)
        assert listed(CompatibleRuntime="nodejs22.x")[0] == [(f"paged-{number}", 2) for number in (1, 3, 5)]
        assert listed(CompatibleRuntime="python3.12")[0] == [(f"paged-{number}", 1) for number in range(7)]
        assert listed(CompatibleArchitecture="x86_64")[0] == everything
        assert listed(CompatibleArchitecture="arm64")[0] == []
        versions = client.get_paginator("list_layer_versions")
        pages = list(versions.paginate(LayerName="paged-1", PaginationConfig={"PageSize": 1}))
        assert [version["Version"] for page in pages for version in page["LayerVersions"]] == [2, 1]
        assert len(pages) == 2
        first = client.list_layers(MaxItems=1)
        item = first["Layers"][0]
        assert set(item) == {"LayerName", "LayerArn", "LatestMatchingVersion"}
        assert item["LayerArn"] == f"arn:aws:lambda:sa-east-1:{ACCOUNT}:layer:paged-0"
        latest = item["LatestMatchingVersion"]
        assert set(latest) == {
            "LayerVersionArn", "Version", "Description", "CreatedDate", "CompatibleArchitectures", "CompatibleRuntimes",
        }  # fmt: skip
        assert error(client.list_layers, Marker="nonsense")[1] == "InvalidParameterValueException"
    finally:
        for number in range(7):
            for version in (1, 2):
                client.delete_layer_version(LayerName=f"paged-{number}", VersionNumber=version)
    assert client.list_layers()["Layers"] == []


def test_policies(recorded, golden, layers):
    client, recorder = recorded
    name = name_of(layers())
    replacements = {name: "<name>"}
    version = {"LayerName": name, "VersionNumber": 1}
    permission = version | {"StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}

    def check(step):
        golden.check(f"layer-policy-{step}", recorder.answer(), replacements)

    no_policy = (404, "ResourceNotFoundException", "No policy is associated with the given resource.", NOT_FOUND_BODY)
    assert error(client.get_layer_version_policy, **version) == no_policy
    check("none")
    assert error(client.remove_layer_version_permission, **version, StatementId="s1") == no_policy
    first = client.add_layer_version_permission(**permission)["RevisionId"]
    check("add-everybody")
    account = permission | {"StatementId": "s2", "Principal": "111122223333"}
    second = client.add_layer_version_permission(**account, RevisionId=first)["RevisionId"]
    check("add-account")
    organization = permission | {"StatementId": "s3", "OrganizationId": "o-t194hfs8cz"}
    third = client.add_layer_version_permission(**organization)["RevisionId"]
    check("add-organization")
    assert len({first, second, third}) == 3
    policy = client.get_layer_version_policy(**version)
    check("get")
    assert policy["RevisionId"] == third
    assert [statement["Sid"] for statement in json.loads(policy["Policy"])["Statement"]] == ["s1", "s2", "s3"]
    stale = (
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest "
        "Revision Id",
        WITH_TYPE,
    )
    assert error(client.add_layer_version_permission, **permission | {"StatementId": "s4", "RevisionId": first}) == stale
    check("stale")
    assert error(client.remove_layer_version_permission, **version, StatementId="s1", RevisionId=first) == stale
    assert error(client.add_layer_version_permission, **permission) == (
        409,
        "ResourceConflictException",
        "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.",
        WITH_TYPE,
    )
    assert error(client.remove_layer_version_permission, **version, StatementId="s4") == (
        404,
        "ResourceNotFoundException",
        "Statement s4 is not found in resource policy.",
        NOT_FOUND_BODY,
    )
    for missing, number in ((f"{name}-missing", 1), (name, 2)):
        gone = (404, "ResourceNotFoundException", f"Layer version {arn(missing, number)} does not exist.", NOT_FOUND_BODY)
        where = {"LayerName": missing, "VersionNumber": number}
        assert error(client.add_layer_version_permission, **permission | where) == gone
        assert error(client.get_layer_version_policy, **where) == gone
        assert error(client.remove_layer_version_permission, **where, StatementId="s1") == gone
    client.remove_layer_version_permission(**version, StatementId="s2", RevisionId=third)
    check("remove")
    client.remove_layer_version_permission(**version, StatementId="s1")
    client.remove_layer_version_permission(**version, StatementId="s3")
    assert error(client.get_layer_version_policy, **version) == no_policy


def test_a_policy_has_a_largest_size(client, layers):
    name = name_of(layers())

    def add(sid):
        return client.add_layer_version_permission(
            LayerName=name, VersionNumber=1, StatementId=sid, Action="lambda:GetLayerVersion", Principal="*"
        )

    def size():
        return len(client.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"])

    # Statements of equal length but for the last ones, so that together they fill the policy to the byte.
    add("x")
    empty = len('{"Version":"2012-10-17","Id":"default","Statement":[]}')
    rest = size() - empty  # of a statement besides its id's further characters, with its comma
    client.remove_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="x")
    total = 20_480 - empty + 1
    count = -(-total // (rest + 100))
    lengths = [total // count - rest + (number < total % count) for number in range(count)]
    sids = [f"{number:0>{length}}" for number, length in enumerate(lengths)]
    for sid in sids[:-1]:
        add(sid)
    limit = "The final policy size (20481) is bigger than the limit (20480)."
    assert error(add, sid="x" + sids[-1]) == (400, "PolicyLengthExceededException", limit, WITH_TYPE)
    add(sids[-1])
    assert size() == 20_480


def test_one_of_many_changes_a_revision(server, layers):
    client = server.client()
    name = name_of(layers())
    permission = {"LayerName": name, "VersionNumber": 1, "Action": "lambda:GetLayerVersion", "Principal": "*"}
    revision = client.add_layer_version_permission(StatementId="s", **permission)["RevisionId"]
    codes, lock = [], threading.Lock()

    def change(number):
        try:
            client.add_layer_version_permission(StatementId=f"s{number}", RevisionId=revision, **permission)
            code = None
        except botocore.exceptions.ClientError as refusal:
            code = refusal.response["Error"]["Code"]
        with lock:
            codes.append(code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(None) == 1 and codes.count("PreconditionFailedException") == 11
    assert len(json.loads(client.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"])["Statement"]) == 2


def test_functions_are_refused_layers(client, layers, deploy):
    one = layers()
    name = name_of(one)
    first, second = one["LayerVersionArn"], layers(name, "2")["LayerVersionArn"]
    function = deploy()
    same = (
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        "{} and {} are versions of the same layer."
    )
    elsewhere = first.replace(REGION, "eu-west-1")
    for given, message in [
        ([first] * 6, "Cannot reference more than 5 layers."),
        ([first, second], same.format(first, second)),
        ([first, second, first], same.format(first, second)),
        ([first, first], same.format(first, first)),
        ([arn(name, 3)], f"Layer version {arn(name, 3)} does not exist."),
        ([arn(name, 0)], "Layer Version Cannot be less than 1"),
        ([elsewhere], f"Layers are not in the same region as the function. Layers are expected to be in region {REGION}."),
    ]:
        expected = (400, "InvalidParameterValueException", message, WITH_TYPE)
        assert error(client.update_function_configuration, FunctionName=function, Layers=given) == expected
        create = dict(FunctionName=unique("no"), Runtime="provided.al2023", Handler="h", Role=ROLE, Code={"ZipFile": content()})
        assert error(client.create_function, Layers=given, **create) == expected
    status, code, message, _ = error(client.update_function_configuration, FunctionName=function, Layers=[arn(name)])
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(
        f"1 validation error detected: Value '[{arn(name)}]' at 'layers' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, "
        "Member must satisfy regular expression pattern: "
    )


def test_code_and_layers_share_one_limit(client, layers, deploy):
    half = packages.package({"zeros": b"\0" * 131_072_000})
    more = packages.package({"zeros": b"\0" * 131_072_001})
    a, b = (layers(Content={"ZipFile": half})["LayerVersionArn"] for _ in range(2))
    small = layers(Content={"ZipFile": packages.package({"x": "x"})})["LayerVersionArn"]
    room = "Unzipped size must be smaller than 131072000 bytes"

    def refusal(call, **arguments):
        status, code, message, members = error(call, **arguments)
        assert (status, code, members) == (400, "InvalidParameterValueException", WITH_TYPE)
        return message

    create = dict(FunctionName=unique("no"), Runtime="provided.al2023", Handler="h", Role=ROLE)
    assert refusal(client.create_function, Layers=[a], Code={"ZipFile": more}, **create) == room
    too_much = "Layers consume more than the available size of 262144000 bytes"
    assert refusal(client.create_function, Layers=[a, b, small], Code={"ZipFile": content()}, **create) == too_much
    name = deploy(half, Layers=[a])
    assert refusal(client.update_function_code, FunctionName=name, ZipFile=more) == room
    assert refusal(client.update_function_configuration, FunctionName=name, Layers=[a, small]) == (
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 "
        "bytes."
    )
    client.update_function_configuration(FunctionName=name, Layers=[b])
    deploy.wait(name)


def test_account_usage(server, layers):
    client = server.client(region="ap-south-1")
    before = client.get_account_settings()["AccountUsage"]
    layers("counted", client=client)
    layers("counted", client=client)
    after = client.get_account_settings()["AccountUsage"]
    assert after["TotalCodeSize"] - before["TotalCodeSize"] == 2 * len(content())
    assert after["FunctionCount"] == before["FunctionCount"]


def test_other_accounts(permissive, python_runtime):
    """Accounts are told by access keys here, which a permissive server takes as they are."""
    owner = permissive.client()
    stranger = permissive.client(credentials=(STRANGER, "x"))
    version = owner.publish_layer_version(LayerName="shared", Content={"ZipFile": content()})["LayerVersionArn"]
    layer = arn("shared")

    def denied(action, resource):
        message = (
            f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: lambda:{action} on resource: {resource} because "
            f"no resource-based policy allows the lambda:{action} action"
        )
        return (403, "AccessDeniedException", message, [])

    role = f"arn:aws:iam::{STRANGER}:role/service"
    code = packages.python("import tools\ndef handler(event, context): return tools.NAME\n")
    create = dict(Runtime=python_runtime, Handler="index.handler", Role=role, Code={"ZipFile": code})
    get_denied = denied("GetLayerVersion", version)
    assert error(stranger.get_layer_version_by_arn, Arn=version) == get_denied
    assert error(stranger.get_layer_version, LayerName=layer, VersionNumber=1) == get_denied
    assert error(stranger.create_function, FunctionName="f", Layers=[version], **create) == get_denied
    assert error(stranger.delete_layer_version, LayerName=layer, VersionNumber=1) == denied("DeleteLayerVersion", version)
    assert error(stranger.list_layer_versions, LayerName=layer) == denied("ListLayerVersions", layer)
    assert error(
        stranger.publish_layer_version, LayerName=layer, Content={"ZipFile": content()}
    ) == denied("PublishLayerVersion", layer)
    permission = {"LayerName": "shared", "VersionNumber": 1, "Action": "lambda:GetLayerVersion"}
    owner.add_layer_version_permission(StatementId="other", Principal="111122223333", **permission)
    assert error(stranger.get_layer_version_by_arn, Arn=version) == get_denied
    owner.add_layer_version_permission(StatementId="stranger", Principal=STRANGER, **permission)
    shown = stranger.get_layer_version_by_arn(Arn=version)
    assert shown["LayerVersionArn"] == version
    with urllib.request.urlopen(shown["Content"]["Location"], timeout=30) as answer:
        assert answer.read() == content()
    created = stranger.create_function(FunctionName="f", Layers=[version], **create)
    assert created["Layers"] == [{"Arn": version, "CodeSize": len(content())}]
    wait_until(
        lambda: stranger.get_function_configuration(FunctionName="f")["State"] == "Active", what="that the function is active"
    )
    owner.remove_layer_version_permission(LayerName="shared", VersionNumber=1, StatementId="stranger")
    assert error(stranger.get_layer_version_by_arn, Arn=version) == get_denied
    assert json.loads(stranger.invoke(FunctionName="f", Payload=b"{}")["Payload"].read()) == "1"
    stranger.delete_function(FunctionName="f")


def test_the_aws_cli(server, tmp_path, layers):
    archive = tmp_path / "layer.zip"
    archive.write_bytes(content())
    name = unique("cli")
    for version in (1, 2):
        published = server.aws(
            "lambda", "publish-layer-version", "--layer-name", name, "--zip-file", f"fileb://{archive}",
            "--compatible-runtimes", "python3.12", version=version,
        )  # fmt: skip
        assert json.loads(published.stdout)["LayerVersionArn"] == arn(name, version)
        got = server.aws("lambda", "get-layer-version-by-arn", "--arn", arn(name, version), version=version)
        assert json.loads(got.stdout)["Version"] == version
    server.aws("lambda", "delete-layer-version", "--layer-name", name, "--version-number", "1")
    listed = server.aws("lambda", "list-layer-versions", "--layer-name", name, "--query", "LayerVersions[].Version")
    assert json.loads(listed.stdout) == [2]
    server.aws("lambda", "delete-layer-version", "--layer-name", name, "--version-number", "2")
