"""Functions from birth to death: whole answers, states, revisions, pages, waiters."""

import base64
import hashlib
import json
import re
import time
import urllib.request

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import ACCOUNT, REGION, ROLE, arn, unique

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def placeholders(name, runtime):
    return {name: "<name>", runtime: "<runtime>"}


EVERYTHING = dict(
    Description="All settings – ünïcode",
    Timeout=7,
    MemorySize=256,
    EphemeralStorage={"Size": 600},
    Architectures=["x86_64"],
    Environment={"Variables": {"STAGE": "test", "EMPTY": ""}},
    DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"},
    TracingConfig={"Mode": "Active"},
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN", "LogGroup": "/own/group"},
    KMSKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    PackageType="Zip",
    Tags={"team": "light", "empty": ""},
)


@pytest.mark.parametrize("kind", ["minimal", "everything"])
def test_life_of_a_function(recorded, golden, deploy, python_runtime, kind):
    client, recorder = recorded
    name = unique("life")
    replacements = placeholders(name, python_runtime)

    def check(step):
        golden.check(f"{kind}-{step}", recorder.answer(), replacements)

    settings = EVERYTHING if kind == "everything" else {}
    deploy(packages.python("def handler(event, context): return 1\n"), name=name, client=client, wait=False, **settings)
    check("create")
    client.get_function_configuration(FunctionName=name)
    check("get-configuration-pending")
    deploy.wait(name)
    client.get_function_configuration(FunctionName=name)
    check("get-configuration-active")
    client.get_function(FunctionName=name)
    check("get-active")
    client.get_function(FunctionName=name, Qualifier="$LATEST")
    check("get-latest")
    client.update_function_code(FunctionName=name, ZipFile=packages.python("def handler(event, context): return 2\n"))
    check("update-code")
    deploy.wait(name)
    client.update_function_configuration(FunctionName=name, Description="changed", Environment={"Variables": {}})
    check("update-configuration")
    deploy.wait(name)
    client.get_function(FunctionName=name)
    check("get-updated")
    client.delete_function(FunctionName=name)
    check("delete")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)
    check("get-deleted")


def test_code_sha_and_size_are_those_of_the_package(deploy, client):
    package = packages.python("def handler(event, context): pass\n")
    name = deploy(package)
    configuration = client.get_function_configuration(FunctionName=name)
    assert configuration["CodeSize"] == len(package)
    assert configuration["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()


def test_the_location_leads_to_the_same_bytes(deploy, client):
    package = packages.python("def handler(event, context): pass # downloaded\n")
    name = deploy(package)
    location = client.get_function(FunctionName=name)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=30) as answer:
        assert answer.read() == package
    # The signature belongs to this URL: any change of it is refused.
    other = location.replace("X-Amz-Expires=600", "X-Amz-Expires=6000")
    assert other != location
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(other, timeout=30)
    assert refusal.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(location.split("?")[0], timeout=30)
    assert refusal.value.code == 403


def test_states_are_visible(client, deploy):
    """Pending and InProgress last at least 100 ms, so that waiters and people see them."""
    began = time.monotonic()
    name = deploy(wait=False)
    seen = []
    while not seen or seen[-1] != "Active":
        seen.append(client.get_function_configuration(FunctionName=name)["State"])
        if seen[-1] != "Active":
            pending_until = time.monotonic()
    assert seen[0] == "Pending" and set(seen) == {"Pending", "Active"}
    assert pending_until - began >= 0.1 or time.monotonic() - began >= 0.1
    for update in (
        lambda: client.update_function_code(FunctionName=name, ZipFile=packages.python("handler = print\n")),
        lambda: client.update_function_configuration(FunctionName=name, Timeout=4),
    ):
        began = time.monotonic()
        answer = update()
        assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
        configuration = client.get_function_configuration(FunctionName=name)
        assert configuration["LastUpdateStatus"] == "InProgress"
        deploy.wait(name)
        assert time.monotonic() - began >= 0.1
        configuration = client.get_function_configuration(FunctionName=name)
        assert configuration["LastUpdateStatus"] == "Successful"
        assert "LastUpdateStatusReason" not in configuration


def test_revision_ids_change_at_each_step(client, deploy):
    name = deploy(wait=False)
    revisions = [client.get_function_configuration(FunctionName=name)["RevisionId"]]
    deploy.wait(name)

    def now():
        return client.get_function_configuration(FunctionName=name)["RevisionId"]

    revisions.append(now())
    revisions.append(client.update_function_configuration(FunctionName=name, Description="a")["RevisionId"])
    deploy.wait(name)
    revisions.append(now())
    revisions.append(client.update_function_code(FunctionName=name, ZipFile=packages.python("a = 1\n"))["RevisionId"])
    deploy.wait(name)
    revisions.append(now())
    assert len(set(revisions)) == len(revisions), revisions
    # Reading changes nothing.
    assert now() == revisions[-1]


def test_revision_guards(client, deploy):
    name = deploy()
    text = (
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )
    stale = "00000000-0000-4000-8000-000000000000"
    for call in (
        lambda revision: client.update_function_configuration(FunctionName=name, Description="x", RevisionId=revision),
        lambda revision: client.update_function_code(
            FunctionName=name, ZipFile=packages.python("a = 2\n"), RevisionId=revision
        ),
    ):
        with pytest.raises(client.exceptions.PreconditionFailedException) as refusal:
            call(stale)
        assert refusal.value.response["Error"]["Message"] == text
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
        call(client.get_function_configuration(FunctionName=name)["RevisionId"])
        deploy.wait(name)


def test_updates_replace_whole_structures(client, deploy):
    name = deploy(Environment={"Variables": {"FIRST": "1", "SECOND": "2"}}, Description="d", Timeout=9)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"THIRD": "3"}})
    deploy.wait(name)
    configuration = client.get_function_configuration(FunctionName=name)
    assert configuration["Environment"] == {"Variables": {"THIRD": "3"}}
    assert (configuration["Description"], configuration["Timeout"]) == ("d", 9)


def test_a_dry_run_changes_nothing(client, deploy):
    name = deploy()
    before = client.get_function_configuration(FunctionName=name)
    package = packages.python("def handler(event, context): return 'dry'\n")
    answer = client.update_function_code(FunctionName=name, ZipFile=package, DryRun=True)
    assert answer["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()
    after = client.get_function_configuration(FunctionName=name)
    before.pop("ResponseMetadata"), after.pop("ResponseMetadata")
    assert after == before


@pytest.mark.parametrize("waiter", ["function_active_v2", "function_active", "function_exists"])
def test_waiters_after_creation_end(client, deploy, waiter):
    name = deploy(wait=False)
    delay = {"Delay": 1, "MaxAttempts": 30}
    client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=delay)


@pytest.mark.parametrize("waiter", ["function_updated_v2", "function_updated"])
def test_waiters_after_an_update_end(client, deploy, waiter):
    name = deploy()
    client.update_function_configuration(FunctionName=name, Description="waited for")
    client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful"


def test_every_form_of_a_name(client, deploy):
    name = deploy()
    forms = [
        name,
        arn(name),
        f"{ACCOUNT}:function:{name}",
        f"function:{name}",
        f"{name}:$LATEST",
        f"{arn(name)}:$LATEST",
        f"{ACCOUNT}:function:{name}:$LATEST",
    ]
    for form in forms:
        configuration = client.get_function_configuration(FunctionName=form)
        assert configuration["FunctionName"] == name
        expected = arn(name) + (":$LATEST" if form.endswith("$LATEST") else "")
        assert configuration["FunctionArn"] == expected, form
        assert client.invoke(FunctionName=form, Payload=b"{}")["StatusCode"] == 200
    assert client.update_function_configuration(FunctionName=arn(name), Description="by ARN")["Description"] == "by ARN"
    deploy.wait(name)
    client.delete_function(FunctionName=arn(name))


# Lists


def test_lists_in_pages(server, deployer):
    """61 functions of a region of their own: by 50 unless asked otherwise, in the order of their names."""
    client = server.client(region="eu-central-1")
    deployer = deployer(server)
    package = packages.bootstrap("#!/bin/sh\n")
    names = sorted(unique(f"list-{number:03}") for number in range(61))
    for name in reversed(names):
        deployer(package, name=name, client=client, wait=False, runtime="provided.al2023")
    try:
        first = client.list_functions()
        assert [function["FunctionName"] for function in first["Functions"]] == names[:50]
        second = client.list_functions(Marker=first["NextMarker"])
        assert [function["FunctionName"] for function in second["Functions"]] == names[50:]
        assert "NextMarker" not in second
        pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 7}))
        assert [len(page["Functions"]) for page in pages] == [7] * 8 + [5]
        listed = [function["FunctionName"] for page in pages for function in page["Functions"]]
        assert listed == names
        assert len(client.list_functions(MaxItems=50)["Functions"]) == 50
        assert len(client.list_functions(MaxItems=10000)["Functions"]) == 50
        # The last page that is exactly full has no marker.
        marker = client.list_functions(MaxItems=50)["NextMarker"]
        assert "NextMarker" not in client.list_functions(MaxItems=11, Marker=marker)
        # Functions that go while a list is read do not disturb it.
        marker = client.list_functions(MaxItems=5)["NextMarker"]
        client.delete_function(FunctionName=names[4])
        client.delete_function(FunctionName=names[5])
        following = client.list_functions(MaxItems=1, Marker=marker)["Functions"]
        assert following[0]["FunctionName"] == names[6]
        done = server.aws("lambda", "list-functions", "--region", "eu-central-1", "--query", "length(Functions)")
        assert done.stdout.strip() == "59"
    finally:
        deployer.remove()
    assert client.list_functions()["Functions"] == []


def test_a_list_shows_less(recorded, golden, deploy, python_runtime, server):
    client = server.client(region="eu-west-3")
    recorder = Recorder(client)
    name = deploy(packages.python("def handler(event, context): return 1\n"), client=client, Description="listed")
    client.list_functions()
    golden.check("list", recorder.answer(), placeholders(name, python_runtime))
    client.list_functions(FunctionVersion="ALL")
    golden.check("list-all-versions", recorder.answer(), placeholders(name, python_runtime))


def test_account_settings_count(server, deploy, golden):
    client = server.client(region="ap-south-1")
    recorder = Recorder(client)
    client.get_account_settings()
    golden.check("account-settings-empty", recorder.answer())
    package = packages.python("def handler(event, context): pass\n")
    name = deploy(package, client=client)
    usage = client.get_account_settings()["AccountUsage"]
    assert usage == {"TotalCodeSize": len(package), "FunctionCount": 1}
    client.delete_function(FunctionName=name)
    usage = client.get_account_settings()["AccountUsage"]
    assert usage == {"TotalCodeSize": 0, "FunctionCount": 0}


def test_accounts_and_regions_are_apart(permissive, deployer):
    deploy = deployer(permissive)
    name = unique("apart")
    clients = {
        (account, region): permissive.client(region=region, credentials=(account, "anything"))
        for account in ("111111111111", "222222222222")
        for region in ("eu-west-1", "us-west-2")
    }
    for number, client in enumerate(clients.values()):
        assert client.list_functions()["Functions"] == []
        deploy(packages.python(f"def handler(event, context): return {number}\n"), name=name, client=client)
    for number, ((account, region), client) in enumerate(clients.items()):
        functions = client.list_functions()["Functions"]
        assert [function["FunctionArn"] for function in functions] == [f"arn:aws:lambda:{region}:{account}:function:{name}"]
        assert json.loads(client.invoke(FunctionName=name)["Payload"].read()) == number
    first = clients["111111111111", "eu-west-1"]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        first.get_function(FunctionName=f"arn:aws:lambda:eu-west-1:222222222222:function:{name}")
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(first.exceptions.ResourceNotFoundException) as refusal:
        first.get_function(FunctionName=f"arn:aws:lambda:us-west-2:111111111111:function:{name}")
    text = "Functions from 'us-west-2' are not reachable in this region ('eu-west-1')"
    assert refusal.value.response["Error"]["Message"] == text
    first.delete_function(FunctionName=name)
    assert len(clients["222222222222", "eu-west-1"].list_functions()["Functions"]) == 1
    assert len(clients["111111111111", "us-west-2"].list_functions()["Functions"]) == 1
    deploy.remove()


def test_the_same_package_twice_is_kept_for_the_second(client, deploy):
    package = packages.python("def handler(event, context): return 'shared'\n")
    first, second = deploy(package), deploy(package)
    client.delete_function(FunctionName=first)
    time.sleep(0.5)
    assert json.loads(client.invoke(FunctionName=second)["Payload"].read()) == "shared"
    location = client.get_function(FunctionName=second)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=30) as answer:
        assert answer.read() == package


def test_a_name_can_be_used_again(client, deploy):
    name = unique("again")
    for text in ("first", "second"):
        deploy(packages.python(f"def handler(event, context): return {text!r}\n"), name=name)
        assert json.loads(client.invoke(FunctionName=name)["Payload"].read()) == text
        client.delete_function(FunctionName=name)
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.invoke(FunctionName=name)


def test_created_at_once_from_many_sides(server, python_runtime, deploy):
    """Of many requests for one name exactly one succeeds."""
    import concurrent.futures

    name = unique("race")
    package = packages.python("def handler(event, context): pass\n")

    def create(_):
        client = server.client()
        try:
            client.create_function(
                FunctionName=name, Runtime=python_runtime, Role=ROLE, Handler="index.handler", Code={"ZipFile": package}
            )
            return "created"
        except client.exceptions.ResourceConflictException as error:
            return error.response["Error"]["Message"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(8)))
    deploy.names.append((server.client(), name))
    assert sorted(outcomes) == sorted(["created"] + [f"Function already exist: {name}"] * 7)


def test_the_aws_cli_creates_updates_and_deletes(server, python_runtime, tmp_path):
    name = unique("cli")
    package = tmp_path / "function.zip"
    package.write_bytes(packages.python("def handler(event, context): return {'got': event}\n"))
    created = server.aws(
        "lambda", "create-function", "--function-name", name, "--runtime", python_runtime, "--role", ROLE,
        "--handler", "index.handler", "--zip-file", f"fileb://{package}", "--environment", "Variables={STAGE=test}",
    )  # fmt: skip
    assert json.loads(created.stdout)["State"] == "Pending"
    server.aws("lambda", "wait", "function-active-v2", "--function-name", name)
    output = tmp_path / "output"
    invoked = server.aws("lambda", "invoke", "--function-name", name, "--payload", '{"a": 1}', "--log-type", "Tail", output)
    assert json.loads(output.read_text()) == {"got": {"a": 1}}
    assert json.loads(invoked.stdout)["StatusCode"] == 200
    assert re.search(r"REPORT RequestId: " + UUID, base64.b64decode(json.loads(invoked.stdout)["LogResult"]).decode())
    server.aws("lambda", "update-function-configuration", "--function-name", name, "--timeout", "5")
    server.aws("lambda", "wait", "function-updated-v2", "--function-name", name)
    listed = server.aws("lambda", "list-functions", "--query", f"Functions[?FunctionName=='{name}'].Timeout", "--output", "text")
    assert listed.stdout.strip() == "5"
    server.aws("lambda", "delete-function", "--function-name", name)
    gone = server.aws("lambda", "get-function", "--function-name", name, check=False)
    assert "ResourceNotFoundException" in gone.stderr and f"Function not found: {arn(name)}" in gone.stderr
