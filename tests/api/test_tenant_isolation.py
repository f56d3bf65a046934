"""Functions whose tenants get environments of their own: what is shown of that, and what does not go with it."""

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import ACCOUNT, REGION, unique

PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
CODE = packages.python("def handler(event, context): return 1\n")
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"


def test_what_is_shown(client, deploy):
    name = deploy(CODE, TenancyConfig=PER_TENANT)
    assert client.get_function_configuration(FunctionName=name)["TenancyConfig"] == PER_TENANT
    assert client.get_function(FunctionName=name)["Configuration"]["TenancyConfig"] == PER_TENANT
    client.update_function_configuration(FunctionName=name, Description="changed")
    deploy.wait(name)
    assert client.publish_version(FunctionName=name)["TenancyConfig"] == PER_TENANT
    assert "TenancyConfig" not in client.get_function_configuration(FunctionName=deploy(CODE))


def test_what_does_not_go_with_it(server, golden, deploy):
    client = server.client(validate=False)
    recorder = Recorder(client)
    name = deploy(CODE, name=unique("tenants"), TenancyConfig=PER_TENANT)
    client.publish_version(FunctionName=name)

    def refused(step, operation, **arguments):
        with pytest.raises(botocore.exceptions.ClientError):
            operation(FunctionName=name, **arguments)
        golden.check(f"tenant-isolation-refused-{step}", recorder.answer(), {name: "<name>"})

    refused("mapping", client.create_event_source_mapping, EventSourceArn=QUEUE)
    refused("url", client.create_function_url_config, AuthType="NONE")
    refused(
        "provisioned", client.put_provisioned_concurrency_config, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    new = dict(Role=f"arn:aws:iam::{ACCOUNT}:role/r", Handler="a.b", Runtime="python3.13", Code={"ZipFile": CODE})
    snap_start = {"ApplyOn": "PublishedVersions"}
    refused("snap-start", client.create_function, **new, TenancyConfig=PER_TENANT, SnapStart=snap_start)
    refused("mode", client.create_function, **new, TenancyConfig={"TenantIsolationMode": "PER_CALLER"})
