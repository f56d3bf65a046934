"""Functions whose code is a container image: what can be done with them short of running them, which is
test_container_images.py."""

import json

import botocore.exceptions
import pytest

import packages
from server import ROLE, unique, wait_until

URI = "localhost/team/app:latest"
CONFIG = {"EntryPoint": ["/bin/app"], "Command": ["serve", "--all"], "WorkingDirectory": "/srv"}


@pytest.fixture
def image(server):
    """Creates functions from images and removes them."""
    client, names = server.client(), []

    def create(uri=URI, name=None, **settings):
        name = name or unique("image")
        client.create_function(FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri}, **settings)
        names.append(name)
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    yield create
    for name in names:
        client.delete_function(FunctionName=name)


def refusal(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**members)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


INVALID = (400, "InvalidParameterValueException")


def of_x86_64(layout):
    """The digest of one of the two images that the tag leads to."""
    (top,) = json.loads((layout / "index.json").read_text())["manifests"]
    images = json.loads((layout / "blobs/sha256" / top["digest"].removeprefix("sha256:")).read_text())["manifests"]
    return next(image["digest"] for image in images if image["platform"]["architecture"] == "amd64")


def test_life_of_an_image(recorded, golden, server, images_at_hand):
    client, recorder = recorded
    name = unique("image")

    def check(step):
        golden.check(f"image-{step}", recorder.answer(), {name: "<name>"})

    def settle():
        def settled():
            found = client.get_function_configuration(FunctionName=name)
            return found["State"] == "Active" and found.get("LastUpdateStatus") != "InProgress"

        wait_until(settled, what="that the image is active")

    client.create_function(
        FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": URI}, ImageConfig=CONFIG, Architectures=["arm64"]
    )
    check("create")
    settle()
    client.get_function(FunctionName=name)
    check("get")
    client.list_functions(MaxItems=10000)
    listed = next(function for function in recorder.answer()["body"]["Functions"] if function["FunctionName"] == name)
    golden.check("image-listed", listed, {name: "<name>"})
    exact = f"localhost/team/app@{of_x86_64(images_at_hand / 'team/app')}"
    client.update_function_code(FunctionName=name, ImageUri=exact, Architectures=["x86_64"])
    check("update-code")
    settle()
    client.get_function(FunctionName=name)
    check("get-exact")
    client.update_function_configuration(FunctionName=name, ImageConfig={}, MemorySize=512)
    check("update-configuration")
    settle()
    client.update_function_code(FunctionName=name, ImageUri=URI, DryRun=True)
    check("dry-run")
    done = server.aws("lambda", "get-function", "--function-name", name, "--query", "Code.ImageUri", "--output", "text")
    assert done.stdout.strip() == exact
    client.delete_function(FunctionName=name)


def test_what_names_no_image(client):
    create = dict(FunctionName=unique("refused"), Role=ROLE, PackageType="Image")
    for uri in ("app", "app:latest", "host.com/app", "host.com/app:", "host.com/app@sha256:12", "https://host.com/app:1"):
        text = f"Source image {uri} is not valid. Provide a valid source image."
        assert refusal(client.create_function, Code={"ImageUri": uri}, **create) == (*INVALID, text)


def test_what_images_do_not_have(image, client):
    name = image()
    text = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
    layers = [f"arn:aws:lambda:us-east-1:{'0' * 12}:layer:l:1"]
    create = dict(FunctionName=unique("refused"), Role=ROLE, PackageType="Image", Code={"ImageUri": URI})
    for members in ({"Handler": "a.b"}, {"Runtime": "python3.12"}, {"Layers": layers}):
        assert refusal(client.create_function, **create, **members) == (*INVALID, text)
        assert refusal(client.update_function_configuration, FunctionName=name, **members) == (*INVALID, text)
    text = "Code signing is not supported for functions created with container images."
    signing = f"arn:aws:lambda:us-east-1:{'0' * 12}:code-signing-config:csc-{'0' * 17}"
    assert refusal(client.create_function, **create, CodeSigningConfigArn=signing) == (*INVALID, text)
    assert refusal(client.get_function_code_signing_config, FunctionName=name) == (*INVALID, text)


def test_archives_and_images_do_not_mix(image, client, deploy, python_runtime):
    package = packages.python("def handler(event, context): pass\n")
    archive = deploy(package)
    name = image()
    text = "Please don't provide ImageUri when updating a function with packageType Zip."
    assert refusal(client.update_function_code, FunctionName=archive, ImageUri=URI) == (*INVALID, text)
    text = "Please provide ImageUri when updating a function with packageType Image."
    for code in ({"ZipFile": package}, {"S3Bucket": "bucket", "S3Key": "key"}, {}):
        assert refusal(client.update_function_code, FunctionName=name, **code) == (*INVALID, text)
    create = dict(FunctionName=unique("refused"), Role=ROLE)
    text = "Please provide ImageUri when creating a function with packageType Image."
    assert refusal(client.create_function, PackageType="Image", Code={"ZipFile": package}, **create) == (*INVALID, text)
    zipped = create | {"Runtime": python_runtime, "Handler": "index.handler"}
    text = "Please provide a source for function code."
    assert refusal(client.create_function, Code={"ImageUri": URI}, **zipped) == (*INVALID, text)
    text = "Please don't provide ImageConfig for a function with packageType Zip."
    assert refusal(client.create_function, Code={"ZipFile": package}, ImageConfig=CONFIG, **zipped) == (*INVALID, text)


def test_limits_of_settings(unchecked, image):
    create = dict(FunctionName=unique("refused"), Role=ROLE, PackageType="Image", Code={"ImageUri": URI})
    for config, member, bound in (
        ({"EntryPoint": ["a"] * 1501}, "imageConfig.entryPoint", 1500),
        ({"Command": ["a"] * 1501}, "imageConfig.command", 1500),
        ({"WorkingDirectory": "a" * 1001}, "imageConfig.workingDirectory", 1000),
    ):
        status, code, message = refusal(unchecked.create_function, ImageConfig=config, **create)
        assert (status, code) == (400, "ValidationException")
        assert message.endswith(f"at '{member}' failed to satisfy constraint: Member must have length less than or equal to {bound}")
    assert refusal(unchecked.create_function, ImageConfig={"Command": ["a" * 16_385]}, **create) == (
        *INVALID, "The settings of a container image may not exceed 16 KB.",
    )  # fmt: skip
    image(ImageConfig={"EntryPoint": ["a"] * 1500, "Command": ["a"] * 1500, "WorkingDirectory": "a" * 1000})
