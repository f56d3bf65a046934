"""Functions on the instances of a capacity provider: whole answers, versions, scaling, what is refused."""

import json

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, ROLE, unique, wait_until
from test_capacity_providers import make  # noqa: F401

RUNTIME = packages.bootstrap(
    "#!/usr/bin/env python3\n"
    "import http.client, os\n"
    "api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
    "while True:\n"
    "    api.request('GET', '/2018-06-01/runtime/invocation/next')\n"
    "    answer = api.getresponse(); answer.read()\n"
    "    request_id = answer.headers['Lambda-Runtime-Aws-Request-Id']\n"
    "    api.request('POST', f'/2018-06-01/runtime/invocation/{request_id}/response', b'\"done\"')\n"
    "    api.getresponse().read()\n"
)
MISSING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:missing"


def arn_of(provider):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:{provider}"


def on(provider, **settings):
    arn = provider if provider.startswith("arn:") else arn_of(provider)
    return {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn} | settings}


def wait_state(client, name, qualifier, wanted):
    def state():
        return client.get_function_configuration(FunctionName=name, Qualifier=qualifier)["State"] == wanted

    wait_until(state, what=f"that {name}:{qualifier} is {wanted}")


def test_life_of_a_function(recorded, golden, deploy, make):
    client, recorder = recorded
    provider, other = make(), make()
    name = unique("managed")

    def check(step):
        names = {name: "<name>", provider: "<provider>", other: "<other>"}
        golden.check(f"managed-instances-{step}", recorder.answer(), names)

    deploy(RUNTIME, name=name, client=client, wait=False, runtime="provided.al2023", CapacityProviderConfig=on(provider))
    check("create")
    deploy.wait(name, client)
    client.get_function(FunctionName=name)
    check("get")
    client.publish_version(FunctionName=name)
    check("publish")
    wait_state(client, name, "1", "Active")
    client.get_function_configuration(FunctionName=name, Qualifier="1")
    check("get-version")
    client.list_function_versions_by_capacity_provider(CapacityProviderName=provider)
    check("versions")
    client.update_function_configuration(
        FunctionName=name,
        MemorySize=32_768,
        Timeout=5400,
        CapacityProviderConfig=on(
            other, PerExecutionEnvironmentMaxConcurrency=256, ExecutionEnvironmentMemoryGiBPerVCpu=8
        ),
    )
    check("update")
    deploy.wait(name, client)
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_capacity_provider(CapacityProviderName=provider)
    check("provider-in-use")
    client.delete_function(FunctionName=name)
    client.list_function_versions_by_capacity_provider(CapacityProviderName=provider)
    check("no-versions")


def test_versions_are_invoked(recorded, golden, deploy, make):
    client, recorder = recorded
    name = unique("invoked")
    settings = dict(runtime="provided.al2023", CapacityProviderConfig=on(make()), Publish=True)
    deploy(RUNTIME, name=name, client=client, **settings)
    wait_state(client, name, "1", "Active")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        assert json.load(client.invoke(FunctionName=name, Qualifier=qualifier)["Payload"]) == "done"
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.invoke(FunctionName=name)
    golden.check("managed-instances-invoke-latest", recorder.answer(), {name: "<name>"})


def test_scaling(recorded, golden, deploy, make):
    client, recorder = recorded
    name = unique("scaled")
    settings = dict(runtime="provided.al2023", CapacityProviderConfig=on(make()), Publish=True)
    deploy(RUNTIME, name=name, client=client, **settings)
    wait_state(client, name, "1", "Active")

    def check(step):
        golden.check(f"function-scaling-{step}", recorder.answer(), {name: "<name>"})

    def put(step, low=None, high=None, qualifier="1", function=name):
        bounds = {"MinExecutionEnvironments": low, "MaxExecutionEnvironments": high}
        bounds = {key: bound for key, bound in bounds.items() if bound is not None}
        client.put_function_scaling_config(FunctionName=function, Qualifier=qualifier, FunctionScalingConfig=bounds)
        check(step)

    def get(step):
        client.get_function_scaling_config(FunctionName=name, Qualifier="1")
        check(step)

    def refused(step, *bounds, **target):
        with pytest.raises(botocore.exceptions.ClientError):
            put(step, *bounds, **target)
        check(f"refused-{step}")

    get("get-default")
    put("put", 2, 15_000)
    get("get")
    put("put-none", 0, 0)
    wait_state(client, name, "1", "Deactivated")
    get("get-none")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.invoke(FunctionName=name, Qualifier="1")
    check("invoke-deactivated")
    put("put-default")
    wait_state(client, name, "1", "Active")
    assert json.load(client.invoke(FunctionName=name, Qualifier="1")["Payload"]) == "done"

    refused("alone", 1)
    refused("order", 2, 1)
    refused("zero", 0, 1)
    refused("more", 1, 15_001)
    refused("latest", 1, 1, qualifier="$LATEST")
    refused("latest-published", 1, 1, qualifier="$LATEST.PUBLISHED")
    refused("version", 1, 1, qualifier="2")
    ordinary = deploy(Publish=True)
    with pytest.raises(botocore.exceptions.ClientError):
        client.get_function_scaling_config(FunctionName=ordinary, Qualifier="1")
    check("refused-ordinary")


def test_pages_of_versions(client, deploy, make):
    provider = make()
    settings = dict(runtime="provided.al2023", CapacityProviderConfig=on(provider), Publish=True)
    names = sorted(deploy(RUNTIME, wait=False, **settings) for _ in range(5))
    pages = client.get_paginator("list_function_versions_by_capacity_provider").paginate(
        CapacityProviderName=arn_of(provider), PaginationConfig={"PageSize": 2}
    )
    arns = [[version["FunctionArn"].split(":function:")[1] for version in page["FunctionVersions"]] for page in pages]
    versions = [f"{name}:1" for name in names]
    assert arns == [versions[0:2], versions[2:4], versions[4:5]]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_function_versions_by_capacity_provider(CapacityProviderName="missing")


def test_what_is_refused(recorded, golden, deploy, make):
    client, recorder = recorded
    provider = make()
    ordinary = deploy(wait=True)

    def check(step):
        names = {provider: "<provider>", ordinary: "<ordinary>"}
        golden.check(f"managed-instances-refused-{step}", recorder.answer(), names)

    def refused(step, config=None, **settings):
        with pytest.raises(botocore.exceptions.ClientError):
            client.create_function(
                FunctionName=unique("refused"),
                Role=ROLE,
                Handler="bootstrap",
                Code={"ZipFile": RUNTIME},
                CapacityProviderConfig=on(provider) if config is None else config,
                **{"Runtime": "provided.al2023"} | settings,
            )
        check(step)

    refused("memory", MemorySize=2047)
    refused("large-memory", MemorySize=32_769)
    refused("timeout", Timeout=5401)
    refused("vpc", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    refused("tenancy", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    refused("runtime", Runtime="provided.al2")
    refused("text", LoggingConfig={"LogFormat": "Text"})
    refused("architecture", Architectures=["arm64"])
    refused("concurrency", on(provider, PerExecutionEnvironmentMaxConcurrency=1601))
    refused("concurrency-per-vcpu", on(provider, PerExecutionEnvironmentMaxConcurrency=65))
    refused("ratio", on(provider, ExecutionEnvironmentMemoryGiBPerVCpu=3))
    refused("large-ratio", on(provider, ExecutionEnvironmentMemoryGiBPerVCpu=8.5))
    refused("vcpu", on(provider, ExecutionEnvironmentMemoryGiBPerVCpu=4))
    refused("missing", on(MISSING))
    refused("null", {})
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.update_function_configuration(FunctionName=ordinary, CapacityProviderConfig=on(provider))
    check("ordinary")


def test_functions_survive_a_crash(serve, deployer):
    server = serve("--isolation", "none")
    client = server.client()
    client.create_capacity_provider(
        CapacityProviderName="p",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
    )
    wait_until(
        lambda: client.get_capacity_provider(CapacityProviderName="p")["CapacityProvider"]["State"] == "Active",
        what="that the provider is active",
    )
    name = deployer(server)(RUNTIME, wait=False, runtime="provided.al2023", CapacityProviderConfig=on("p"), Publish=True)
    server.kill()
    client = server.start().client()
    wait_state(client, name, "1", "Active")
    client.put_function_scaling_config(
        FunctionName=name,
        Qualifier="1",
        FunctionScalingConfig={"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0},
    )
    server.kill()
    client = server.start().client()
    wait_state(client, name, "1", "Deactivated")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_capacity_provider(CapacityProviderName="p")
    client.delete_function(FunctionName=name)
    client.delete_capacity_provider(CapacityProviderName="p")
    server.stop()
