"""Tags: of functions, code signing configurations and whatever else can have them."""

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, unique


def arn(kind, name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:{kind}:{name}"


@pytest.fixture(scope="module")
def function(deploy):
    return arn("function", deploy(packages.python("def handler(event, context): return 1\n"), name=unique("tagged")))


def test_life_of_tags(recorded, golden, deploy):
    client, recorder = recorded
    name = deploy(packages.python("def handler(event, context): return 1\n"), name=unique("tags"), Tags={"key_a": "value_a"})
    resource = arn("function", name)

    def check(step):
        golden.check(f"tags-{step}", recorder.answer(), {name: "<name>"})

    client.list_tags(Resource=resource)
    check("list")
    client.tag_resource(Resource=resource, Tags={"key_b": "value_b", "key_c": "value_c"})
    check("tag")
    client.tag_resource(Resource=resource, Tags={"key_c": "value_x"})
    client.list_tags(Resource=resource)
    check("list-overwritten")
    assert client.get_function(FunctionName=name)["Tags"] == {"key_a": "value_a", "key_b": "value_b", "key_c": "value_x"}
    client.untag_resource(Resource=resource, TagKeys=["key_a", "key_c", "nothing"])
    check("untag")
    assert client.list_tags(Resource=resource)["Tags"] == {"key_b": "value_b"}
    client.untag_resource(Resource=resource, TagKeys=["key_b"])
    client.list_tags(Resource=resource)
    check("list-none")
    assert "Tags" not in client.get_function(FunctionName=name)
    client.delete_function(FunctionName=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_tags(Resource=resource)
    check("list-deleted")


def test_a_change_of_tags_is_a_new_revision(client, function):
    def revision():
        return client.get_function_configuration(FunctionName=function)["RevisionId"]

    before = revision()
    client.tag_resource(Resource=function, Tags={"revision": "1"})
    tagged = revision()
    client.untag_resource(Resource=function, TagKeys=["revision"])
    assert len({before, tagged, revision()}) == 3
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_function_configuration(FunctionName=function, Description="x", RevisionId=before)


def test_limits(recorded, golden, function):
    client, recorder = recorded
    name = function.rsplit(":", 1)[1]

    def refused(step, operation, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            operation(Resource=function, **arguments)
        golden.check(f"tags-refused-{step}", recorder.answer(), {name: "<name>"})

    many = {f"{number}_key": "x" for number in range(50)}
    refused("many", client.tag_resource, Tags=many | {"50_key": "x"})
    client.tag_resource(Resource=function, Tags=many)
    refused("many", client.tag_resource, Tags={"a": "x"})
    client.untag_resource(Resource=function, TagKeys=list(many))
    refused("empty", client.tag_resource, Tags={})
    refused("no-keys", client.untag_resource, TagKeys=[])
    refused("reserved", client.tag_resource, Tags={"aws:a": "x"})
    refused("long-key", client.tag_resource, Tags={"k" * 129: "x"})
    refused("long-value", client.tag_resource, Tags={"k": "x" * 257})
    refused("characters", client.tag_resource, Tags={"k*": "x"})
    longest = {"k" * 128: "x" * 256, "ünïcode +-=._:/@ ": ""}
    client.tag_resource(Resource=function, Tags=longest)
    assert client.list_tags(Resource=function)["Tags"] == longest
    client.untag_resource(Resource=function, TagKeys=list(longest))
    assert client.list_tags(Resource=function)["Tags"] == {}


@pytest.mark.parametrize(
    "step, resource",
    [
        ("function", arn("function", "nobody")),
        ("code-signing-config", arn("code-signing-config", "csc-0123456789abcdef0")),
        ("event-source-mapping", arn("event-source-mapping", "00000000-0000-0000-0000-000000000000")),
        ("capacity-provider", arn("capacity-provider", "nobody")),
        ("qualified", arn("function", "nobody:live")),
        ("other-account", f"arn:aws:lambda:{REGION}:999999999999:function:nobody"),
        ("other-region", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:nobody"),
        ("no-arn", "arn:aws:something"),
    ],
)
def test_what_has_no_tags(recorded, golden, step, resource):
    client, recorder = recorded
    for operation, arguments in (
        (client.tag_resource, {"Tags": {"a": "b"}}),
        (client.untag_resource, {"TagKeys": ["a"]}),
        (client.list_tags, {}),
    ):
        with pytest.raises(botocore.exceptions.ClientError):
            operation(Resource=resource, **arguments)
        golden.check(f"tags-missing-{step}", recorder.answer())


def test_tags_wait_for_an_update(recorded, golden, deploy):
    client, recorder = recorded
    name = deploy(packages.python("def handler(event, context): return 1\n"), name=unique("busy"))
    client.update_function_configuration(FunctionName=name, Description="busy")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.tag_resource(Resource=arn("function", name), Tags={"a": "b"})
    golden.check("tags-conflict", recorder.answer(), {name: "<name>"})
    deploy.wait(name)
    client.tag_resource(Resource=arn("function", name), Tags={"a": "b"})


def test_tags_of_a_code_signing_config(client):
    publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/test"]}
    created = client.create_code_signing_config(AllowedPublishers=publishers, Tags={"a": "1"})["CodeSigningConfig"]
    resource = created["CodeSigningConfigArn"]
    client.tag_resource(Resource=resource, Tags={"b": "2"})
    client.untag_resource(Resource=resource, TagKeys=["a"])
    assert client.list_tags(Resource=resource)["Tags"] == {"b": "2"}
    assert client.get_code_signing_config(CodeSigningConfigArn=resource)["CodeSigningConfig"] == created
    client.delete_code_signing_config(CodeSigningConfigArn=resource)


def test_the_aws_cli_tags(server, function):
    server.aws("lambda", "tag-resource", "--resource", function, "--tags", "by=cli,empty=")
    listed = server.aws("lambda", "list-tags", "--resource", function, "--query", "Tags.by", "--output", "text")
    assert listed.stdout.strip() == "cli"
    server.aws("lambda", "untag-resource", "--resource", function, "--tag-keys", "by", "empty")
