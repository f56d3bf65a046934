"""The commands of docs/iam.md do what the text says, as a reader would run them."""

import configparser
import json
import re
import subprocess

import pytest

import packages
from server import ACCOUNT, BINARY, REPOSITORY, TOOLS, refused


def blocks(document):
    return re.findall(r"^```sh\n(.*?)^```$", (REPOSITORY / document).read_text(), re.S | re.M)


@pytest.fixture
def shell(serve, tmp_path):
    """Runs a block of a document at a server of its own: `rushlight` and `aws` are on the path."""
    server = serve("--isolation", "none")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rushlight").symlink_to(BINARY)
    (programs / "aws").symlink_to(TOOLS / "aws-cli-2/aws")
    environment = server.aws_environment() | {"RUSHLIGHT_ENDPOINT_URL": server.endpoint}
    environment["PATH"] = f"{programs}:{environment['PATH']}"

    def run(block):
        command = ["sh", "-euc", block]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.server = server
    yield run
    assert server.stop() == 0


def profile(text):
    profiles = configparser.ConfigParser()
    profiles.read_string(text)
    (name,) = profiles.sections()
    return name, (profiles[name]["aws_access_key_id"], profiles[name]["aws_secret_access_key"])


def test_iam(shell, python_runtime):
    users, roles, tools, accounts = blocks("docs/iam.md")
    name, ann = profile(shell(users))
    assert name == "ann"
    assert shell(roles) == f"arn:aws:iam::{ACCOUNT}:role/shop\n"
    attached, identity = shell(tools), json.loads(shell("aws sts get-caller-identity"))
    assert "invoke-shop" in attached and "AWSLambdaBasicExecutionRole" in attached
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    name, other = profile(shell(accounts))
    assert name == "111122223333"
    assert shell.server.client("sts", credentials=other).get_caller_identity()["Account"] == "111122223333"
    assert shell("rushlight iam list").splitlines() == [
        f"user  arn:aws:iam::{ACCOUNT}:user/ann",
        f"role  arn:aws:iam::{ACCOUNT}:role/shop",
    ]
    # Ann can deploy the shop's functions, and no others.
    client = shell.server.client(credentials=ann)
    function = dict(Runtime=python_runtime, Handler="index.handler", Code={"ZipFile": packages.probe()})
    client.create_function(FunctionName="shop-cart", Role=f"arn:aws:iam::{ACCOUNT}:role/shop", **function)
    denied = "is not authorized to perform: lambda:CreateFunction on resource"
    with pytest.raises(client.exceptions.ClientError, match=denied):
        client.create_function(FunctionName="other", Role=f"arn:aws:iam::{ACCOUNT}:role/shop", **function)
    missing = "The role defined for the function cannot be assumed by Lambda."
    refused(
        shell.server.client().create_function,
        "InvalidParameterValueException",
        missing,
        FunctionName="shop-stock",
        Role=f"arn:aws:iam::{ACCOUNT}:role/absent",
        **function,
    )
    # What was made can be removed the same way.
    assert shell("rushlight iam delete-user ann && rushlight iam delete-role shop") == ""
    assert shell("rushlight iam list") == ""


def test_mistakes_are_one_clear_sentence(shell):
    for command, sentence in [
        ("create-user ann --policy absent.json", "cannot read absent.json"),
        ("create-user ann --policy arn:aws:iam::aws:policy/Absent", "NoSuchEntity: Policy arn:aws:iam::aws:policy/Absent does not exist"),
        ("delete-role absent", "NoSuchEntity: The role with name absent cannot be found."),
        ("create-account 12", "An account id is twelve digits."),
    ]:
        done = shell.server.rushlight("iam", *command.split(), check=False)
        assert done.returncode == 1 and sentence in done.stderr and len(done.stderr.splitlines()) == 1, done
