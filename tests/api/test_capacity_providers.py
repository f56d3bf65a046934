"""Capacity providers: whole answers, states, pages, what is refused."""

import botocore.exceptions
import pytest

from server import ACCOUNT, REGION, unique, wait_until

VPC = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
PERMISSIONS = {"CapacityProviderOperatorRoleArn": f"arn:aws:iam::{ACCOUNT}:role/operator"}
EVERYTHING = dict(
    InstanceRequirements={"Architectures": ["arm64"], "AllowedInstanceTypes": ["c7g.large", "c7g.xlarge"]},
    CapacityProviderScalingConfig={
        "MaxVCpuCount": 128,
        "ScalingMode": "Manual",
        "ScalingPolicies": [{"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 70.5}],
    },
    KmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    PropagateTags={"Mode": "Explicit", "ExplicitTags": {"team": "light"}},
    TelemetryConfig={"LoggingConfig": {"SystemLogLevel": "WARN", "LogGroup": "/own/group"}},
    Tags={"team": "light"},
)


def state(client, name):
    return client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]["State"]


def wait_active(client, name):
    wait_until(lambda: state(client, name) == "Active", what=f"that {name} is active")


def wait_gone(client, name):
    def gone():
        try:
            return state(client, name) is None
        except client.exceptions.ResourceNotFoundException:
            return True

    wait_until(gone, what=f"that {name} is gone")


@pytest.fixture
def make(server):
    """Makes active providers, and removes them again."""
    made = []

    def create(client=None, **settings):
        client = client or server.client()
        name = unique("provider")
        client.create_capacity_provider(
            CapacityProviderName=name, VpcConfig=VPC, PermissionsConfig=PERMISSIONS, **settings
        )
        made.append((client, name))
        wait_active(client, name)
        return name

    yield create
    for client, name in made:
        try:
            client.delete_capacity_provider(CapacityProviderName=name)
        except (client.exceptions.ResourceNotFoundException, client.exceptions.ResourceConflictException):
            pass


@pytest.mark.parametrize("kind", ["minimal", "everything"])
def test_life_of_a_provider(recorded, golden, kind):
    client, recorder = recorded
    name = unique("life")

    def check(step):
        golden.check(f"capacity-provider-{kind}-{step}", recorder.answer(), {name: "<name>"})

    settings = EVERYTHING if kind == "everything" else {}
    client.create_capacity_provider(CapacityProviderName=name, VpcConfig=VPC, PermissionsConfig=PERMISSIONS, **settings)
    check("create")
    assert state(client, name) == "Pending"
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_capacity_provider(CapacityProviderName=name)
    check("delete-pending")
    wait_active(client, name)
    client.get_capacity_provider(CapacityProviderName=name)
    check("get")
    client.update_capacity_provider(
        CapacityProviderName=name, CapacityProviderScalingConfig={"MaxVCpuCount": 30, "ScalingMode": "Auto"}
    )
    check("update")
    client.delete_capacity_provider(CapacityProviderName=name)
    check("delete")
    wait_gone(client, name)
    check("get-deleted")


def test_names_and_arns(client, make):
    name = make()
    arn = client.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]["CapacityProviderArn"]
    assert arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:{name}"
    assert client.get_capacity_provider(CapacityProviderName=arn)["CapacityProvider"]["CapacityProviderArn"] == arn
    assert client.delete_capacity_provider(CapacityProviderName=arn)["CapacityProvider"]["State"] == "Deleting"


def test_lists_in_pages(server, make):
    client = server.client(region="eu-north-1")
    names = sorted(make(client) for _ in range(5))

    def listed(page_size, **filters):
        pages = client.get_paginator("list_capacity_providers").paginate(
            **filters, PaginationConfig={"PageSize": page_size}
        )
        return [[provider["CapacityProviderArn"].rsplit(":", 1)[1] for provider in page["CapacityProviders"]] for page in pages]

    assert listed(2) == [names[0:2], names[2:4], names[4:5]]
    assert listed(50) == [names]
    assert listed(2, State="Active") == [names[0:2], names[2:4], names[4:5]]
    assert listed(2, State="Failed") == [[]]


def test_what_is_refused(recorded, golden, make):
    client, recorder = recorded
    name = make()
    least = dict(CapacityProviderName="x", VpcConfig=VPC, PermissionsConfig=PERMISSIONS)

    def refused(step, **settings):
        with pytest.raises(botocore.exceptions.ClientError):
            client.create_capacity_provider(**least | settings)
        golden.check(f"capacity-provider-refused-{step}", recorder.answer(), {name: "<name>"})

    policy = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 50}
    refused("exists", CapacityProviderName=name)
    refused("long-name", CapacityProviderName="x" * 65)
    refused("policy", CapacityProviderScalingConfig={"ScalingMode": "Auto", "ScalingPolicies": [policy]})
    refused("no-policy", CapacityProviderScalingConfig={"ScalingMode": "Manual"})
    refused("instances", InstanceRequirements={"AllowedInstanceTypes": ["a"], "ExcludedInstanceTypes": ["b"]})
    refused("vcpus", CapacityProviderScalingConfig={"MaxVCpuCount": 15_001})
    refused("few-vcpus", CapacityProviderScalingConfig={"MaxVCpuCount": 1})
    refused("no-subnets", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    refused("many-subnets", VpcConfig={"SubnetIds": [f"subnet-{n}" for n in range(17)], "SecurityGroupIds": []})
    refused("reserved-tag", PropagateTags={"Mode": "Explicit", "ExplicitTags": {"aws:a": "b"}})
    most = unique("most")
    client.create_capacity_provider(
        CapacityProviderName=most,
        VpcConfig={"SubnetIds": [f"subnet-{n}" for n in range(16)], "SecurityGroupIds": [f"sg-{n}" for n in range(5)]},
        PermissionsConfig=PERMISSIONS,
        CapacityProviderScalingConfig={"MaxVCpuCount": 15_000},
        InstanceRequirements={"ExcludedInstanceTypes": [f"m{n}.*" for n in range(400)]},
    )
    wait_active(client, most)
    client.delete_capacity_provider(CapacityProviderName=most)


def test_tags_of_a_provider(client, make):
    name = make(Tags={"a": "1"})
    resource = f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:{name}"
    client.tag_resource(Resource=resource, Tags={"b": "2"})
    client.untag_resource(Resource=resource, TagKeys=["a"])
    assert client.list_tags(Resource=resource)["Tags"] == {"b": "2"}


def test_providers_survive_a_crash(serve):
    server = serve("--isolation", "none")
    client = server.client()
    client.create_capacity_provider(CapacityProviderName="coming", VpcConfig=VPC, PermissionsConfig=PERMISSIONS)
    server.kill()
    client = server.start().client()
    wait_active(client, "coming")
    client.delete_capacity_provider(CapacityProviderName="coming")
    server.kill()
    client = server.start().client()
    wait_gone(client, "coming")
    server.stop()
