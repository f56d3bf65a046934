"""Event source mappings: whole answers for every kind of source, states, filters, pages, restarts. Nothing polls yet."""

import datetime

import botocore.exceptions
import pytest

import packages
from server import ACCOUNT, REGION, unique, wait_until

CODE = packages.python("def handler(event, context): return 1\n")
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s"
ACCESS = [{"Type": "BASIC_AUTH", "URI": SECRET}]
TABLE_STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
BROKER = f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:b:b-broker"
CLUSTER = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/c/cluster-1"
DATABASE = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:c"
SERVERS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-1:9092", "kafka-2:9092"]}}
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
UNKNOWN = "11111111-2222-3333-4444-555555555555"
FILTERS = {"Filters": [{"Pattern": '{"body":{"kind":["order",{"prefix":"return-"}]}}'}, {"Pattern": '{"body":[{"exists":true}]}'}]}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:failed"

# The least of each kind, and everything it takes.
SOURCES = {
    "sqs": dict(EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"),
    "sqs-everything": dict(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
        Enabled=False,
        BatchSize=10000,
        MaximumBatchingWindowInSeconds=300,
        FilterCriteria=FILTERS,
        KMSKeyArn=KEY,
        ScalingConfig={"MaximumConcurrency": 1000},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MetricsConfig={"Metrics": ["EventCount"]},
        Tags={"team": "light"},
    ),
    "sqs-provisioned": dict(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo",
        ProvisionedPollerConfig={"MinimumPollers": 2},
    ),
    "kinesis": dict(EventSourceArn=STREAM, StartingPosition="LATEST"),
    "kinesis-everything": dict(
        EventSourceArn=f"{STREAM}/consumer/c:1700000000",
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        BatchSize=1,
        MaximumBatchingWindowInSeconds=5,
        ParallelizationFactor=10,
        DestinationConfig={"OnFailure": {"Destination": TOPIC}},
        MaximumRecordAgeInSeconds=604800,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=10000,
        TumblingWindowInSeconds=0,
        FilterCriteria=FILTERS,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MetricsConfig={"Metrics": ["EventCount"]},
    ),
    "dynamodb": dict(EventSourceArn=TABLE_STREAM, StartingPosition="TRIM_HORIZON"),
    "msk": dict(EventSourceArn=CLUSTER, StartingPosition="LATEST", Topics=["topic"]),
    "msk-everything": dict(
        EventSourceArn=CLUSTER,
        StartingPosition="TRIM_HORIZON",
        Topics=["topic"],
        SourceAccessConfigurations=[{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}],
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 2000, "PollerGroupName": "group"},
        AmazonManagedKafkaEventSourceConfig={
            "ConsumerGroupId": "group",
            "SchemaRegistryConfig": {
                "SchemaRegistryURI": "https://registry.example",
                "EventRecordFormat": "JSON",
                "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}],
                "SchemaValidationConfigs": [{"Attribute": "KEY"}, {"Attribute": "VALUE"}],
            },
        },
        DestinationConfig={"OnFailure": {"Destination": "kafka://failed"}},
        MaximumRecordAgeInSeconds=60,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"value":[{"numeric":[">",1]}]}'}]},
        MetricsConfig={"Metrics": ["EventCount", "ErrorCount", "KafkaMetrics"]},
        LoggingConfig={"SystemLogLevel": "DEBUG"},
    ),
    "kafka": dict(
        SelfManagedEventSource=SERVERS,
        StartingPosition="LATEST",
        Topics=["topic"],
        SourceAccessConfigurations=ACCESS + [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
    ),
    "kafka-queue": dict(
        SelfManagedEventSource=SERVERS,
        Topics=["topic"],
        SourceAccessConfigurations=ACCESS,
        SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "share", "ConsumptionMode": "Queue"},
    ),
    "activemq": dict(EventSourceArn=BROKER, Queues=["queue"], SourceAccessConfigurations=ACCESS),
    "rabbitmq": dict(
        EventSourceArn=BROKER,
        Queues=["queue"],
        SourceAccessConfigurations=ACCESS + [{"Type": "VIRTUAL_HOST", "URI": "/"}],
        MaximumBatchingWindowInSeconds=0,
    ),
    "documentdb": dict(
        EventSourceArn=DATABASE,
        StartingPosition="LATEST",
        SourceAccessConfigurations=ACCESS,
        DocumentDBEventSourceConfig={"DatabaseName": "db", "CollectionName": "c", "FullDocument": "UpdateLookup"},
    ),
}

# One change for each kind.
UPDATES = {
    "sqs": dict(BatchSize=5),
    "sqs-everything": dict(
        Enabled=True,
        BatchSize=10,
        FilterCriteria={},
        KMSKeyArn="",
        ScalingConfig={},
        FunctionResponseTypes=[],
        MetricsConfig={"Metrics": []},
    ),
    "sqs-provisioned": dict(ProvisionedPollerConfig={}),
    "kinesis": dict(Enabled=False),
    "kinesis-everything": dict(DestinationConfig={}, MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1),
    "dynamodb": dict(ParallelizationFactor=2, DestinationConfig={"OnFailure": {"Destination": TOPIC}}),
    "msk": dict(ProvisionedPollerConfig={"MaximumPollers": 3}, MaximumRetryAttempts=4),
    "msk-everything": dict(AmazonManagedKafkaEventSourceConfig={"SchemaRegistryConfig": {}}),
    "kafka": dict(SourceAccessConfigurations=ACCESS),
    "kafka-queue": dict(BatchSize=1),
    "activemq": dict(MaximumBatchingWindowInSeconds=1),
    "rabbitmq": dict(SourceAccessConfigurations=ACCESS),
    "documentdb": dict(DocumentDBEventSourceConfig={"FullDocument": "Default"}),
}


@pytest.fixture(scope="module")
def function(deploy):
    return deploy(CODE, name=unique("mapped"))


@pytest.fixture
def mapped(client):
    """Creates mappings and removes them again."""
    made = []

    def make(client=client, wait=True, **settings):
        mapping = client.create_event_source_mapping(**settings)
        made.append((client, mapping["UUID"]))
        return settle(client, mapping["UUID"]) if wait else mapping

    yield make
    for maker, uuid in made:
        remove(maker, uuid)


def settle(client, uuid):
    def settled():
        mapping = client.get_event_source_mapping(UUID=uuid)
        return mapping if mapping["State"] in ("Enabled", "Disabled") else None

    return wait_until(settled, what=f"that {uuid} is settled")


def remove(client, uuid):
    try:
        settle(client, uuid)
        client.delete_event_source_mapping(UUID=uuid)
        wait_until(lambda: is_gone(client, uuid), what=f"that {uuid} is gone")
    except client.exceptions.ResourceNotFoundException:
        pass


def is_gone(client, uuid):
    try:
        client.get_event_source_mapping(UUID=uuid)
    except client.exceptions.ResourceNotFoundException:
        return True
    return False


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("kind", SOURCES)
def test_life_of_a_mapping(recorded, golden, function, kind):
    client, recorder = recorded

    def check(step):
        golden.check(f"mapping-{kind}-{step}", recorder.answer(), {function: "<function>"})

    uuid = client.create_event_source_mapping(FunctionName=function, **SOURCES[kind])["UUID"]
    check("create")
    settle(client, uuid)
    check("get")
    client.update_event_source_mapping(UUID=uuid, **UPDATES[kind])
    check("update")
    settle(client, uuid)
    check("get-updated")
    client.delete_event_source_mapping(UUID=uuid)
    check("delete")
    wait_until(lambda: is_gone(client, uuid), what="that the mapping is gone")
    check("get-deleted")


def test_the_forms_of_refusals(recorded, golden, function, mapped):
    client, recorder = recorded
    queue = SOURCES["sqs"]

    def refused(step, call, **arguments):
        refusal(call, **arguments)
        golden.check(f"mapping-refused-{step}", recorder.answer(), {function: "<function>"})

    refused("function", client.create_event_source_mapping, FunctionName="nobody", **queue)
    refused("source", client.create_event_source_mapping, FunctionName=function)
    refused("parameter", client.create_event_source_mapping, FunctionName=function, ParallelizationFactor=2, **queue)
    uuid = mapped(client, FunctionName=function, **queue)["UUID"]
    for verb, call in (("update", client.update_event_source_mapping), ("delete", client.delete_event_source_mapping)):

        def in_use():
            nonlocal uuid
            client.update_event_source_mapping(UUID=uuid)
            try:
                call(UUID=uuid)
            except client.exceptions.ResourceInUseException:
                return True
            # The transition was over already: once more.
            remove(client, uuid)
            uuid = mapped(client, FunctionName=function, **queue)["UUID"]

        wait_until(in_use, what="that a mapping is in use")
        golden.check(f"mapping-refused-in-use-{verb}", recorder.answer(), {function: "<function>"})
        settle(client, uuid)
    refused("duplicate", client.create_event_source_mapping, FunctionName=function, **queue)
    refused("unknown", client.delete_event_source_mapping, UUID=UNKNOWN)


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb", "msk", "kafka", "activemq", "documentdb"])
def test_duplicates(client, function, mapped, kind):
    uuid = mapped(FunctionName=function, **SOURCES[kind])["UUID"]
    code, message = refusal(client.create_event_source_mapping, FunctionName=function, **SOURCES[kind])
    assert code == "ResourceConflictException"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    source = SOURCES[kind].get("EventSourceArn", "kafka-1:9092,kafka-2:9092")
    if kind in ("msk", "kafka"):
        text = f'An event source mapping with event source ("{source}"), function ("{arn}"), topics ("topic") already exists.'
    else:
        text = f'The event source arn (" {source} ") and function (" {function} ") provided mapping already exists.'
    assert message == f"{text} Please update or delete the existing mapping with UUID {uuid}"


@pytest.mark.parametrize(
    "member, low, high",
    [
        ("BatchSize", 1, 10000),
        ("MaximumBatchingWindowInSeconds", 0, 300),
        ("ParallelizationFactor", 1, 10),
        ("MaximumRetryAttempts", -1, 10000),
        ("MaximumRecordAgeInSeconds", -1, 604800),
        ("TumblingWindowInSeconds", 0, 900),
    ],
)
def test_bounds(unchecked, function, mapped, member, low, high):
    stream = dict(FunctionName=function, **SOURCES["kinesis"])
    for value in (low, high):
        mapping = mapped(unchecked, **stream, **{member: value})
        assert mapping[member] == value
        remove(unchecked, mapping["UUID"])
    for value, relation, bound in ((low - 1, "greater", low), (high + 1, "less", high)):
        code, message = refusal(unchecked.create_event_source_mapping, **stream, **{member: value})
        name = member[0].lower() + member[1:]
        assert (code, message) == (
            "ValidationException",
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
            f"Member must have value {relation} than or equal to {bound}",
        )


def test_constraints_of_the_model(unchecked, function):
    create, update = unchecked.create_event_source_mapping, unchecked.update_event_source_mapping
    stream = dict(FunctionName=function, EventSourceArn=STREAM)
    assert refusal(create, StartingPosition="0", **stream) == (
        "ValidationException",
        "1 validation error detected: Value '0' at 'startingPosition' failed to satisfy constraint: "
        "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
    )
    assert refusal(create, FunctionName=function, EventSourceArn="q")[0] == "ValidationException"
    assert refusal(create, FunctionName="a name", **SOURCES["sqs"])[0] == "ValidationException"
    assert refusal(create, EventSourceArn=STREAM)[0] == "ValidationException"
    assert refusal(update, UUID="1")[0] == "ValidationException"
    for maximum in (1, 1001):
        code, _ = refusal(create, FunctionName=function, ScalingConfig={"MaximumConcurrency": maximum}, **SOURCES["sqs"])
        assert code == "ValidationException"
    long = '{"body":["' + "x" * 4096 + '"]}'
    code, _ = refusal(create, FunctionName=function, FilterCriteria={"Filters": [{"Pattern": long}]}, **SOURCES["sqs"])
    assert code == "ValidationException"


def test_filters(client, function, mapped):
    queue = dict(FunctionName=function, **SOURCES["sqs"])
    pattern = {"Pattern": '{"body":[1]}'}
    create = client.create_event_source_mapping
    assert refusal(create, FilterCriteria={"Filters": [{"Pattern": '{"body":1}'}]}, **queue) == (
        "InvalidParameterValueException",
        "Invalid filter pattern definition.",
    )
    assert refusal(create, FilterCriteria={"Filters": [pattern] * 6}, **queue) == (
        "InvalidParameterValueException",
        "Too many filter patterns, maximum allowed 5 patterns, provided 6 patterns.",
    )
    mapping = mapped(FilterCriteria={"Filters": [pattern] * 5}, **queue)
    assert mapping["FilterCriteria"] == {"Filters": [pattern] * 5}


def test_qualified_functions(client, deploy, mapped):
    name = deploy(CODE, name=unique("qualified"))
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    queue = SOURCES["sqs"]
    for qualifier in ("9", "dead"):
        assert refusal(client.create_event_source_mapping, FunctionName=f"{name}:{qualifier}", **queue) == (
            "InvalidParameterValueException",
            "Function does not exist",
        )
    made = {qualifier: mapped(FunctionName=f"{name}:{qualifier}", **queue) for qualifier in (version, "live", "$LATEST")}
    made[None] = mapped(FunctionName=arn, **queue)
    for qualifier, mapping in made.items():
        full = f"{arn}:{qualifier}" if qualifier else arn
        assert mapping["FunctionArn"] == full
        for form in (full, full.removeprefix(f"arn:aws:lambda:{REGION}:"), full.rsplit(":function:", 1)[1]):
            listed = client.list_event_source_mappings(FunctionName=form)["EventSourceMappings"]
            assert [item["UUID"] for item in listed] == [mapping["UUID"]], form
    by_source = client.list_event_source_mappings(EventSourceArn=queue["EventSourceArn"])["EventSourceMappings"]
    assert {item["UUID"] for item in by_source} == {mapping["UUID"] for mapping in made.values()}


def test_lists(recorded, golden, deploy, mapped):
    client, recorder = recorded
    name = deploy(CODE, name=unique("listed"))
    made = {mapped(client, FunctionName=name, **SOURCES[kind])["UUID"] for kind in ("sqs-everything", "kinesis")}
    client.list_event_source_mappings(FunctionName=name, EventSourceArn=SOURCES["sqs"]["EventSourceArn"])
    golden.check("mapping-list", recorder.answer(), {name: "<function>"})
    paginator = client.get_paginator("list_event_source_mappings")
    pages = list(paginator.paginate(FunctionName=name, PaginationConfig={"PageSize": 1}))
    assert [len(page["EventSourceMappings"]) for page in pages] == [1] * len(made)
    assert {item["UUID"] for page in pages for item in page["EventSourceMappings"]} == made
    assert client.list_event_source_mappings(FunctionName="nobody")["EventSourceMappings"] == []
    assert refusal(client.list_event_source_mappings, Marker="nonsense")[0] == "InvalidParameterValueException"


def test_a_mapping_moves_to_another_function(client, deploy, mapped):
    first, second = deploy(CODE, name=unique("first")), deploy(CODE, name=unique("second"))
    mapping = mapped(FunctionName=first, **SOURCES["sqs"])
    moved = client.update_event_source_mapping(UUID=mapping["UUID"], FunctionName=second)
    assert moved["FunctionArn"].endswith(second)
    settle(client, mapping["UUID"])
    other = mapped(FunctionName=first, **SOURCES["sqs"])
    code, message = refusal(client.update_event_source_mapping, UUID=other["UUID"], FunctionName=second)
    assert code == "ResourceConflictException" and message.endswith(mapping["UUID"])
    assert settle(client, other["UUID"])["FunctionArn"].endswith(first)


def test_a_mapping_outlives_its_function(client, deploy, mapped):
    name = deploy(CODE, name=unique("mortal"))
    mapping = mapped(FunctionName=name, **SOURCES["sqs"])
    client.delete_function(FunctionName=name)
    assert settle(client, mapping["UUID"])["State"] == "Enabled"


def test_reserved_concurrency_bounds_that_of_a_mapping(client, deploy, mapped):
    name = deploy(CODE, name=unique("reserved"))
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    queue = dict(FunctionName=name, **SOURCES["sqs"])
    text = "MaximumConcurrency: 6 is greater than Function Reserved Concurrency: 5"
    more, enough = {"MaximumConcurrency": 6}, {"MaximumConcurrency": 5}
    create, update = client.create_event_source_mapping, client.update_event_source_mapping
    assert refusal(create, ScalingConfig=more, **queue) == ("InvalidParameterValueException", text)
    mapping = mapped(ScalingConfig=enough, **queue)
    assert refusal(update, UUID=mapping["UUID"], ScalingConfig=more) == ("InvalidParameterValueException", text)
    client.delete_function(FunctionName=name)
    assert update(UUID=mapping["UUID"], ScalingConfig=more)["ScalingConfig"] == more


def test_tags(client, function, mapped):
    mapping = mapped(FunctionName=function, Tags={"a": "1"}, **SOURCES["sqs"])
    arn = mapping["EventSourceMappingArn"]
    client.tag_resource(Resource=arn, Tags={"b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    missing = arn.replace(mapping["UUID"], UNKNOWN)
    assert refusal(client.list_tags, Resource=missing) == (
        "ResourceNotFoundException",
        f"Event source mapping not found: {missing}",
    )


def test_what_is_acknowledged_outlives_the_server(serve, deployer):
    instance = serve("--isolation", "none", "--auth", "permissive")
    client = instance.client()
    name = deployer(instance)(CODE, name=unique("kept"))
    created = client.create_event_source_mapping(FunctionName=name, **SOURCES["sqs"])["UUID"]
    disabled = client.create_event_source_mapping(FunctionName=name, Enabled=False, **SOURCES["kinesis"])["UUID"]
    deleted = client.create_event_source_mapping(FunctionName=name, **SOURCES["dynamodb"])["UUID"]
    settle(client, deleted)
    client.update_event_source_mapping(UUID=disabled, BatchSize=7)
    client.delete_event_source_mapping(UUID=deleted)
    instance.kill()
    instance.start()
    client = instance.client()
    assert settle(client, created)["State"] == "Enabled"
    assert (settle(client, disabled)["State"], settle(client, disabled)["BatchSize"]) == ("Disabled", 7)
    wait_until(lambda: is_gone(client, deleted), what="that the deletion ends")
    listed = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert {item["UUID"] for item in listed} == {created, disabled}
    instance.stop()
