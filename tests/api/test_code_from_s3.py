"""Code named by bucket and key, from moto's S3 and from services that misbehave."""

import base64
import hashlib
import json
import re
import time

import botocore.exceptions
import pytest

import packages
import s3_server
from golden import Recorder
from server import ROLE, unique, wait_until

NAMES = [
    "function.zip",
    "a folder/with spaces + plus%25 # question? ünïcode-λ.zip",
    "/leading//and//double.zip",
    "query=a&b;c'd\"e*(f)!~.zip",
]


def python(answer):
    return packages.python(f"def handler(event, context): return {answer!r}\n")


def sha256(package):
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


@pytest.fixture(scope="module")
def moto():
    with s3_server.moto() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def bucket(moto):
    """A bucket that keeps versions, and boto3's client of it."""
    client = s3_server.s3_client(moto)
    client.create_bucket(Bucket="code")
    client.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    client.create_bucket(Bucket="plain")
    return client


@pytest.fixture(scope="module")
def instance(serve, moto):
    instance = serve("--isolation", "none", "--endpoint", f"s3={moto}", environment=s3_server.ENVIRONMENT)
    yield instance
    assert instance.stop() == 0


@pytest.fixture(scope="module")
def misbehaving(serve):
    """A service that answers as told, and a Rushlight that asks it."""
    service = s3_server.Misbehaving()
    instance = serve("--isolation", "none", "--endpoint", f"s3={service.url}/prefix/", environment=s3_server.ENVIRONMENT)
    yield service, instance
    instance.stop()
    service.close()


class Functions:
    """Creates functions and tells how that went."""

    def __init__(self, instance, runtime, region="us-east-1"):
        self.client = instance.client(region=region)
        self.recorder = Recorder(self.client)
        self.runtime = runtime

    def create(self, code, name=None, **settings):
        name = name or unique("s3")
        self.client.create_function(
            FunctionName=name, Runtime=self.runtime, Handler="index.handler", Role=ROLE, Code=code, **settings
        )
        return name

    def refusal(self, code, operation=None):
        with pytest.raises(botocore.exceptions.ClientError):
            (operation or self.create)(code)
        answer = self.recorder.answer()
        body = answer["body"]
        return answer["status"], answer["headers"]["x-amzn-errortype"], body.get("message", body.get("Message")), sorted(body)

    def settled(self, name):
        def settled():
            found = self.client.get_function_configuration(FunctionName=name)
            return found if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress" else None

        return wait_until(settled, what=f"that {name} is active")

    def answer(self, name):
        return json.loads(self.client.invoke(FunctionName=name)["Payload"].read())


@pytest.fixture
def functions(instance, python_runtime):
    return Functions(instance, python_runtime)


WITH_TYPE = ["Type", "message"]
INVALID = (400, "InvalidParameterValueException")


@pytest.mark.parametrize("key", NAMES)
def test_created_from_a_bucket(bucket, functions, key):
    package = python(key)
    bucket.put_object(Bucket="code", Key=key, Body=package)
    name = functions.create({"S3Bucket": "code", "S3Key": key})
    found = functions.settled(name)
    assert (found["CodeSize"], found["CodeSha256"]) == (len(package), sha256(package))
    assert functions.answer(name) == key


def test_updated_by_version(bucket, functions):
    versions = [bucket.put_object(Bucket="code", Key="v.zip", Body=python(number))["VersionId"] for number in range(3)]
    name = functions.create({"S3Bucket": "code", "S3Key": "v.zip", "S3ObjectVersion": versions[0]})
    functions.settled(name)
    assert functions.answer(name) == 0
    for number in (2, 1):
        functions.client.update_function_code(
            FunctionName=name, S3Bucket="code", S3Key="v.zip", S3ObjectVersion=versions[number]
        )
        functions.settled(name)
        assert functions.answer(name) == number
    functions.client.update_function_code(FunctionName=name, S3Bucket="code", S3Key="v.zip")
    functions.settled(name)
    assert functions.answer(name) == 2
    # The copy is Rushlight's own: it outlives the object.
    bucket.delete_object(Bucket="code", Key="v.zip")
    location = functions.client.get_function(FunctionName=name)["Code"]
    assert sorted(location) == ["Location", "RepositoryType"]
    assert functions.answer(name) == 2


def test_what_is_not_there(bucket, functions):
    bucket.put_object(Bucket="code", Key="there.zip", Body=python(1))
    text = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    assert functions.refusal({"S3Bucket": "code", "S3Key": "absent.zip"}) == (*INVALID, text, WITH_TYPE)
    text = "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"
    assert functions.refusal({"S3Bucket": "no-such-bucket", "S3Key": "k"}) == (*INVALID, text, WITH_TYPE)
    for key in ("../there.zip", "a/../../plain/there.zip", "."):
        assert functions.refusal({"S3Bucket": "code", "S3Key": key})[2].startswith(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey."
        )
    status, code, message, _ = functions.refusal({"S3Bucket": "code", "S3Key": "there.zip", "S3ObjectVersion": "absent"})
    assert (status, code) == INVALID
    assert message.startswith("Error occurred while GetObjectVersion. S3 Error Code: ")
    name = functions.create({"S3Bucket": "code", "S3Key": "there.zip"})
    before = functions.settled(name)
    update = lambda code: functions.client.update_function_code(FunctionName=name, **code)  # noqa: E731
    assert functions.refusal({"S3Bucket": "code", "S3Key": "gone.zip"}, update)[:2] == INVALID
    after = functions.settled(name)
    assert after["RevisionId"] == before["RevisionId"]


def test_what_is_no_package(bucket, functions):
    bucket.put_object(Bucket="code", Key="text", Body=b"not a zip")
    bad = "Could not unzip uploaded file. Please check your file, then try to upload again."
    assert functions.refusal({"S3Bucket": "code", "S3Key": "text"}) == (*INVALID, bad, WITH_TYPE)
    bucket.put_object(Bucket="code", Key="nothing", Body=b"")
    assert functions.refusal({"S3Bucket": "code", "S3Key": "nothing"})[:2] == INVALID


def test_members_that_exclude_each_other(functions):
    package = python(1)
    text = "Please do not provide other FunctionCode parameters when providing a ZipFile."
    for other in ({"S3Bucket": "code"}, {"S3Key": "k"}, {"S3ObjectVersion": "1"}, {"S3ObjectStorageMode": "COPY"}):
        assert functions.refusal({"ZipFile": package} | other) == (*INVALID, text, WITH_TYPE)
    text = "S3 Bucket and Key are required for uploading with S3 parameters."
    for half in ({"S3Bucket": "code"}, {"S3Key": "k"}, {"S3ObjectVersion": "1"}, {"S3ObjectStorageMode": "REFERENCE"}):
        assert functions.refusal(half) == (*INVALID, text, WITH_TYPE)
    assert functions.refusal({}) == (*INVALID, "Please provide a source for function code.", WITH_TYPE)


@pytest.mark.timeout(300)
def test_larger_than_a_request_may_be(bucket, functions):
    """Archives from a bucket may be larger than 50 MB, as long as they are not larger than 250 MB when unpacked."""
    large = packages.package({"index.py": "def handler(event, context): return 'large'\n", "ballast": random_bytes(60 << 20)})
    assert len(large) > 52_428_800
    bucket.put_object(Bucket="code", Key="large.zip", Body=large)
    name = functions.create({"S3Bucket": "code", "S3Key": "large.zip"})
    assert functions.settled(name)["CodeSize"] == len(large)
    assert functions.answer(name) == "large"
    functions.client.delete_function(FunctionName=name)


def random_bytes(count):
    return b"".join(hashlib.sha512(number.to_bytes(8, "big")).digest() for number in range(count // 64))


def test_a_dry_run(bucket, functions, golden, python_runtime):
    bucket.put_object(Bucket="code", Key="dry.zip", Body=python("old"))
    name = functions.create({"S3Bucket": "code", "S3Key": "dry.zip"})
    before = functions.settled(name)
    bucket.put_object(Bucket="code", Key="dry.zip", Body=python("new"))
    code = {"S3Bucket": "code", "S3Key": "dry.zip", "DryRun": True}
    stale = "00000000-0000-4000-8000-000000000000"
    functions.client.update_function_code(FunctionName=name, Architectures=["arm64"], RevisionId=stale, **code)
    assert functions.recorder.answer()["body"]["RevisionId"] == before["RevisionId"]
    golden.check("code-dry-run", functions.recorder.answer(), {name: "<name>", python_runtime: "<runtime>"})
    after = functions.settled(name)
    before.pop("ResponseMetadata"), after.pop("ResponseMetadata")
    assert after == before
    assert functions.answer(name) == "old"
    update = lambda code: functions.client.update_function_code(FunctionName=name, **code)  # noqa: E731
    text = "Publish and DryRun are mutually exclusive parameters. Please provide only one of the two parameters and try again."
    assert functions.refusal(code | {"Publish": True}, update) == (*INVALID, text, WITH_TYPE)
    text = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    assert functions.refusal(code | {"Publish": True, "S3Key": "absent"}, update) == (*INVALID, text, WITH_TYPE)


def test_code_that_stays_in_its_bucket(bucket, functions, golden, python_runtime, serve):
    replacements = {python_runtime: "<runtime>"}

    def check(step):
        golden.check(f"code-reference-{step}", functions.recorder.answer(), replacements)

    first = bucket.put_object(Bucket="code", Key="kept.zip", Body=python("first"))["VersionId"]
    name = unique("reference")
    replacements |= {name: "<name>", first: "<first version>"}
    before = functions.client.get_account_settings()["AccountUsage"]
    functions.create({"S3Bucket": "code", "S3Key": "kept.zip", "S3ObjectStorageMode": "REFERENCE"}, name)
    check("create")
    functions.settled(name)
    functions.client.get_function(FunctionName=name)
    check("get")
    assert functions.answer(name) == "first"
    usage = functions.client.get_account_settings()["AccountUsage"]
    assert usage["TotalCodeSize"] == before["TotalCodeSize"]
    assert usage["FunctionCount"] == before["FunctionCount"] + 1
    second = bucket.put_object(Bucket="code", Key="kept.zip", Body=python("second"))["VersionId"]
    replacements[second] = "<second version>"
    functions.client.update_function_code(
        FunctionName=name, S3Bucket="code", S3Key="kept.zip", S3ObjectVersion=second, S3ObjectStorageMode="REFERENCE"
    )
    check("update")
    functions.settled(name)
    assert functions.answer(name) == "second"
    assert functions.client.get_function(FunctionName=name)["Code"]["ResolvedS3Object"] == {
        "S3Bucket": "code", "S3Key": "kept.zip", "S3ObjectVersion": second,
    }  # fmt: skip
    # Whoever does not repeat the mode gets a copy.
    functions.client.update_function_code(FunctionName=name, S3Bucket="code", S3Key="kept.zip")
    functions.settled(name)
    assert sorted(functions.client.get_function(FunctionName=name)["Code"]) == ["Location", "RepositoryType"]
    usage = functions.client.get_account_settings()["AccountUsage"]
    assert usage["TotalCodeSize"] == before["TotalCodeSize"] + len(python("second"))
    functions.client.delete_function(FunctionName=name)


def test_a_reference_needs_versions(bucket, functions):
    bucket.put_object(Bucket="plain", Key="k.zip", Body=python(1))
    text = "S3ObjectStorageMode REFERENCE needs a bucket that keeps versions."
    code = {"S3Bucket": "plain", "S3Key": "k.zip", "S3ObjectStorageMode": "REFERENCE"}
    assert functions.refusal(code) == (*INVALID, text, WITH_TYPE)


def test_versions_of_what_stays_in_its_bucket(bucket, functions):
    before = functions.client.get_account_settings()["AccountUsage"]["TotalCodeSize"]
    versions = [bucket.put_object(Bucket="code", Key="p.zip", Body=python(f"published {number}"))["VersionId"] for number in (1, 2)]
    code = {"S3Bucket": "code", "S3Key": "p.zip", "S3ObjectStorageMode": "REFERENCE"}
    name = functions.create(code | {"S3ObjectVersion": versions[0]}, Publish=True)
    functions.settled(name)
    functions.client.update_function_code(FunctionName=name, Publish=True, S3ObjectVersion=versions[1], **code)
    functions.settled(name)
    for number, version in enumerate(versions, 1):
        found = functions.client.get_function(FunctionName=name, Qualifier=str(number))
        assert found["Code"]["ResolvedS3Object"]["S3ObjectVersion"] == version
        assert found["Configuration"]["CodeSha256"] == sha256(python(f"published {number}"))
        payload = functions.client.invoke(FunctionName=name, Qualifier=str(number))["Payload"].read()
        assert json.loads(payload) == f"published {number}"
    assert functions.client.get_account_settings()["AccountUsage"]["TotalCodeSize"] == before
    functions.client.delete_function(FunctionName=name)


def test_a_key_for_the_package_is_echoed(bucket, functions):
    bucket.put_object(Bucket="code", Key="key.zip", Body=python(1))
    arn = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
    code = {"S3Bucket": "code", "S3Key": "key.zip"}
    name = functions.create(code | {"SourceKMSKeyArn": arn})
    functions.settled(name)

    def shown():
        found = functions.client.get_function(FunctionName=name)
        assert "SourceKMSKeyArn" not in found["Configuration"] and "KMSKeyArn" not in found["Configuration"]
        return found["Code"].get("SourceKMSKeyArn")

    assert shown() == arn
    other = arn.replace("1111", "9999")
    functions.client.update_function_code(FunctionName=name, SourceKMSKeyArn=other, **code)
    functions.settled(name)
    assert shown() == other
    functions.client.update_function_code(FunctionName=name, **code)
    functions.settled(name)
    assert shown() is None
    status, code, message, _ = functions.refusal(code | {"SourceKMSKeyArn": "no-arn"})
    assert (status, code) == (400, "ValidationException") and "code.sourceKMSKeyArn" in message


def test_the_cli(bucket, functions, instance, python_runtime):
    bucket.put_object(Bucket="code", Key="cli.zip", Body=python("by the CLI"))
    name = unique("cli")
    for version in (1, 2):
        instance.aws(
            "lambda", "create-function", "--function-name", f"{name}-{version}", "--runtime", python_runtime,
            "--handler", "index.handler", "--role", ROLE, "--code", "S3Bucket=code,S3Key=cli.zip", version=version,
        )  # fmt: skip
        functions.settled(f"{name}-{version}")
        assert functions.answer(f"{name}-{version}") == "by the CLI"


# How the service is asked


def test_requests_are_signed_for_the_functions_region(misbehaving, python_runtime):
    service, instance = misbehaving
    functions = Functions(instance, python_runtime, region="eu-west-1")
    service.requests.clear()
    service.answers = [(200, {"x-amz-version-id": "null"}, python(1))]
    key = NAMES[1]
    functions.create({"S3Bucket": "code", "S3Key": key, "S3ObjectVersion": "a/b+c="})
    (path, headers), = service.requests
    encoded = "/prefix/code/a%20folder/with%20spaces%20%2B%20plus%2525%20%23%20question%3F%20%C3%BCn%C3%AFcode-%CE%BB.zip"
    assert path == f"{encoded}?versionId=a%2Fb%2Bc%3D"
    scope = rf"Credential={s3_server.KEY[0]}/\d{{8}}/eu-west-1/s3/aws4_request"
    found = re.fullmatch(
        rf"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=(\w{{64}})",
        headers["authorization"],
    )
    assert found, headers
    assert found[1] == s3_server.signature(service.url + path, {"Host": headers["host"]} | headers, "eu-west-1")


def test_a_session_token_goes_along_and_no_key_means_no_signature(serve, python_runtime):
    service = s3_server.Misbehaving()
    service.answers = [(200, {}, python(1))]
    for environment, token in ((s3_server.ENVIRONMENT | {"AWS_SESSION_TOKEN": "the token"}, "the token"), ({}, None)):
        instance = serve("--isolation", "none", "--endpoint", f"s3={service.url}", environment=environment)
        Functions(instance, python_runtime).create({"S3Bucket": "code", "S3Key": "k"})
        headers = service.requests.pop()[1]
        assert headers.get("x-amz-security-token") == token
        assert ("authorization" in headers) == (token is not None)
        instance.stop()
    service.close()


def test_a_key_from_a_credentials_file(serve, directories, python_runtime):
    service = s3_server.Misbehaving()
    service.answers = [(200, {}, python(1))]
    path = directories() / "credentials"
    path.write_text("[default]\naws_access_key_id = D\naws_secret_access_key = d\n[mine]\naws_access_key_id = M\naws_secret_access_key = m\n")
    for profile, used in ((None, "D"), ("mine", "M")):
        environment = {"AWS_SHARED_CREDENTIALS_FILE": str(path)} | ({"AWS_PROFILE": profile} if profile else {})
        instance = serve("--isolation", "none", "--endpoint", f"s3={service.url}", environment=environment)
        Functions(instance, python_runtime).create({"S3Bucket": "code", "S3Key": "k"})
        assert f"Credential={used}/" in service.requests.pop()[1]["authorization"]
        instance.stop()
    service.close()


def error(code, message, extra=""):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>".encode()


def test_refusals_of_the_service(misbehaving, python_runtime):
    service, instance = misbehaving
    functions = Functions(instance, python_runtime)
    code = {"S3Bucket": "code", "S3Key": "a/k.zip"}
    service.answers = [(403, {}, error("AccessDenied", "Access Denied"))]
    assert functions.refusal(code) == (
        403, "AccessDeniedException",
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
        "code/a/k.zip. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
        ["Message"],
    )  # fmt: skip
    service.answers = [(301, {"x-amz-bucket-region": "us-east-2", "Location": "/x"}, error("PermanentRedirect", "m"))]
    assert functions.refusal(code)[:3] == (
        *INVALID,
        "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: "
        "us-east-2. Please use this region to retry the request",
    )
    service.answers = [(404, {}, b"<html>nothing of S3</html>")]
    assert functions.refusal(code)[:3] == (
        *INVALID, "Error occurred while GetObject. S3 Error Code: 404 Not Found. S3 Error Message: none",
    )  # fmt: skip


def test_a_service_of_one_region_serves_functions_of_all(misbehaving, python_runtime):
    service, instance = misbehaving
    malformed = error("AuthorizationHeaderMalformed", "expecting 'local'", "<Region>local</Region>")
    service.answers = [(400, {}, malformed), (200, {}, python("another region"))]
    service.requests.clear()
    functions = Functions(instance, python_runtime)
    name = functions.create({"S3Bucket": "code", "S3Key": "k.zip"})
    functions.settled(name)
    assert functions.answer(name) == "another region"
    assert [re.search(r"/(\w[\w-]*)/s3/", headers["authorization"])[1] for _, headers in service.requests] == ["us-east-1", "local"]
    service.answers = [(400, {}, malformed)]
    assert "AuthorizationHeaderMalformed" in functions.refusal({"S3Bucket": "code", "S3Key": "k.zip"})[2]


def test_failures_that_pass_are_got_over(misbehaving, python_runtime):
    service, instance = misbehaving
    functions = Functions(instance, python_runtime)
    slow_down = (503, {}, error("SlowDown", "Please reduce your request rate."))
    service.answers = [slow_down, slow_down, (200, {}, python("after all"))]
    name = functions.create({"S3Bucket": "code", "S3Key": "k.zip"})
    functions.settled(name)
    assert functions.answer(name) == "after all"
    service.answers = [slow_down]
    service.requests.clear()
    assert functions.refusal({"S3Bucket": "code", "S3Key": "k.zip"}) == (
        500, "ServiceException",
        "Error occurred while GetObject. S3 Error Code: SlowDown. S3 Error Message: Please reduce your request rate.",
        ["Message", "Type"],
    )  # fmt: skip
    assert len(service.requests) == 3


def test_bodies_beyond_the_limit_are_not_read(misbehaving, python_runtime):
    service, instance = misbehaving
    functions = Functions(instance, python_runtime)
    service.answers = [(200, {"Content-Length": "262144001"}, b"PK")]
    began = time.monotonic()
    text = "Unzipped size must be smaller than 262144000 bytes"
    assert functions.refusal({"S3Bucket": "code", "S3Key": "k.zip"}) == (*INVALID, text, WITH_TYPE)
    assert time.monotonic() - began < 10
    # A body that ends before it should is no package.
    service.answers = [(200, {"Content-Length": "1000"}, b"PK")]
    status, code, message, _ = functions.refusal({"S3Bucket": "code", "S3Key": "k.zip"})
    assert (status, code) == (500, "ServiceException") and message.startswith(f"The S3 service at {service.url}")


def test_a_service_that_is_not_there(serve, python_runtime):
    url = f"http://127.0.0.1:{s3_server.free_port()}"
    instance = serve("--isolation", "none", "--endpoint", f"s3={url}")
    functions = Functions(instance, python_runtime)
    status, code, message, members = functions.refusal({"S3Bucket": "code", "S3Key": "k"})
    assert (status, code, members) == (500, "ServiceException", ["Message", "Type"])
    assert message.startswith(f"The S3 service at {url} cannot be reached: cannot connect: ") and message.endswith(".")
    instance.stop()


def test_no_service_at_all(client, python_runtime, server):
    functions = Functions(server, python_runtime)
    text = (
        "Rushlight has no S3-style service to fetch code from. Send the archive as ZipFile, or start the server with "
        "--endpoint s3=URL."
    )
    assert functions.refusal({"S3Bucket": "code", "S3Key": "k"}) == (*INVALID, text, WITH_TYPE)


def test_https(serve, directories, python_runtime):
    directory = directories()
    certificate, key = s3_server.certificate(directory)
    with s3_server.moto("-c", certificate, "-k", key) as port:
        url = f"https://127.0.0.1:{port}"
        s3 = s3_server.s3_client(url, verify=str(certificate))
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key="k.zip", Body=python("encrypted"))
        trusting = s3_server.ENVIRONMENT | {"SSL_CERT_FILE": str(certificate)}
        instance = serve("--isolation", "none", "--endpoint", f"s3={url}", environment=trusting)
        functions = Functions(instance, python_runtime)
        name = functions.create({"S3Bucket": "code", "S3Key": "k.zip"})
        functions.settled(name)
        assert functions.answer(name) == "encrypted"
        instance.stop()
        # Another certificate of nobody's: this service is not who it should be.
        other = directories()
        stranger, _ = s3_server.certificate(other)
        doubting = s3_server.ENVIRONMENT | {"SSL_CERT_FILE": str(stranger)}
        instance = serve("--isolation", "none", "--endpoint", f"s3={url}", environment=doubting)
        message = Functions(instance, python_runtime).refusal({"S3Bucket": "code", "S3Key": "k.zip"})[2]
        assert "certificate" in message.lower(), message
        instance.stop()
