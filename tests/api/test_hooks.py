"""What a function may put between the platform and its runtime: wrappers, and the variables that interpreters read."""

import json

import pytest

import packages
from server import unique, wait_until

WRAPPED = packages.python("import os, sys\ndef handler(event, context): return [os.environ.get('WRAPPED'), sys.flags.optimize]\n")
WRAPPER = "#!/bin/sh\nexport WRAPPED=\"$1\"\nshift\nexec \"$WRAPPED\" -O \"$@\"\n"
TOLD = "def handler(event, context):\n    import sys\n    return {expression}\n"


def answer(client, name):
    invoked = client.invoke(FunctionName=name)
    return invoked.get("FunctionError"), json.load(invoked["Payload"])


def variables(**values):
    return {"Environment": {"Variables": values}}


@pytest.fixture(scope="module")
def layer(client):
    def publish(files):
        content = {"ZipFile": packages.package(files)}
        return client.publish_layer_version(LayerName=unique("hook"), Content=content)["LayerVersionArn"]

    return publish


def test_a_wrapper_of_a_layer_adds_an_argument(deploy, client, layer):
    """It is given the interpreter's path and all arguments, as AWS' documentation of wrapper scripts has it."""
    layers = [layer({"wrap": WRAPPER})]
    name = deploy(WRAPPED, Layers=layers, **variables(AWS_LAMBDA_EXEC_WRAPPER="/opt/wrap"))
    error, (interpreter, optimize) = answer(client, name)
    assert error is None and interpreter.startswith("/var/lang/bin/python") and optimize == 1


def test_a_wrapper_that_is_a_program(deploy, client, layer):
    """Any program that executes what it is given will do: here env(1)."""
    with open("/usr/bin/env", "rb") as program:
        layers = [layer({"env": program.read()})]
    name = deploy(WRAPPED, Layers=layers, **variables(AWS_LAMBDA_EXEC_WRAPPER="/opt/env"))
    assert answer(client, name) == (None, [None, 0])


@pytest.mark.parametrize(
    "files, wrapper, line, status",
    [
        ({}, "/opt/absent", "/opt/absent: does not exist", 127),
        ({"plain": "echo"}, "/opt/plain", "/opt/plain: is not an executable", 126),
    ],
)
def test_a_wrapper_that_cannot_be_executed(deploy, client, server, layer, files, wrapper, line, status):
    layers = [layer({"other": ""} | files)]
    name = deploy(WRAPPED, Layers=layers, **variables(AWS_LAMBDA_EXEC_WRAPPER=wrapper))
    error, body = answer(client, name)
    assert (error, body["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert body["errorMessage"].endswith(f"Error: Runtime exited with error: exit status {status}")
    group = f"/aws/lambda/{name}"
    said = lambda: [event["message"] for event in server.client("logs").filter_log_events(logGroupName=group)["events"]]  # noqa: E731
    wait_until(lambda: line in said(), what="what the shell would say")


def test_runtimes_that_are_only_an_operating_system_have_no_wrapper(deploy, client):
    code = '#!/bin/sh\nAPI="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"\nwhile true; do\n'
    code += 'ID=$(curl -sS -D - -o /dev/null "$API/invocation/next" | tr -d "\\r" | sed -n "s/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p")\n'
    code += 'curl -sS -o /dev/null -d "\\"${WRAPPED-plain}\\"" "$API/invocation/$ID/response"\ndone\n'
    package = packages.package({"bootstrap": code, "wrap": "#!/bin/sh\nWRAPPED=wrapped exec \"$@\"\n"})
    name = deploy(package, runtime="provided.al2023", **variables(AWS_LAMBDA_EXEC_WRAPPER="/var/task/wrap"))
    assert answer(client, name) == (None, "plain")


@pytest.mark.parametrize(
    "values, expression, expected",
    [
        ({"PYTHONOPTIMIZE": "2"}, "sys.flags.optimize", 2),
        ({"PYTHONWARNINGS": "error"}, "sys.warnoptions", ["error"]),
        ({"PYTHONHASHSEED": "0"}, "sys.flags.hash_randomization", 0),
        ({"PYTHONPATH": "/var/task/vendored"}, "__import__('only_there').WHERE", "vendored"),
        ({"PYTHONUTF8": "1"}, "sys.flags.utf8_mode", 1),
    ],
)
def test_what_python_reads(deploy, client, values, expression, expected):
    files = {"index.py": TOLD.format(expression=expression), "vendored/only_there.py": "WHERE = 'vendored'\n"}
    assert answer(client, deploy(packages.package(files), **variables(**values))) == (None, expected)


def test_what_node_reads(deploy, client, server, node_runtime):
    files = {
        "index.mjs": "export const handler = async () => {\n"
        "  process.emitWarning('as asked', 'Hooked');\n  return globalThis.required;\n};\n",
        "before.cjs": "globalThis.required = 'before';\n",
    }
    options = "--require /var/task/before.cjs --trace-warnings --enable-source-maps"
    name = deploy(packages.package(files), runtime=node_runtime, **variables(NODE_OPTIONS=options))
    assert answer(client, name) == (None, "before")
    group = f"/aws/lambda/{name}"
    said = lambda: "\n".join(event["message"] for event in server.client("logs").filter_log_events(logGroupName=group)["events"])  # noqa: E731,E501
    wait_until(lambda: "Hooked: as asked" in said() and "at " in said().split("Hooked: as asked")[1], what="where it was warned")


def test_node_does_not_start_with_options_that_it_does_not_know(deploy, client, node_runtime):
    package = packages.node("export const handler = async () => 1;\n")
    name = deploy(package, runtime=node_runtime, **variables(NODE_OPTIONS="--no-such-option"))
    error, body = answer(client, name)
    assert (error, body["errorType"]) == ("Unhandled", "Runtime.ExitError") and body["errorMessage"].endswith("exit status 9")
