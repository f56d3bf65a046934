"""Functions made of container images: from a registry, a layout, an archive; what they find; what cannot be had."""

import base64
import collections
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess

import botocore.exceptions
import pytest

import images
import packages
from server import ROLE, unique, wait_until
from test_aws_runtime_clients import with_aws_python

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not images.REGISTRY.exists() or not shutil.which("skopeo"), reason="./dev test installs registry and skopeo"),
]

EXTENSION = """#!/var/lang/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2020-01-01/extension/register", '{"events":["INVOKE"]}', {"Lambda-Extension-Name": "of-image"})
answer = api.getresponse()
answer.read()
print("the extension of the image is here", flush=True)
identifier = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
while True:
    api.request("GET", "/2020-01-01/extension/event/next", headers=identifier)
    api.getresponse().read()
"""
COMMAND = {"Entrypoint": ["/var/lang/bin/python3", "-m", "awslambdaric"], "Cmd": ["image.handler"], "WorkingDir": "/var/task"}


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """Python with AWS' client, and what an image has besides."""
    root = with_aws_python(tmp_path_factory.mktemp("image") / "root")
    base = images.layer({"data": None, "data/kept": "x", "data/removed": "x", "which": "base", "opt": None}, root)
    code = images.layer({
        "data/.wh.removed": "", "data/added": "x", "which": "one", "var/task": None, "var/task/image.py": packages.source("image.py"),
    })  # fmt: skip
    return [base, code]


@pytest.fixture(scope="module")
def layout(tmp_path_factory, layers):
    """Images that differ little from each other, and so share layers."""
    made = images.Layout(tmp_path_factory.mktemp("layout"))
    made.environment = ["PYTHONPATH=/packages", "PATH=/var/lang/bin:/bin", "OF_IMAGE=image", "OVER=image"]
    config = COMMAND | {"Env": made.environment, "User": "0:0"}
    made.digests = {
        "one": made.add("one", layers, **config),
        "two": made.add("two", [*layers, images.layer({"which": "two"})], **config),
        "both": made.add("both", layers, ("arm64", "amd64"), **config),
        "arm": made.add("arm", layers, ("arm64",), **config),
        "extended": made.add("extended", [*layers, images.layer({"opt/extensions/of-image": EXTENSION})], **config),
        "empty": made.add("empty", layers[:1], Env=made.environment),
    }
    return made


@pytest.fixture(scope="module")
def registry(tmp_path_factory, layout):
    with images.registry(tmp_path_factory.mktemp("registry")) as host:
        for tag in layout.digests:
            layout.copy(tag, f"docker://{host}/team/app:{tag}", "--dest-tls-verify=false", "--all")
        yield host


class Functions:
    """Functions of images on a server."""

    def __init__(self, server):
        self.server, self.client = server, server.client()

    def create(self, uri, **settings):
        name = unique("image")
        self.client.create_function(
            FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri}, **{"MemorySize": 256, "Timeout": 10} | settings
        )
        self.settle(name)
        return name

    def settle(self, name):
        def settled():
            found = self.client.get_function_configuration(FunctionName=name)
            return found["State"] != "Pending" and found["LastUpdateStatus"] != "InProgress"

        wait_until(settled, timeout=60, what=f"that {name} is settled")

    def invoke(self, name, _qualifier="$LATEST", **event):
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", Qualifier=_qualifier)
        tail = base64.b64decode(answer["LogResult"]).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read()), tail

    def log(self, name):
        """The lines of one that was invoked."""
        events = lambda: self.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]  # noqa: E731
        lines = lambda: [event["message"].rstrip("\n") for event in events()]  # noqa: E731
        wait_until(lambda: any(line.startswith("REPORT") for line in lines()), what="the report")
        return lines()

    def refused(self, uri, **settings):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            self.create(uri, **settings)
        return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def functions(serve, registry):
    server = serve("--isolation", "sandbox", "--registry", f"http://{registry}")
    yield Functions(server)
    assert "panicked" not in server.log.read_text(errors="replace")
    assert server.stop() == 0


@pytest.fixture(scope="module")
def function(functions, registry):
    return functions.create(f"{registry}/team/app:one", Environment={"Variables": {"OVER": "function", "OWN": "x"}})


def test_what_a_function_finds(functions, function):
    error, found, tail = functions.invoke(function, a="ü")
    assert error is None, tail
    assert found["event"] == {"a": "ü"} and found["which"] == "one"
    assert (found["name"], found["version"], found["directory"]) == (function, "$LATEST", "/var/task")
    assert found["user"] not in (0, 65534) and found["lowered"] == ["added", "kept"] and found["layers"] == []
    environment = found["environment"]
    assert (environment["OF_IMAGE"], environment["OVER"], environment["OWN"]) == ("image", "function", "x")
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_Image" and environment["AWS_ACCESS_KEY_ID"]
    assert environment["LAMBDA_TASK_ROOT"] == "/var/task" and environment["AWS_REGION"] == "us-east-1"
    log = functions.log(function)
    assert "initialised" in log and "Init Duration" in tail and not any("INIT_START" in line for line in log)
    # The same process goes on.
    assert "Init Duration" not in functions.invoke(function)[2]


def test_only_tmp_can_be_written(functions, function):
    for path, answer in (("/tmp/x", "written"), ("/var/task/x", "Read-only file system"), ("/which", "Read-only file system")):
        assert functions.invoke(function, do="write", path=path)[:2] == (None, answer)


def test_failures(functions, function):
    error, payload, _ = functions.invoke(function, do="raise")
    assert (error, payload["errorType"], payload["errorMessage"]) == ("Unhandled", "ValueError", "as asked")
    error, payload, _ = functions.invoke(function, do="exit")
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert functions.invoke(function)[0] is None


def test_what_is_told_of_it(functions, registry, function, layout):
    digest = layout.digests["one"]
    assert subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{registry}/team/app:one"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout.strip() == digest  # fmt: skip
    told = functions.client.get_function(FunctionName=function)
    assert told["Code"] == {
        "RepositoryType": "ECR", "ImageUri": f"{registry}/team/app:one", "ResolvedImageUri": f"{registry}/team/app@{digest}",
    }  # fmt: skip
    configuration = told["Configuration"]
    assert configuration["PackageType"] == "Image" and configuration["CodeSha256"] == digest.removeprefix("sha256:")
    assert "Runtime" not in configuration and "RuntimeVersionConfig" not in configuration


def test_a_tag_that_moves(functions, registry, layout):
    uri = f"{registry}/team/moving:tag"
    push = lambda tag: layout.copy(tag, f"docker://{uri}", "--dest-tls-verify=false")  # noqa: E731
    push("one")
    name = functions.create(uri)
    version = functions.client.publish_version(FunctionName=name)["Version"]
    push("two")
    # Another environment, too, is made of what the tag was.
    functions.client.update_function_configuration(FunctionName=name, MemorySize=300)
    functions.settle(name)
    assert functions.invoke(name)[1]["which"] == "one"
    updated = functions.client.update_function_code(FunctionName=name, ImageUri=uri)
    assert updated["CodeSha256"] == layout.digests["two"].removeprefix("sha256:")
    functions.settle(name)
    assert functions.invoke(name)[1]["which"] == "two"
    assert functions.invoke(name, version)[1]["which"] == "one"
    exact = f"{registry}/team/moving@{layout.digests['one']}"
    functions.client.update_function_code(FunctionName=name, ImageUri=exact)
    functions.settle(name)
    assert functions.invoke(name)[1]["which"] == "one"


def test_settings_of_the_function(functions, registry):
    uri = f"{registry}/team/app:one"
    name = functions.create(uri, ImageConfig={"Command": ["image.other"]})
    assert functions.invoke(name)[:2] == (None, "the other handler")
    # With a path as its own shell would look it up, and from where it is run.
    entry_point = ["python3", "-m", "awslambdaric", "image.handler"]
    functions.client.update_function_configuration(
        FunctionName=name, ImageConfig={"EntryPoint": entry_point, "WorkingDirectory": "/tmp"},
        Environment={"Variables": {"LAMBDA_TASK_ROOT_": "", "PYTHONPATH": "/packages:/var/task"}},
    )  # fmt: skip
    functions.settle(name)
    assert functions.invoke(name)[1]["directory"] == "/tmp"


@pytest.mark.parametrize(
    "tag, config, kind, message",
    [
        ("one", {"EntryPoint": ["/no/such"]}, "InvalidEntrypoint", "fork/exec /no/such: no such file or directory"),
        ("one", {"EntryPoint": ["/which"]}, "InvalidEntrypoint", "fork/exec /which: permission denied"),
        ("one", {"EntryPoint": ["nothing"]}, "InvalidEntrypoint", 'exec: "nothing": executable file not found in $PATH'),
        ("one", {"WorkingDirectory": "/no/such"}, "InvalidWorkingDir", "chdir /no/such: no such file or directory"),
        ("empty", {}, "InvalidEntrypoint", "Couldn't find valid bootstrap(s): []"),
    ],
)
def test_what_cannot_be_started(functions, registry, tag, config, kind, message):
    error, payload, _ = functions.invoke(functions.create(f"{registry}/team/app:{tag}", ImageConfig=config))
    assert (error, payload["errorType"]) == ("Unhandled", f"Runtime.{kind}")
    assert payload["errorMessage"].endswith(f" Error: {message}")


def test_an_extension_of_the_image(functions, registry):
    name = functions.create(f"{registry}/team/app:extended")
    error, found, _ = functions.invoke(name)
    assert error is None and found["layers"] == ["extensions"]
    log = functions.log(name)
    assert "the extension of the image is here" in log
    assert any(re.match(r"EXTENSION\tName: of-image\tState: Ready", line) for line in log)


def test_an_index_and_other_architectures(functions, registry, layout):
    name = functions.create(f"{registry}/team/app:both")
    assert functions.invoke(name)[0] is None
    code, text = functions.refused(f"{registry}/team/app:arm")
    assert code == "InvalidParameterValueException" and "is for linux/arm64, not for linux/amd64" in text
    code, text = functions.refused(f"{registry}/team/app:one", Architectures=["arm64"])
    assert code == "InvalidParameterValueException" and "is for linux/amd64, not for linux/arm64" in text


def test_what_is_not_there(functions, registry):
    for uri in (f"{registry}/team/app:nothing", f"{registry}/team/nothing:one", f"{registry}/team/app@sha256:{'0' * 64}"):
        text = f"Source image {uri} does not exist. Provide a valid source image."
        assert functions.refused(uri) == ("InvalidParameterValueException", text)
    code, text = functions.refused("registry.example.com/app:one")
    assert code == "AccessDeniedException"
    assert text.startswith("Lambda does not have permission to access the ECR image. Check the ECR permissions.")
    assert "is not among the registries that this server may use" in text


def test_a_registry_that_is_gone(serve, layout, tmp_path):
    with images.registry(tmp_path) as host:
        functions = Functions(serve("--isolation", "sandbox", "--registry", f"http://{host}"))
        layout.copy("one", f"docker://{host}/app:one", "--dest-tls-verify=false")
        name = functions.create(f"{host}/app:one")
    # What was fetched is here.
    assert functions.invoke(name)[1]["which"] == "one"
    code, text = functions.refused(f"{host}/app:one")
    assert code == "ServiceException" and f"cannot fetch {host}/app:one: cannot connect" in text
    functions.server.stop()


def test_passwords(serve, layout, tmp_path):
    with images.registry(tmp_path / "registry", password=True) as host:
        layout.copy("one", f"docker://{host}/app:one", "--dest-tls-verify=false", "--dest-creds", "user:secret")
        credentials = tmp_path / "config.json"
        for password, code in (("wrong", "AccessDeniedException"), ("secret", None)):
            auth = base64.b64encode(f"user:{password}".encode()).decode()
            credentials.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
            server = serve("--isolation", "sandbox", "--registry", f"http://{host}", "--registry-credentials", str(credentials))
            functions = Functions(server)
            if code:
                assert functions.refused(f"{host}/app:one")[0] == code
            else:
                assert functions.invoke(functions.create(f"{host}/app:one"))[1]["which"] == "one"
            server.stop()
            assert auth not in server.log.read_text()


def test_tokens_and_blobs_kept_elsewhere(serve, registry, layout):
    """Who we are is told to nobody but the registry."""
    with images.Guard(registry) as guard:
        functions = Functions(serve("--isolation", "sandbox", "--registry", f"http://{guard.host}"))
        assert functions.invoke(functions.create(f"{guard.host}/team/app:one"))[1]["which"] == "one"
        functions.server.stop()
        elsewhere = [seen for seen in guard.seen if seen[0].startswith("localhost:")]
        assert len(elsewhere) >= 3 and not any(authorization for _, _, authorization in elsewhere)
        assert any(path == "/token?service=test&scope=repository%3Aapp%3Apull" for _, path, _ in guard.seen)


def test_what_many_want_is_fetched_once(serve, registry, layout):
    """Functions of one image, and of images that share layers, deployed at once."""
    with images.Guard(registry) as guard:
        functions = Functions(serve("--isolation", "sandbox", "--registry", f"http://{guard.host}"))
        tags = ["one", "two", "extended"] * 3
        with concurrent.futures.ThreadPoolExecutor(len(tags)) as pool:
            names = list(pool.map(lambda tag: functions.create(f"{guard.host}/team/app:{tag}"), tags))
        assert [functions.invoke(name)[1]["which"] for name in names] == ["one", "two", "one"] * 3
        functions.server.stop()
        fetched = collections.Counter(path for host, path, _ in guard.seen if host.startswith("localhost:"))
        layers = {digest for tag in tags for digest in layout.layers(layout.digests[tag])}
        assert len(layers) == 4 and {fetched[f"/v2/team/app/blobs/{digest}"] for digest in layers} == {1}


def test_images_in_a_directory(serve, layout, layers, tmp_path):
    """A layout, one in a single file, and what `docker save` writes, without any registry."""
    shutil.copytree(layout.directory, tmp_path / "team/app")
    layout.copy("two", f"oci-archive:{tmp_path}/packed.tar")
    layout.copy("two", f"docker-archive:{tmp_path}/saved.tar:app:two")
    server = serve("--isolation", "rootless", "--image-directory", str(tmp_path))
    functions = Functions(server)
    for uri, which in (("team/app:one", "one"), ("team/app:both", "one"), ("packed:any", "two"), ("saved:any", "two")):
        assert functions.invoke(functions.create(f"localhost/{uri}"))[1]["which"] == which, uri
    for uri in ("team/app:nothing", "nothing:one"):
        assert functions.refused(f"localhost/{uri}")[0] == "InvalidParameterValueException"
    server.stop()


def test_without_privileges(at_isolation, registry):
    """A server that is nobody in particular unpacks images and runs them as well."""
    with at_isolation("rootless", "--registry", f"http://{registry}", unprivileged_user=True) as (server, _):
        functions = Functions(server)
        error, found, _ = functions.invoke(functions.create(f"{registry}/team/app:one"))
        assert error is None and found["which"] == "one" and found["lowered"] == ["added", "kept"]


def test_over_a_restart(serve, registry):
    """What is named is there again, and nothing else is kept."""
    server = serve("--isolation", "sandbox", "--registry", f"http://{registry}")
    functions = Functions(server)
    kept, gone = functions.create(f"{registry}/team/app:one"), functions.create(f"{registry}/team/app:two")
    version = functions.client.publish_version(FunctionName=kept)["Version"]
    functions.client.delete_function(FunctionName=gone)
    functions.client.update_function_code(FunctionName=kept, ImageUri=f"{registry}/team/app:extended")
    functions.settle(kept)
    count = lambda kind: len(list((pathlib.Path(server.data) / "images" / kind).iterdir()))  # noqa: E731
    assert (count("images"), count("layers")) == (3, 4)
    server.kill()
    server.start()
    functions = Functions(server)
    assert functions.invoke(kept)[1]["layers"] == ["extensions"] and functions.invoke(kept, version)[1]["layers"] == []
    assert (count("images"), count("layers"), count("work")) == (2, 3, 0)
    server.stop()


def test_without_isolation(serve, registry):
    server = serve("--isolation", "none", "--registry", f"http://{registry}")
    functions = Functions(server)
    name = functions.create(f"{registry}/team/app:one")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        functions.invoke(name)
    assert "without isolation" in refused.value.response["Error"]["Message"]
    server.stop()
