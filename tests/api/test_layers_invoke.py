"""Functions run with their layers: merged into /opt in their order, at every level of isolation."""

import json
import os
import shutil

import pytest

import packages
from conftest import ISOLATION
from server import unique, wait_until


@pytest.fixture(scope="module", params=[ISOLATION, "rootless as another user", "none"])
def level(request, at_isolation, unprivileged):
    """A server at this level, and a deployer for it."""
    other = request.param == "rootless as another user"
    if other and unprivileged is None:
        pytest.skip("needs root")
    with at_isolation(request.param.split(" ")[0], unprivileged_user=other) as running:
        yield running


def publish(client, files, name=None):
    version = client.publish_layer_version(LayerName=name or unique("layer"), Content={"ZipFile": packages.package(files)})
    return version["LayerVersionArn"]


def invoke(client, name, event=None):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


IMPORTS = "import tools\ndef handler(event, context): return tools.NAME\n"


def test_python_modules(level, python_runtime):
    _, deploy = level
    client = deploy.client
    version = python_runtime.removeprefix("python")
    site = f"python/lib/python{version}/site-packages"
    plain = publish(client, {"python/tools.py": "NAME = 'plain'\n"})
    deep = publish(client, {f"{site}/tools.py": "NAME = 'of the version'\n", f"{site}/more/__init__.py": "X = 1\n"})
    assert invoke(client, deploy(packages.python(IMPORTS), Layers=[plain])) == "plain"
    # The version's own folder comes before the one for all, whatever the layers' order.
    for layers in ([plain, deep], [deep, plain]):
        assert invoke(client, deploy(packages.python(IMPORTS), Layers=layers)) == "of the version"
    # The function's own code comes before both.
    own = packages.package({"index.py": IMPORTS, "tools.py": "NAME = 'own'\n"})
    assert invoke(client, deploy(own, Layers=[plain, deep])) == "own"


def test_later_layers_lie_over_earlier_ones(level):
    _, deploy = level
    client = deploy.client
    one = publish(client, {"python/tools.py": "NAME = 'one'\n", "python/first.py": "NAME = 1\n", "data/only-one": "1"})
    two = publish(client, {"python/tools.py": "NAME = 'two'\n", "python/second.py": "NAME = 2\n", "data/only-two": "2"})
    same = publish(client, {"python/tools.py": "NAME = 'one'\n", "python/first.py": "NAME = 1\n", "data/only-one": "1"})
    code = packages.python(
        "import first, second, tools, os\n"
        "def handler(event, context):\n"
        "    data = os.path.join(os.path.dirname(os.path.dirname(tools.__file__)), 'data')\n"
        "    return [tools.NAME, first.NAME, second.NAME, sorted(os.listdir(data))]\n"
    )
    everything = [1, 2, ["only-one", "only-two"]]
    assert invoke(client, deploy(code, Layers=[one, two])) == ["two", *everything]
    name = deploy(code, Layers=[two, one])
    assert invoke(client, name) == ["one", *everything]
    # Two layers with the same content are one tree.
    client.update_function_configuration(FunctionName=name, Layers=[one, two, same])
    deploy.wait(name)
    assert invoke(client, name) == ["one", *everything]
    # A change of the order makes new environments.
    client.update_function_configuration(FunctionName=name, Layers=[same, two])
    deploy.wait(name)
    assert invoke(client, name) == ["two", *everything]


def test_node_modules(level, node_runtime):
    _, deploy = level
    client = deploy.client
    common = "exports.name = 'from the layer';\n"
    layer = publish(client, {"nodejs/node_modules/tools/index.js": common, "nodejs/node_modules/tools/package.json": "{}"})
    code = packages.package({"index.js": "exports.handler = async () => require('tools').name;\n"})
    assert invoke(client, deploy(code, Layers=[layer], runtime=node_runtime)) == "from the layer"
    major = node_runtime.removeprefix("nodejs").split(".")[0]
    deep = publish(client, {f"nodejs/node{major}/node_modules/tools/index.js": "exports.name = 'of the version';\n"})
    assert invoke(client, deploy(code, Layers=[layer, deep], runtime=node_runtime)) == "of the version"


BOOTSTRAP = """#!/bin/sh
# Answers with what is on the search paths of programs and libraries.
while true; do
  curl -sS -D "${TMPDIR:-/tmp}/head" -o "${TMPDIR:-/tmp}/event" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"
  id=$(tr -d '\\r' < "${TMPDIR:-/tmp}/head" | grep -i '^lambda-runtime-aws-request-id:' | cut -d' ' -f2)
  curl -sS -X POST --data "\\"WHO $(greet) $LD_LIBRARY_PATH\\"" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" > /dev/null
done
"""


def test_a_bootstrap_and_programs_from_layers(level):
    """A runtime may come from a layer; /opt/bin is on PATH, /opt/lib on LD_LIBRARY_PATH."""
    if shutil.which("curl") is None:
        pytest.skip("the bootstrap of this test needs curl")
    _, deploy = level
    client = deploy.client
    runtime = publish(client, {"bootstrap": BOOTSTRAP.replace("WHO", "layer"), "bin/greet": "#!/bin/sh\necho hello\n"})
    library = publish(client, {"lib/libnothing.so": "no library at all", "bin/greet": "#!/bin/sh\necho bye\n"})
    code = packages.package({"nothing": "here"})
    name = deploy(code, Layers=[runtime, library], runtime="provided.al2023", Timeout=30)
    who, greeting, libraries = invoke(client, name).split(" ")
    assert (who, greeting) == ("layer", "bye")
    assert any(path.endswith("/lib") and path not in ("/lib", "/usr/lib") for path in libraries.split(":"))
    # A bootstrap of the function's own comes first.
    own = packages.bootstrap(BOOTSTRAP.replace("WHO", "own"))
    name = deploy(own, Layers=[runtime], runtime="provided.al2023", Timeout=30)
    assert invoke(client, name).split(" ")[:2] == ["own", "hello"]
    # Without any there is nothing to run.
    name = deploy(code, Layers=[library], runtime="provided.al2023", Timeout=30)
    payload = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    assert payload["errorType"] == "Runtime.InvalidEntrypoint"


def test_shared_libraries_from_layers(level, python_runtime):
    """What is in /opt/lib is found by the dynamic linker."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    import subprocess
    import tempfile

    _, deploy = level
    client = deploy.client
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "answer.c")
        with open(source, "w") as file:
            file.write("int answer(void) { return 42; }\n")
        library = os.path.join(directory, "librushanswer.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        with open(library, "rb") as file:
            layer = publish(client, {"lib/librushanswer.so": file.read()})
    code = packages.python("import ctypes\ndef handler(event, context): return ctypes.CDLL('librushanswer.so').answer()\n")
    assert invoke(client, deploy(code, Layers=[layer])) == 42


def test_a_layer_is_read_only(server, deploy):
    layer = publish(deploy.client, {"python/tools.py": "NAME = 1\n"})
    code = packages.python(
        "import os\n"
        "def handler(event, context):\n"
        "    refused = []\n"
        "    for act in (lambda: open('/opt/python/tools.py', 'a'), lambda: open('/opt/new', 'w'), lambda: os.remove('/opt/python/tools.py')):\n"
        "        try: act()\n"
        "        except OSError as error: refused.append(type(error).__name__)\n"
        "    return [refused, os.stat('/opt').st_uid, oct(os.stat('/opt/python/tools.py').st_mode)]\n"
    )
    second = publish(deploy.client, {"python/more.py": ""})
    for layers in ([layer], [layer, second]):
        refused, owner, mode = invoke(deploy.client, deploy(code, Layers=layers))
        assert len(refused) == 3
        assert mode == "0o100644"


def test_a_deleted_version_stays_usable(serve, deployer):
    instance = serve("--isolation", ISOLATION)
    deploy = deployer(instance)
    client = instance.client()
    first = publish(client, {"python/tools.py": "NAME = 'first'\n"}, "kept")
    other = publish(client, {"python/other.py": "NAME = 'other'\n"})
    name = deploy(packages.python(IMPORTS), Layers=[other, first])
    published = client.publish_version(FunctionName=name)["Version"]
    assert invoke(client, name) == "first"
    client.delete_layer_version(LayerName="kept", VersionNumber=1)
    client.delete_layer_version(LayerName=other.split(":")[6], VersionNumber=1)
    assert invoke(client, name) == "first"
    # Cold starts after a restart, also of a version that $LATEST no longer resembles.
    for way in (instance.stop, instance.kill):
        way()
        instance.start()
        client = instance.client()
        assert client.get_function(FunctionName=name)["Configuration"]["Layers"][1]["Arn"] == first
        assert invoke(client, name) == "first"
    second = publish(client, {"python/tools.py": "NAME = 'second'\n"}, "kept")
    assert second.endswith(":2")
    client.update_function_configuration(FunctionName=name, Layers=[second])
    wait_until(
        lambda: client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful", what="the update"
    )
    assert invoke(client, name) == "second"
    instance.stop()
    instance.start()
    client = instance.client()
    assert invoke(client, name) == "second"
    assert invoke(client, f"{name}:{published}") == "first"
    instance.stop()


def test_unused_archives_go(serve, deployer):
    """What neither a layer, a function nor an environment needs leaves the disk; the rest stays."""
    instance = serve("--isolation", ISOLATION, "--clock", "virtual")
    deploy = deployer(instance)
    client = instance.client()

    def archives():
        return {path.name for path in (instance.data / "blobs").rglob("*") if path.is_file() and len(path.name) == 64}

    empty = archives()
    used = publish(client, {"python/tools.py": "NAME = 'used'\n"}, "used")
    after_used = archives()
    publish(client, {"python/tools.py": "NAME = 'unused'\n"}, "unused")
    name = deploy(packages.python(IMPORTS), Layers=[used])
    everything = archives()
    assert len(everything) == len(empty) + 3
    client.delete_layer_version(LayerName="used", VersionNumber=1)
    client.delete_layer_version(LayerName="unused", VersionNumber=1)

    def only(expected):
        instance.rushlight("clock", "advance", "3600")
        return archives() == expected

    unused = {archive for archive in everything - after_used}
    wait_until(lambda: len(archives()) == len(everything) - 1 or only(None), what="that the unused layer goes")
    assert after_used - empty <= archives() and len(unused - archives()) == 1
    assert invoke(client, name) == "used"
    client.delete_function(FunctionName=name)
    wait_until(lambda: only(empty), what="that all archives go")
    instance.stop()
