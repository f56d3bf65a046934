"""SnapStart of Java functions, whose hooks are org.crac's: with our client and with AWS'."""

import pathlib
import shutil
import subprocess

import botocore.exceptions
import pytest

import packages
from conftest import ISOLATION
from server import TOOLS, wait_until
from test_java import CLIENT, INSTEAD
from test_snap_start import Snapshots

JARS = TOOLS / "aws-java-client/jars"
CRAC = JARS / "crac-1.4.0.jar"
COURSE = ["before: last", "before: first", "after: first", "after: last"]

pytestmark = pytest.mark.skipif(not shutil.which("javac") or not CRAC.exists(), reason="./dev test installs Java and org.crac")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    directory = tmp_path_factory.mktemp("classes")
    source = packages.FUNCTIONS / "java-snap-start/example/Snapshots.java"
    options = ["--release", "8", "-Xlint:-options", "-cp", f"{CLIENT}:{CRAC}", "-d", directory]
    subprocess.run(["javac", *options, source], check=True, timeout=120)
    classes = {str(path.relative_to(directory)): path.read_bytes() for path in pathlib.Path(directory).rglob("*.class")}
    return packages.package(classes | {"lib/crac.jar": CRAC.read_bytes()})


@pytest.fixture(scope="module")
def runtime(machine):
    return next(name for name in ("java17", "java21", "java25", "java11") if machine[name]["status"] == "found")


@pytest.fixture(scope="module")
def here(serve, deployer, runtime):
    server = serve("--isolation", ISOLATION)
    yield Snapshots(server, deployer, runtime)
    assert server.stop() == 0


def deploy(here, package, **settings):
    return here.deploy(package, handler="example.Snapshots", MemorySize=512, Timeout=20, **settings)


def failing(when):
    return {"Environment": {"Variables": {"FAIL": when}}}


def check(here, package, **settings):
    name = deploy(here, package, **settings)
    version = here.publish(name)
    first, again = here.call(name, version), here.call(name, version)
    assert first["course"] == COURSE == again["course"] and first["atInit"] == again["atInit"]
    assert first["random"] != again["random"] and first["type"] == "snap-start" and first["logStream"] in ("null", "")
    assert here.call(name, "$LATEST")["course"] == []
    wait_until(lambda: any("Restore Duration" in line and line.startswith("REPORT") for line in here.log(name)))


def test_hooks(here, package):
    check(here, package)


def test_a_hook_before_the_snapshot_fails(here, package):
    name = deploy(here, package, **failing("before"))
    version = here.publish(name, "Failed")
    assert "Runtime.BeforeCheckpointError" in here.state(name, version)["StateReason"]
    log = "\n".join(here.log(name))
    assert "com.amazonaws.services.lambda.crac.CheckpointException" in log and "IllegalStateException: as asked" in log


def test_a_hook_after_the_restore_fails(here, package):
    name = deploy(here, package, **failing("after"))
    version = here.publish(name)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        here.call(name, version)
    assert refused.value.response["Error"]["Code"] == "SnapStartException"
    log = "\n".join(here.log(name))
    assert "Status: error\tError Type: Runtime.AfterRestoreError" in log and "RestoreException" in log


def test_as_the_client_of_aws(here, package):
    """The same function with AWS' own client, which is told of org.crac as AWS' runtime tells it."""
    files = {f"aws/{path.name}": path.read_bytes() for path in JARS.glob("*.jar")}
    layer = here.lambda_.publish_layer_version(LayerName="aws-java", Content={"ZipFile": packages.package(files | {"instead": INSTEAD})})
    options = "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac"
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/instead", "JAVA_TOOL_OPTIONS": options}
    check(here, package, Layers=[layer["LayerVersionArn"]], Environment={"Variables": variables})
