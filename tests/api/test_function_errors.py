"""What is refused, in AWS' words: every limit at the limit and one beyond, every rule that a request can break."""

import io
import zipfile

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import ACCOUNT, REGION, ROLE, arn, unique

SMALL = packages.python("def handler(event, context): pass\n")


@pytest.fixture(scope="module")
def refused(server, python_runtime):
    """Makes a call that must be refused and returns the answer: status, code, message, and the body's members."""
    client = server.client(validate=False)
    recorder = Recorder(client)

    def call(operation, **members):
        if operation == "create_function":
            defaults = {
                "FunctionName": "refused",
                "Runtime": python_runtime,
                "Role": ROLE,
                "Handler": "index.handler",
                "Code": {"ZipFile": SMALL},
            }
            members = {key: value for key, value in (defaults | members).items() if value is not None}
        with pytest.raises(botocore.exceptions.ClientError):
            getattr(client, operation)(**members)
        answer = recorder.answer()
        body = answer["body"]
        message = body.get("message", body.get("Message"))
        return answer["status"], answer["headers"]["x-amzn-errortype"], message, sorted(set(body))

    return call


WITH_TYPE = ["Type", "message"]
PLAIN = ["message"]
NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)


def violated(value, member, constraint):
    return f"1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"


def test_names(refused):
    long_name = "a" * 65
    assert refused("create_function", FunctionName=long_name) == (
        400, "InvalidParameterValueException",
        violated(f"'{long_name}'", "functionName", "Member must have length less than or equal to 64"), WITH_TYPE,
    )  # fmt: skip
    too_long = "a" * 141
    assert refused("create_function", FunctionName=too_long) == (
        400, "ValidationException",
        violated(f"'{too_long}'", "functionName", "Member must have length less than or equal to 140"), PLAIN,
    )  # fmt: skip
    assert refused("create_function", FunctionName="no spaces") == (
        400, "ValidationException",
        violated("'no spaces'", "functionName", f"Member must satisfy regular expression pattern: {NAME_PATTERN}"), PLAIN,
    )  # fmt: skip


def test_the_longest_name(client, deploy):
    name = "n" * 64
    deploy(SMALL, name=name)
    assert client.get_function_configuration(FunctionName=name)["FunctionName"] == name


def test_several_violations_are_joined(refused):
    status, code, message, members = refused("create_function", Role="r1", Timeout=0)
    assert (status, code, members) == (400, "ValidationException", PLAIN)
    assert message.startswith("2 validation errors detected: ")
    first, second = message.removeprefix("2 validation errors detected: ").split("; ")
    role = (
        "Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
    )
    timeout = "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"
    assert {first, second} == {role, timeout}


VIOLATIONS = [
    ("memory-low", {"MemorySize": 127}, "'127'", "memorySize", "Member must have value greater than or equal to 128"),
    ("storage-low", {"EphemeralStorage": {"Size": 511}}, "'511'", "ephemeralStorage.size", "Member must have value greater than or equal to 512"),
    ("description", {"Description": "d" * 257}, "'" + "d" * 257 + "'", "description", "Member must have length less than or equal to 256"),
    ("handler", {"Handler": "h" * 129}, "'" + "h" * 129 + "'", "handler", "Member must have length less than or equal to 128"),
    ("architecture", {"Architectures": ["X86_64"]}, "'[X86_64]'", "architectures", "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"),
    ("tracing", {"TracingConfig": {"Mode": "On"}}, "'On'", "tracingConfig.mode", "Member must satisfy enum value set: [Active, PassThrough]"),
    ("snap start", {"SnapStart": {"ApplyOn": "Yes"}}, "'Yes'", "snapStart.applyOn", "Member must satisfy enum value set: [PublishedVersions, None]"),
    ("package type", {"PackageType": "Tar"}, "'Tar'", "packageType", None),
    ("no role", {"Role": None}, "null", "role", "Member must not be null"),
    ("no code", {"Code": None}, "null", "code", "Member must not be null"),
    ("variables", {"Environment": {"Variables": {"1A": "x"}}}, None, "environment.variables", None),
]  # fmt: skip


@pytest.mark.parametrize("members,value,member,constraint", [row[1:] for row in VIOLATIONS], ids=[row[0] for row in VIOLATIONS])
def test_constraints_of_the_model(refused, members, value, member, constraint):
    status, code, message, spelling = refused("create_function", **members)
    assert (status, code, spelling) == (400, "ValidationException", PLAIN)
    if constraint is not None:
        assert message == violated(value, member, constraint)
    else:
        assert f"at '{member}' failed to satisfy constraint: " in message


def test_sizes_at_their_limits(client, deploy):
    name = deploy(SMALL, Timeout=900, MemorySize=10240, EphemeralStorage={"Size": 10240}, Description="d" * 256)
    configuration = client.get_function_configuration(FunctionName=name)
    assert (configuration["Timeout"], configuration["MemorySize"], configuration["EphemeralStorage"]) == (900, 10240, {"Size": 10240})


@pytest.mark.parametrize("members", [{"Timeout": 901}, {"MemorySize": 10241}, {"EphemeralStorage": {"Size": 10241}}])
def test_sizes_beyond_their_limits(refused, members):
    status, code, message, _ = refused("create_function", **members)
    assert status == 400
    assert code in ("ValidationException", "InvalidParameterValueException")
    assert "Member must have value less than or equal to " in message


def test_runtimes(refused):
    status, code, message, members = refused("create_function", Runtime="python4.0")
    assert (status, code, members) == (400, "InvalidParameterValueException", WITH_TYPE)
    assert message.startswith("Value python4.0 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [")
    assert message.endswith("] or be a valid ARN")
    for runtime in ("python3.7", "nodejs14.x", "nodejs12.x", "java8", "go1.x", "provided", "ruby2.7", "dotnetcore3.1"):
        assert refused("create_function", Runtime=runtime) == (
            400, "InvalidParameterValueException",
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions.", WITH_TYPE,
        )  # fmt: skip


def test_a_runtime_that_this_machine_does_not_have(refused, machine):
    """One clear sentence: what is missing, what there is, and how to add it."""
    absent = [name for name, listing in machine.items() if listing["status"] != "found"]
    if not absent:
        pytest.skip("every runtime is there")
    status, code, message, _ = refused("create_function", Runtime=absent[0])
    assert (status, code) == (400, "InvalidParameterValueException")
    assert absent[0] in message and "\n" not in message


def test_environment_variables(refused, client, deploy):
    fitting = 4096 - len('{"KEY":""}')
    name = deploy(SMALL, Environment={"Variables": {"KEY": "v" * fitting}})
    assert len(client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]["KEY"]) == fitting
    value = "v" * (fitting + 1)
    message = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        'exceeded the 4KB limit. String measured: {"KEY":"' + value + '"}'
    )
    expected = (400, "InvalidParameterValueException", message, WITH_TYPE)
    assert refused("create_function", Environment={"Variables": {"KEY": value}}) == expected
    assert refused("update_function_configuration", FunctionName=name, Environment={"Variables": {"KEY": value}}) == expected
    for reserved in ("AWS_REGION", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "AWS_SESSION_TOKEN"):
        status, code, message, _ = refused("create_function", Environment={"Variables": {reserved: "x"}})
        assert (status, code) == (400, "InvalidParameterValueException")
        assert message.endswith(f"Reserved keys used in this request: {reserved}")


def test_tags(refused, deploy, client):
    name = deploy(SMALL, Tags={f"key{number}": "value" for number in range(50)})
    assert len(client.get_function(FunctionName=name)["Tags"]) == 50
    expected = (400, "InvalidParameterValueException", "Number of tags exceeds resource tag limit.", WITH_TYPE)
    assert refused("create_function", Tags={f"key{number}": "value" for number in range(51)}) == expected


def test_logging(refused):
    status, code, message, _ = refused("create_function", LoggingConfig={"LogFormat": "Text", "ApplicationLogLevel": "INFO"})
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith('LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request')


def test_layers(refused):
    layer = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:missing:1"
    for layers, message in [
        ([layer], f"Layer version {layer} does not exist."),
        ([layer] * 6, "Cannot reference more than 5 layers."),
        ([layer.replace(REGION, "eu-west-1")], f"Layers are not in the same region as the function. Layers are expected to be in region {REGION}."),
    ]:  # fmt: skip
        assert refused("create_function", Layers=layers) == (400, "InvalidParameterValueException", message, WITH_TYPE)


def test_code(refused):
    bad = "Could not unzip uploaded file. Please check your file, then try to upload again."
    for package in (b"no zip at all", SMALL[:-20], SMALL[: len(SMALL) // 2], b"PK\x05\x06" + bytes(18) + b"x"):
        assert refused("create_function", Code={"ZipFile": package}) == (400, "InvalidParameterValueException", bad, WITH_TYPE)
    status, code, _, _ = refused("create_function", Code={"ZipFile": b""})
    assert (status, code) == (400, "InvalidParameterValueException")
    status, code, message, _ = refused("create_function", Code={})
    assert (status, code) == (400, "InvalidParameterValueException") and message
    status, code, message, _ = refused("create_function", Code={"S3Bucket": "bucket", "S3Key": "k"})
    assert (status, code) == (400, "InvalidParameterValueException") and "S3" in message


def test_existing(refused, deploy):
    name = deploy(SMALL)
    expected = (409, "ResourceConflictException", f"Function already exist: {name}", WITH_TYPE)
    assert refused("create_function", FunctionName=name) == expected
    assert refused("create_function", FunctionName=arn(name)) == expected


def test_absent(refused):
    name = unique("absent")
    missing = (404, "ResourceNotFoundException", f"Function not found: {arn(name)}", ["Message", "Type"])
    for operation, members in [
        ("get_function", {}),
        ("get_function_configuration", {}),
        ("update_function_configuration", {}),
        ("update_function_code", {"ZipFile": SMALL}),
        ("delete_function", {}),
    ]:
        assert refused(operation, FunctionName=name, **members) == missing, operation
    latest = missing[:2] + (f"Function not found: {arn(name)}:$LATEST",) + missing[3:]
    assert refused("invoke", FunctionName=name) == latest
    assert refused("get_function", FunctionName=f"{name}:$LATEST") == latest
    assert refused("get_function", FunctionName=name, Qualifier="$LATEST") == latest


def test_qualifiers(refused, deploy):
    name = deploy(SMALL)
    mismatch = "The derived qualifier from the function name does not match the specified qualifier."
    for operation in ("get_function", "get_function_configuration", "invoke", "delete_function"):
        assert refused(operation, FunctionName=f"{name}:1", Qualifier="2") == (
            400, "InvalidParameterValueException", mismatch, WITH_TYPE,
        ), operation  # fmt: skip
    for operation in ("get_function", "get_function_configuration", "invoke"):
        for qualifier in ("7", "alias"):
            status, code, message, _ = refused(operation, FunctionName=name, Qualifier=qualifier)
            assert (status, code) == (404, "ResourceNotFoundException")
            assert arn(name) in message and message.endswith(f":{qualifier}")
    assert refused("delete_function", FunctionName=name, Qualifier="$LATEST") == (
        400, "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.", WITH_TYPE,
    )  # fmt: skip


def test_deleting_a_version_that_is_not_there(client, deploy):
    name = deploy(SMALL)
    for _ in range(2):
        assert client.delete_function(FunctionName=name, Qualifier="7")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.get_function(FunctionName=name)


def test_elsewhere(refused, deploy):
    name = deploy(SMALL)
    status, code, message, _ = refused("get_function", FunctionName=arn(name).replace(REGION, "eu-west-1"))
    assert (status, code) == (404, "ResourceNotFoundException")
    assert message == f"Functions from 'eu-west-1' are not reachable in this region ('{REGION}')"
    foreign = arn(name).replace(ACCOUNT, "123456789012")
    denied = (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: lambda:InvokeFunction on resource: {foreign} "
        "because no resource-based policy allows the lambda:InvokeFunction action"
    )
    for operation, text in [("get_function", None), ("invoke", denied), ("delete_function", None)]:
        status, code, message, members = refused(operation, FunctionName=foreign)
        assert (status, code, message) == (403, "AccessDeniedException", text), operation
        assert "Type" not in members


def test_while_something_is_under_way(refused, deploy, client):
    name = deploy(SMALL, wait=False)
    for operation, members in [
        ("update_function_configuration", {"Description": "x"}),
        ("update_function_code", {"ZipFile": SMALL}),
        ("invoke", {}),
    ]:
        status, code, message, members = refused(operation, FunctionName=name, **members)
        assert (status, code) == (409, "ResourceConflictException"), operation
        assert members == WITH_TYPE
        assert message == (
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    deploy.wait(name)
    client.update_function_configuration(FunctionName=name, Description="first")
    for operation, members in [("update_function_configuration", {"Description": "x"}), ("update_function_code", {"ZipFile": SMALL})]:
        assert refused(operation, FunctionName=name, **members) == (
            409, "ResourceConflictException",
            f"The operation cannot be performed at this time. An update is in progress for resource: {arn(name)}", WITH_TYPE,
        )  # fmt: skip
    # The old configuration goes on serving.
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


def test_images_and_zips_do_not_mix(refused, deploy):
    name = deploy(SMALL)
    message = "Please don't provide ImageUri when updating a function with packageType Zip."
    assert refused("update_function_code", FunctionName=name, ImageUri="registry/image:tag") == (
        400, "InvalidParameterValueException", message, WITH_TYPE,
    )  # fmt: skip


def test_lists(refused):
    assert refused("list_functions", FunctionVersion="SOME")[:2] == (400, "ValidationException")
    assert refused("list_functions", MaxItems=0)[:2] == (400, "ValidationException")
    assert refused("list_functions", MaxItems=10001)[:2] == (400, "ValidationException")
    assert refused("list_functions", Marker="not a marker")[:2] == (400, "InvalidParameterValueException")


def test_signed_code_is_not_taken_for_unsigned(refused):
    config = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
    status, code, message, _ = refused("create_function", CodeSigningConfigArn=config)
    assert (status, code) == (404, "CodeSigningConfigNotFoundException")
    assert message == f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {config}."


# Packages at their limits


def stored_package(size):
    """A zip of exactly `size` bytes."""
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr(packages.entry("index.py", compression=zipfile.ZIP_STORED), b"handler = print\n")
        archive.writestr(packages.entry("ballast", compression=zipfile.ZIP_STORED), b"")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(packages.entry("index.py", compression=zipfile.ZIP_STORED), b"handler = print\n")
        archive.writestr(packages.entry("ballast", compression=zipfile.ZIP_STORED), bytes(size - len(empty.getvalue())))
    assert len(buffer.getvalue()) == size
    return buffer.getvalue()


def deflated_package(size):
    """A small zip that is `size` bytes when unpacked."""
    code = b"def handler(event, context): return 'large'\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(packages.entry("index.py"), code)
        with archive.open(packages.entry("ballast"), "w") as ballast:
            left = size - len(code)
            while left:
                left -= ballast.write(bytes(min(left, 1 << 20)))
    return buffer.getvalue()


@pytest.mark.timeout(400)
def test_zipped_at_the_limit(refused, deploy, client):
    limit = 52_428_800
    name = deploy(stored_package(limit))
    assert client.get_function_configuration(FunctionName=name)["CodeSize"] == limit
    client.delete_function(FunctionName=name)
    message = "Zipped size must be smaller than 52428800 bytes"
    assert refused("create_function", Code={"ZipFile": stored_package(limit + 1)}) == (
        413, "RequestEntityTooLargeException", message, PLAIN,
    )  # fmt: skip


@pytest.mark.timeout(400)
@pytest.mark.parametrize("operation", ["CreateFunction", "UpdateFunctionCode"])
def test_a_whole_request_at_the_limit(server, operation):
    """Of 70,167,211 bytes it is read, and its archive is found too large; of one more it is not."""
    client = server.client()
    recorder = Recorder(client)

    def refusal(size):
        def replace(request, **_):
            head, tail = b'{"ZipFile":"', b'"}'
            if operation == "CreateFunction":
                head = f'{{"FunctionName":"f","Role":"{ROLE}","Runtime":"python3.12","Handler":"a.b","Code":{{"ZipFile":"'.encode()
                tail = b'"}}'
            # White space takes what does not fill a group of four.
            letters, rest = divmod(size - len(head) - len(tail), 4)
            request.data = head + b"AAAA" * letters + tail + b" " * rest
            assert len(request.data) == size

        client.meta.events.register_first("before-sign.lambda.*", replace, "replace")
        try:
            with pytest.raises(botocore.exceptions.ClientError):
                if operation == "CreateFunction":
                    client.create_function(FunctionName="f", Role=ROLE, Code={"ZipFile": b"x"})
                else:
                    client.update_function_code(FunctionName=name, ZipFile=b"x")
        finally:
            client.meta.events.unregister("before-sign.lambda.*", replace, "replace")
        answer = recorder.answer()
        return answer["status"], answer["headers"]["x-amzn-errortype"], answer["body"]["message"]

    name = unique("limit")
    client.create_function(FunctionName=name, Role=ROLE, Runtime="provided.al2023", Handler="a", Code={"ZipFile": SMALL})
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    limit = 70_167_211
    too_large = (413, "RequestEntityTooLargeException")
    assert refusal(limit) == (*too_large, "Zipped size must be smaller than 52428800 bytes")
    assert refusal(limit + 1) == (*too_large, f"Request must be smaller than 70167211 bytes for the {operation} operation")
    client.delete_function(FunctionName=name)


@pytest.mark.timeout(400)
def test_unzipped_at_the_limit(refused, deploy, client):
    limit = 262_144_000
    name = deploy(deflated_package(limit))
    assert client.invoke(FunctionName=name)["Payload"].read() == b'"large"'
    client.delete_function(FunctionName=name)
    assert refused("create_function", Code={"ZipFile": deflated_package(limit + 1)}) == (
        400, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes", WITH_TYPE,
    )  # fmt: skip
