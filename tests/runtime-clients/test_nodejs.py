"""AWS' Node.js client and ours go through the same scenarios; nothing may tell them apart."""

import os

import pytest

from comparison import comparable
from interpreters import HERE, OURS_NODEJS, aws_nodejs, nodejs_interpreters
from nodejs_scenarios import SCENARIOS
from scenario import observe

TASK_ROOT = os.path.join(HERE, "functions", "nodejs")
INTERPRETERS = nodejs_interpreters()
FLAGS = ["--expose-gc", "--max-http-header-size=81920"]
ROWS = [
    pytest.param(version, item, id="%s-%s" % (version, item.name[:60]))
    for version in INTERPRETERS
    for item in SCENARIOS
    if item.applies(version)
]


def environment(version):
    return {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs%s.x" % version}


def ours(version, item):
    command = [INTERPRETERS[version], *FLAGS, os.path.join(OURS_NODEJS, "index.mjs")]
    seen = observe(command, TASK_ROOT, item, environment(version))
    return comparable(seen, item, [OURS_NODEJS])


def theirs(version, item):
    module = aws_nodejs(version)
    if module is None:
        pytest.skip("aws-lambda-ric for Node.js %s could not be built" % version)
    command = [INTERPRETERS[version], *FLAGS, module]
    seen = observe(command, TASK_ROOT, item, environment(version))
    return comparable(seen, item, [os.path.dirname(module)])


@pytest.mark.parametrize("version, item", ROWS)
def test_nodejs(version, item):
    if item.difference:
        item.expected(ours(version, item))
        return
    expected = theirs(version, item)
    seen = ours(version, item)
    for part in ("exit", "requests", "frames", "stdout", "stderr"):
        assert seen[part] == expected[part], part
