"""Tools that people deploy with: each puts a function here, changes it and takes it away again."""

import json
import os
import shutil

import pytest

import packages
from identities import statement
from server import ACCOUNT, REGION, ROLE, TOOLS, _run, unique

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


def python(answer):
    return packages.python(f"def handler(event, context): return {answer!r}\n")


def installed(program):
    """`./dev test` installs the tools: one that is missing is a fault of the checkout, not a reason to skip."""
    assert (TOOLS / program).exists(), f"{program} is missing in {TOOLS}; run ./dev test"
    return TOOLS / program


def answer(client, name, **settings):
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    found = client.invoke(FunctionName=name, **settings)
    payload = json.loads(found["Payload"].read())
    assert "FunctionError" not in found, payload
    return payload


def assert_gone(client, name):
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)


class Cli:
    """The AWS CLI of one version, against one server."""

    def __init__(self, server, version, directory):
        self.server = server
        self.version = version
        self.directory = directory

    def __call__(self, command, *arguments):
        text = self.server.aws("lambda", command, *arguments, version=self.version).stdout
        return json.loads(text) if text.strip() else None

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content)
        return f"fileb://{path}"

    def payload(self, name, *arguments):
        path = self.directory / "answer.json"
        self("invoke", "--function-name", name, *arguments, path)
        return json.loads(path.read_text())


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def cli(request, server, tmp_path):
    installed("test/bin/aws" if request.param == 1 else "aws-cli-2/aws")
    return Cli(server, request.param, tmp_path)


def test_aws_cli(cli, client, python_runtime):
    name = unique("tool")
    function = ("--function-name", name)
    created = cli(
        "create-function", *function, "--runtime", python_runtime, "--handler", "index.handler", "--role", ROLE,
        "--zip-file", cli.file("one.zip", python("one")), "--tags", "team=blue",
    )  # fmt: skip
    assert (created["FunctionArn"], created["State"]) == (f"{ARN}:{name}", "Pending")
    cli("wait", "function-active-v2", *function)
    assert cli("publish-version", *function, "--description", "the first")["Version"] == "1"
    live = cli("create-alias", *function, "--name", "live", "--function-version", "1")
    assert live["AliasArn"] == f"{ARN}:{name}:live"

    cli("update-function-code", *function, "--zip-file", cli.file("two.zip", python("two")))
    cli("wait", "function-updated-v2", *function)
    assert cli.payload(name) == "two" and cli.payload(name, "--qualifier", "live") == "one"
    assert cli("publish-version", *function)["Version"] == "2"
    assert cli("update-alias", *function, "--name", "live", "--function-version", "2")["FunctionVersion"] == "2"
    assert cli.payload(f"{name}:live") == "two"

    reserved = cli("put-function-concurrency", *function, "--reserved-concurrent-executions", "3")
    assert reserved == {"ReservedConcurrentExecutions": 3} == cli("get-function-concurrency", *function)
    assert cli("delete-function-concurrency", *function) is None
    assert cli("tag-resource", "--resource", f"{ARN}:{name}", "--tags", "stage=test") is None
    assert cli("list-tags", "--resource", f"{ARN}:{name}") == {"Tags": {"team": "blue", "stage": "test"}}

    assert name in [found["FunctionName"] for found in cli("list-functions")["Functions"]]
    versions = cli("list-versions-by-function", *function)["Versions"]
    assert [found["Version"] for found in versions] == ["$LATEST", "1", "2"]
    assert [found["Name"] for found in cli("list-aliases", *function)["Aliases"]] == ["live"]

    assert cli("delete-alias", *function, "--name", "live") is None
    assert cli("delete-function", *function) in (None, {"StatusCode": 204})
    assert_gone(client, name)
    refused = cli.server.aws("lambda", "get-function", *function, version=cli.version, check=False)
    assert refused.returncode != 0
    assert "(ResourceNotFoundException) when calling the GetFunction operation" in refused.stderr
    assert f"Function not found: {ARN}:{name}" in refused.stderr


def test_aws_cli_with_a_layer(cli, client, python_runtime):
    layer, name = unique("layer"), unique("tool")
    content = packages.package({"python/shared.py": "WORD = 'from the layer'\n"})
    published = cli("publish-layer-version", "--layer-name", layer, "--zip-file", cli.file("layer.zip", content))
    assert published["Version"] == 1
    code = packages.python("import shared\ndef handler(event, context): return shared.WORD\n")
    cli(
        "create-function", "--function-name", name, "--runtime", python_runtime, "--handler", "index.handler",
        "--role", ROLE, "--zip-file", cli.file("code.zip", code), "--layers", published["LayerVersionArn"],
    )  # fmt: skip
    cli("wait", "function-active-v2", "--function-name", name)
    assert cli.payload(name) == "from the layer"
    listed = cli("list-layer-versions", "--layer-name", layer)["LayerVersions"]
    assert [found["LayerVersionArn"] for found in listed] == [published["LayerVersionArn"]]
    cli("delete-function", "--function-name", name)
    cli("delete-layer-version", "--layer-name", layer, "--version-number", "1")
    assert cli("list-layer-versions", "--layer-name", layer)["LayerVersions"] == []
    assert_gone(client, name)


def test_cargo_lambda(server, client, tmp_path):
    if packages.compiled() is None:
        pytest.skip("no Rust compiler: there is nothing that cargo-lambda could deploy")
    name = unique("tool")
    manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
    (tmp_path / "Cargo.toml").write_text(manifest)
    # The tool writes its archive beside the binary.
    binary = shutil.copy(TOOLS / "hello-bootstrap", tmp_path / "bootstrap")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    program = installed("cargo-lambda/bin/cargo-lambda")

    def deploy(*settings):
        command = [
            program, "lambda", "deploy", "--endpoint-url", server.endpoint, "--role", ROLE, "--output-format", "json",
            "--binary-path", binary, *settings, name,
        ]  # fmt: skip
        text = _run(command, server.aws_environment(), True, 60, cwd=tmp_path).stdout
        return json.loads(text[text.index("{") :])  # after lines that tell how far it is

    deployed = deploy("--memory", "256")
    assert (deployed["function_arn"], deployed["version"]) == (f"{ARN}:{name}", "1")
    assert answer(client, name, Payload=b'{"n": 1}')["event"] == {"n": 1}
    first = client.get_function_configuration(FunctionName=name)
    assert (first["MemorySize"], first["Runtime"]) == (256, "provided.al2023")

    # The tool moves an alias that is there: while it waits for the configuration, it asks for that of the alias.
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert deploy("--memory", "512", "--env-var", "STAGE=test")
    second = client.get_function_configuration(FunctionName=name)
    assert second["MemorySize"] == 512 and second["Environment"]["Variables"] == {"STAGE": "test"}
    assert answer(client, name, Payload=b'{"n": 2}')["event"] == {"n": 2}
    # The tool has no command that deletes.
    client.delete_function(FunctionName=name)
    assert_gone(client, name)


def test_chalice(guarded, user, tmp_path):
    """Chalice makes the role and the function, as a user who may just that."""
    app = unique("tool")
    client = guarded.client()
    user.may(
        statement(["lambda:*"], f"{ARN}:{app}-*"),
        statement(["iam:*Role", "iam:*RolePolicy", "iam:ListRolePolicies"], f"arn:aws:iam::{ACCOUNT}:role/{app}-*"),
    )
    program = installed("chalice/bin/chalice")
    environment = guarded.aws_environment() | {
        "AWS_ACCESS_KEY_ID": user.key[0],
        "AWS_SECRET_ACCESS_KEY": user.key[1],
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    (tmp_path / ".chalice").mkdir()
    config = {"version": "2.0", "app_name": app, "stages": {"dev": {"environment_variables": {"STAGE": "test"}}}}
    (tmp_path / ".chalice/config.json").write_text(json.dumps(config))
    (tmp_path / "requirements.txt").write_text("")

    def deploy(word):
        code = f"app = Chalice(app_name={app!r})\n\n@app.lambda_function()\ndef greet(event, context):\n    return [{word!r}, event]\n"
        (tmp_path / "app.py").write_text("from chalice import Chalice\n\n" + code)
        return _run([program, "deploy"], environment, True, 60, cwd=tmp_path).stdout

    name = f"{app}-dev-greet"
    assert f"{ARN}:{name}" in deploy("one")
    assert answer(client, name, Payload=b'{"n": 1}') == ["one", {"n": 1}]
    found = client.get_function(FunctionName=name)
    assert found["Configuration"]["Environment"] == {"Variables": {"STAGE": "test"}}
    assert found["Tags"] == {"aws-chalice": "version=1.34.0:stage=dev:app=" + app}

    deploy("two")
    assert answer(client, name, Payload=b'{"n": 2}') == ["two", {"n": 2}]
    role = f"{app}-dev"
    assert found["Configuration"]["Role"] == f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert user.iam.list_role_policies(RoleName=role)["PolicyNames"] == [role]
    _run([program, "delete"], environment, True, 60, cwd=tmp_path)
    assert_gone(client, name)
    with pytest.raises(user.iam.exceptions.NoSuchEntityException):
        user.iam.get_role(RoleName=role)
