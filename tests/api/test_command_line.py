"""The verbs of `rushlight` for people without the AWS CLI."""

import json
import re

import packages
import pytest
from server import REPOSITORY, unique

FAILING = "def handler(event, context): raise ValueError('no')\n"


@pytest.fixture(scope="module")
def echo(deploy):
    return deploy(packages.python("def handler(event, context):\n    print('seen', event)\n    return {'you said': event}\n"))


def test_functions(server, echo):
    text = server.rushlight("functions").stdout
    assert "NAME" in text and echo in text
    listed = json.loads(server.rushlight("functions", "--json").stdout)
    assert echo in [function["FunctionName"] for function in listed]


def test_invoke(server, echo):
    done = server.rushlight("invoke", echo, '{"a": 1}')
    assert json.loads(done.stdout) == {"you said": {"a": 1}}
    assert "seen {'a': 1}" in done.stderr and "REPORT RequestId: " in done.stderr
    found = json.loads(server.rushlight("invoke", echo, "--json").stdout)
    assert found["StatusCode"] == 200 and found["Payload"] == {"you said": {}} and found["FunctionError"] is None


def test_invoke_reads_files(server, echo, tmp_path):
    event = tmp_path / "event.json"
    event.write_text('["from a file"]')
    assert json.loads(server.rushlight("invoke", echo, f"@{event}").stdout) == {"you said": ["from a file"]}


def test_invoke_fails_with_the_function(server, deploy):
    done = server.rushlight("invoke", deploy(packages.python(FAILING)), check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["errorType"] == "ValueError"


def test_refusals_are_one_sentence(server):
    done = server.rushlight("invoke", "nobody", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("rushlight: ResourceNotFoundException: Function not found: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_server(server):
    done = server.rushlight("functions", "--endpoint", "http://127.0.0.1:1", check=False)
    assert done.returncode == 1 and "start one with 'rushlight serve'" in done.stderr


def test_doctor(server):
    found = json.loads(server.rushlight("doctor", "--json").stdout)
    assert found["isolation"] in ("sandbox", "rootless")
    for finding in found["machine"]:
        assert finding["status"] == "good" or (finding["meaning"] and finding["mend"]), finding
    assert {"python3.12", "nodejs22.x", "provided.al2023"} <= {runtime["identifier"] for runtime in found["runtimes"]}
    assert "Isolation" in server.rushlight("doctor").stdout


def test_clock_advance(serve, deployer):
    instance = serve("--isolation", "none", "--clock", "virtual")
    deploy = deployer(instance)
    before = deploy(packages.python("def handler(event, context): pass\n"))
    text = instance.rushlight("clock", "advance", "86400").stdout
    assert re.match(r"It is now \d{4}-\d{2}-\d{2}T", text)
    after = deploy(packages.python("def handler(event, context): pass\n"))
    modified = [instance.client().get_function_configuration(FunctionName=name)["LastModified"] for name in (before, after)]
    assert modified[0][:10] < modified[1][:10]
    # Clients sign with real time and are still heard; a URL handed out before has ended.
    location = instance.client().get_function(FunctionName=after)["Code"]["Location"]
    instance.rushlight("clock", "advance", "700")
    status, body = fetch(location)
    assert status == 403 and b"expired" in body
    instance.stop()


def test_a_real_clock_does_not_advance(server):
    done = server.rushlight("clock", "advance", "1", check=False)
    assert done.returncode == 1 and "--clock virtual" in done.stderr


def fetch(url):
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_operators_settings_reach_functions(serve, deployer):
    instance = serve(
        "--isolation", "none", "--function-env", "STAGE=test", "--endpoint", "sqs=http://127.0.0.1:4566",
    )  # fmt: skip
    name = deployer(instance)(packages.python("import os\ndef handler(event, context): return dict(os.environ)\n"))
    seen = json.loads(instance.client().invoke(FunctionName=name)["Payload"].read())
    assert seen["STAGE"] == "test" and seen["AWS_ENDPOINT_URL_SQS"] == "http://127.0.0.1:4566"
    instance.stop()


def test_functions_reach_rushlight_with_the_credentials_of_their_role(deploy, client, server):
    code = """
import json, os, urllib.request
def handler(event, context):
    # No SDK here: that the endpoint answers and knows the caller's key is enough.
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/_rushlight/health")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)
"""
    answer = client.invoke(FunctionName=deploy(packages.python(code), Timeout=20))
    assert json.loads(answer["Payload"].read())["status"] == "ok"


def test_the_readmes_commands(server, tmp_path, python_runtime):
    """Every `sh` block of the README runs as printed, against a server that runs already."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.M | re.S)
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + "\n".join(blocks)
    name = unique("hello")
    for text, replacement in {
        "/tmp/rushlight/credentials": str(server.data / "credentials"),
        "--data-dir /tmp/rushlight": f"--data-dir {server.data} --endpoint {server.endpoint}",
        "http://127.0.0.1:9000": server.endpoint,
        "target/release/rushlight": str(server_binary()),
        "python3.11": python_runtime,
        "--function-name hello": f"--function-name {name}",
        "invoke hello": f"invoke {name}",
        "logs hello": f"logs {name}",
        "/aws/lambda/hello": f"/aws/lambda/{name}",
    }.items():
        assert text in script, text
        script = script.replace(text, replacement)
    import subprocess

    from server import PLAIN_ENVIRONMENT, TOOLS

    cli = TOOLS / "aws-cli-2"
    if not (cli / "aws").exists():
        pytest.skip("the AWS CLI version 2 is not here")
    environment = PLAIN_ENVIRONMENT | {"PATH": f"{cli}:{PLAIN_ENVIRONMENT['PATH']}", "AWS_PAGER": "", "AWS_CONFIG_FILE": "/dev/null"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"hello": "rushlight"' in done.stdout and done.stdout.count("REPORT RequestId: ") >= 3


def server_binary():
    from server import BINARY

    return BINARY
