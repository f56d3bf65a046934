"""AWS' Python client and ours go through the same scenarios; nothing may tell them apart."""

import os

import pytest

from comparison import comparable
from interpreters import HERE, OURS_PYTHON, aws_python, python_interpreters
from python_scenarios import SCENARIOS
from scenario import observe

TASK_ROOT = os.path.join(HERE, "functions", "python")
INTERPRETERS = python_interpreters()
ROWS = [
    pytest.param(version, item, id="%s-%s" % (version, item.name[:60]))
    for version in INTERPRETERS
    for item in SCENARIOS
    if item.applies(version)
]


def environment(version):
    return {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python" + version,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def ours(version, item):
    command = [INTERPRETERS[version], os.path.join(OURS_PYTHON, "bootstrap.py")]
    seen = observe(command, TASK_ROOT, item, environment(version))
    return comparable(seen, item, [OURS_PYTHON])


def theirs(version, item):
    packages = aws_python(version)
    if packages is None:
        pytest.skip("awslambdaric is not installed for Python " + version)
    starter = os.path.join(HERE, "aws_python.py")
    command = [INTERPRETERS[version], starter, packages]
    seen = observe(command, TASK_ROOT, item, environment(version))
    return comparable(seen, item, [packages, starter])


@pytest.mark.parametrize("version, item", ROWS)
def test_python(version, item):
    if item.difference:
        item.expected(ours(version, item))
        return
    expected = theirs(version, item)
    seen = ours(version, item)
    for part in ("exit", "requests", "frames", "stdout", "stderr"):
        assert seen[part] == expected[part], part
