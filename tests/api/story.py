"""What a client knows of a function while the server is killed under it.

Each function belongs to one client, which makes one call after the other. So what it was told last, and at most the one
call whose answer it did not hear, say what there may be: the state before that call or the state after it.
"""

import base64
import copy
import hashlib
import json

import botocore.exceptions

import packages
from server import ROLE


class Interrupted(Exception):
    """The server was gone before it answered."""


def package(mark):
    return packages.python(f"def handler(event, context): return {mark!r}\n")


def sha256(mark):
    return base64.b64encode(hashlib.sha256(package(mark)).digest()).decode()


class Story:
    def __init__(self, name, runtime):
        self.name = name
        self.runtime = runtime
        # None if there is no function, else {"code", "memory", "versions": {number: code}, "highest", "published"}.
        self.known = None
        # What the unanswered call would have led to; the same as what is known if there is none.
        self.after = None
        self.is_open = False
        self.acknowledged = 0
        self.marks = 0

    def next_mark(self):
        self.marks += 1
        return f"{self.name}/{self.marks}"

    def _call(self, after, call, *arguments, **members):
        """Makes a call that leads to `after`, and believes that only when it is answered."""
        self.after, self.is_open = after, True
        try:
            answer = call(*arguments, **members)
        except botocore.exceptions.ClientError as error:
            # Whatever the server says, it says while it lives. Nothing that is done here may be refused.
            raise AssertionError(f"{self.name}: {error}") from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise Interrupted from error
        self.known, self.is_open = after, False
        self.acknowledged += 1
        return answer

    # The calls

    def step(self, client, chance):
        """One call, by chance among those that the function's state allows."""
        if self.known is None:
            return self.create(client, chance)
        self.settle(client)
        choices = [self.update_code, self.configure, self.publish, self.delete_version, self.delete]
        return chance.choices(choices, weights=[4, 3, 4, 2, 1])[0](client, chance)

    def create(self, client, chance):
        mark, publish = self.next_mark(), chance.random() < 0.3
        after = {"code": mark, "memory": 128, "versions": {}, "highest": 0, "published": None}
        if publish:
            after |= {"versions": {1: mark}, "highest": 1, "published": (mark, 128)}
        self._call(
            after, client.create_function, FunctionName=self.name, Runtime=self.runtime, Handler="index.handler", Role=ROLE,
            Code={"ZipFile": package(mark)}, Publish=publish,
        )  # fmt: skip

    def update_code(self, client, chance):
        mark, publish = self.next_mark(), chance.random() < 0.3
        after = copy.deepcopy(self.known) | {"code": mark}
        if publish:
            self._publish_in(after)
        answer = self._call(
            after, client.update_function_code, FunctionName=self.name, ZipFile=package(mark), Publish=publish
        )
        assert answer["CodeSha256"] == sha256(mark)
        if publish:
            assert answer["Version"] == str(after["highest"])

    def configure(self, client, chance):
        after = copy.deepcopy(self.known) | {"memory": self.known["memory"] % 1024 + 64}
        self._call(after, client.update_function_configuration, FunctionName=self.name, MemorySize=after["memory"])

    def publish(self, client, chance):
        after = copy.deepcopy(self.known)
        # What was published last and is still there is not published again.
        unchanged = after["published"] == (after["code"], after["memory"]) and after["highest"] in after["versions"]
        if not unchanged:
            self._publish_in(after)
        answer = self._call(after, client.publish_version, FunctionName=self.name)
        assert answer["Version"] == str(after["highest"]), (self.name, answer, after)

    @staticmethod
    def _publish_in(state):
        state["highest"] += 1
        state["versions"][state["highest"]] = state["code"]
        state["published"] = (state["code"], state["memory"])

    def delete_version(self, client, chance):
        if not self.known["versions"]:
            return
        after = copy.deepcopy(self.known)
        number = chance.choice(sorted(after["versions"]))
        del after["versions"][number]
        self._call(after, client.delete_function, FunctionName=self.name, Qualifier=str(number))

    def delete(self, client, chance):
        self._call(None, client.delete_function, FunctionName=self.name)

    # What there is

    def settle(self, client):
        """Waits until nothing is under way with the function."""
        try:
            while True:
                found = client.get_function_configuration(FunctionName=self.name)
                if found["State"] == "Active" and found.get("LastUpdateStatus") == "Successful":
                    return
                assert found["State"] in ("Active", "Pending") and found.get("LastUpdateStatus") in (None, "InProgress", "Successful")
        except botocore.exceptions.ClientError:
            raise
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise Interrupted from error

    def check(self, client):
        """Holds what there is against what there may be, and believes it from now on. Nothing may be under way."""
        candidates = [self.known, self.after] if self.is_open else [self.known]
        found = self._found(client)
        matching = [state for state in candidates if visible(state) == found]
        assert matching, f"{self.name}: found {found}, known {self.known}, open {self.is_open} {self.after}"
        self.known, self.is_open = matching[-1], False

    def _found(self, client):
        try:
            self.settle(client)
            latest = client.get_function_configuration(FunctionName=self.name)
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=self.name)
            versions = [version for page in pages for version in page["Versions"] if version["Version"] != "$LATEST"]
        except client.exceptions.ResourceNotFoundException:
            return None
        for version in versions:
            shown = client.get_function_configuration(FunctionName=self.name, Qualifier=version["Version"])
            assert shown["State"] == "Active", (self.name, shown)
            assert shown["CodeSha256"] == version["CodeSha256"]
        return {
            "code": latest["CodeSha256"],
            "memory": latest["MemorySize"],
            "versions": {int(version["Version"]): version["CodeSha256"] for version in versions},
        }

    def invoke(self, client):
        """Each version answers with its own code."""
        if self.known is None:
            return
        expected = {"$LATEST": self.known["code"]} | {str(number): mark for number, mark in self.known["versions"].items()}
        for qualifier, mark in expected.items():
            answer = client.invoke(FunctionName=self.name, Qualifier=qualifier)
            payload = json.loads(answer["Payload"].read())
            assert (payload, answer["ExecutedVersion"]) == (mark, qualifier), self.name


def visible(state):
    """A state as `Story._found` sees it."""
    if state is None:
        return None
    return {
        "code": sha256(state["code"]),
        "memory": state["memory"],
        "versions": {number: sha256(mark) for number, mark in state["versions"].items()},
    }
