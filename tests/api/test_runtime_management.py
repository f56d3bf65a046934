"""When versions get another runtime, and what becomes of functions that call themselves."""

import botocore.exceptions
import pytest

import packages
from server import unique

# Not the version of a runtime that is on this machine: AWS' own.
PINNED = "arn:aws:lambda:us-east-1::runtime:8eeff65f6809a3ce81507fe733fe09b835899b99481ba22fd75b5a7338290ec1"
PACKAGE = packages.python("def handler(event, context): return 1\n")


def test_modes_of_versions(recorded, golden, deploy):
    client, recorder = recorded
    name = deploy(PACKAGE, name=unique("managed"))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def check(step):
        golden.check(f"runtime-management-{step}", recorder.answer(), {name: "<name>", PINNED: "<pinned>"})

    client.get_runtime_management_config(FunctionName=name)
    check("get-auto")
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Manual", RuntimeVersionArn=PINNED)
    check("put-manual")
    client.get_runtime_management_config(FunctionName=name, Qualifier="$LATEST")
    check("get-manual-latest")
    client.put_runtime_management_config(FunctionName=name, Qualifier="1", UpdateRuntimeOn="FunctionUpdate")
    check("put-function-update")
    client.get_runtime_management_config(FunctionName=f"{name}:1")
    check("get-function-update")
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Auto")
    check("put-auto")

    def refused(step, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            client.put_runtime_management_config(FunctionName=name, **arguments)
        check(f"refused-{step}")

    refused("no-arn", UpdateRuntimeOn="Manual")
    refused("short-arn", UpdateRuntimeOn="Manual", RuntimeVersionArn="arn:aws:lambda:us-east-1::")
    refused("mode", UpdateRuntimeOn="Never")
    refused("alias", UpdateRuntimeOn="Auto", Qualifier="live")
    refused("version", UpdateRuntimeOn="Auto", Qualifier="2")
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


def test_loops(recorded, golden, deploy):
    client, recorder = recorded
    name = deploy(PACKAGE, name=unique("loop"))

    def check(step):
        golden.check(f"recursion-{step}", recorder.answer(), {name: "<name>"})

    client.get_function_recursion_config(FunctionName=name)
    check("get-default")
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    check("put")
    client.get_function_recursion_config(FunctionName=name)
    check("get")

    def refused(step, function, **arguments):
        operation = client.put_function_recursion_config if arguments else client.get_function_recursion_config
        with pytest.raises(botocore.exceptions.ClientError):
            operation(FunctionName=function, **arguments)
        check(f"refused-{step}")

    refused("value", name, RecursiveLoop="Never")
    refused("qualified", f"{name}:1", RecursiveLoop="Allow")
    refused("no-function", "nobody", RecursiveLoop="Allow")
    refused("no-function", "nobody")
