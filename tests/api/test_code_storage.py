"""What an account's code may take: a quota of the operator's, counted once for every version."""

import io
import threading
import zipfile

import botocore.exceptions
import pytest

import packages
from golden import Recorder
from server import ROLE, unique, wait_until

SIZE = 1000
QUOTA = 10 * SIZE


def package(mark, size=SIZE):
    """A zip of exactly `size` bytes that differs by `mark`."""

    def made(padding):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            code = f"def handler(event, context): return {mark!r}\n"
            archive.writestr(packages.entry("index.py", compression=zipfile.ZIP_STORED), code)
            archive.writestr(packages.entry("padding", compression=zipfile.ZIP_STORED), b"x" * padding)
        return buffer.getvalue()

    found = made(size - len(made(0)))
    assert len(found) == size
    return found


@pytest.fixture(scope="module")
def instance(serve):
    instance = serve("--isolation", "none", "--code-storage-bytes", QUOTA, "--concurrent-executions", "77")
    yield instance
    assert instance.stop() == 0


class Account:
    """A region of its own for each test, so that each begins with nothing."""

    def __init__(self, instance, runtime, region):
        self.client = instance.client(region=region)
        self.recorder = Recorder(self.client)
        self.runtime = runtime

    def create(self, size=SIZE, mark="first", **settings):
        name = unique("stored")
        self.client.create_function(
            FunctionName=name, Runtime=self.runtime, Handler="index.handler", Role=ROLE,
            Code={"ZipFile": package(mark, size)}, **settings,
        )  # fmt: skip
        self.settle(name)
        return name

    def settle(self, name):
        def settled():
            found = self.client.get_function_configuration(FunctionName=name)
            return found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress"

        wait_until(settled, what=f"that {name} is active")

    def update(self, name, size=SIZE, mark="second", **settings):
        self.client.update_function_code(FunctionName=name, ZipFile=package(mark, size), **settings)
        self.settle(name)

    def used(self):
        return self.client.get_account_settings()["AccountUsage"]["TotalCodeSize"]

    def refused(self, call, *arguments, **options):
        with pytest.raises(botocore.exceptions.ClientError) as refusal:
            call(*arguments, **options)
        assert refusal.value.response["Error"]["Code"] == "CodeStorageExceededException"


def test_full_to_the_last_byte(instance, golden, python_runtime):
    account = Account(instance, python_runtime, "eu-west-1")
    account.create(QUOTA - SIZE)
    account.refused(account.create, SIZE + 1)
    golden.check("code-storage-exceeded", account.recorder.answer())
    account.create(SIZE)
    assert account.used() == QUOTA
    account.client.get_account_settings()
    golden.check("code-storage-full", account.recorder.answer())
    account.refused(account.create, 300)


def test_updates_count_what_they_add(instance, python_runtime):
    account = Account(instance, python_runtime, "eu-west-2")
    first, second = account.create(5 * SIZE), account.create(4 * SIZE)
    account.refused(account.update, second, 5 * SIZE + 1)
    # A dry run says so, too, and nothing was changed by either.
    account.refused(account.update, second, 5 * SIZE + 1, DryRun=True)
    assert account.used() == 9 * SIZE
    account.update(second, 5 * SIZE)
    assert account.used() == QUOTA
    # What does not grow fits always.
    account.update(first, 5 * SIZE)
    account.update(first, SIZE)
    assert account.used() == 6 * SIZE
    account.client.update_function_configuration(FunctionName=first, Description="takes nothing")
    account.settle(first)
    assert account.used() == 6 * SIZE
    account.client.delete_function(FunctionName=second)
    assert account.used() == SIZE


def test_every_version_counts(instance, python_runtime):
    account = Account(instance, python_runtime, "eu-west-3")
    name = account.create(3 * SIZE)
    account.client.publish_version(FunctionName=name)
    assert account.used() == 6 * SIZE
    account.update(name, 3 * SIZE, "second")
    account.client.publish_version(FunctionName=name)
    assert account.used() == 9 * SIZE
    account.update(name, 3 * SIZE, "third")
    account.refused(account.client.publish_version, FunctionName=name)
    account.refused(account.update, name, 3 * SIZE, "fourth", Publish=True)
    account.refused(account.create, 600, Publish=True)
    account.create(500, Publish=True)
    assert account.used() == QUOTA
    account.client.delete_function(FunctionName=name, Qualifier="1")
    assert account.used() == 7 * SIZE
    account.client.publish_version(FunctionName=name)
    assert account.used() == QUOTA


def test_regions_do_not_share(instance, python_runtime):
    for region in ("us-west-1", "us-west-2"):
        Account(instance, python_runtime, region).create(QUOTA)


def test_a_crowd_does_not_get_more_than_there_is(instance, python_runtime):
    account = Account(instance, python_runtime, "ap-south-1")
    outcomes, barrier = [], threading.Barrier(24)

    def create(number):
        client = instance.client(region="ap-south-1")
        code = {"ZipFile": package(number)}
        barrier.wait()
        try:
            client.create_function(
                FunctionName=unique("crowd"), Runtime=python_runtime, Handler="index.handler", Role=ROLE, Code=code
            )
            outcomes.append("created")
        except client.exceptions.CodeStorageExceededException:
            outcomes.append("refused")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] * 10 + ["refused"] * 14
    assert account.used() == QUOTA
    # A refused upload leaves nothing that counts.
    names = [function["FunctionName"] for function in account.client.list_functions()["Functions"]]
    assert len(names) == 10
    account.client.delete_function(FunctionName=names[0])
    account.create(SIZE)
