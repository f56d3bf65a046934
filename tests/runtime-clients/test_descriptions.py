"""The descriptions of the runtimes agree with themselves and with the clients."""

import datetime
import glob
import os

import pytest

from interpreters import ROOT

tomllib = pytest.importorskip("tomllib")
RUNTIMES = os.path.join(ROOT, "runtimes")
FILES = sorted(glob.glob(os.path.join(RUNTIMES, "*", "runtime.toml")))
KEYS = {
    "identifier",
    "family",
    "operating-system",
    "version",
    "execution-environment",
    "architectures",
    "features",
    "command",
    "starter",
    "entrypoints",
    "interpreter",
    "environment",
    "layers",
    "dates",
    "conditional-arguments",
}


def read(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


def test_all_are_there():
    found = {os.path.basename(os.path.dirname(path)) for path in FILES}
    assert found >= {"python3.10", "python3.14", "nodejs18.x", "nodejs24.x", "provided.al2023", "ruby3.3", "java25", "dotnet8"}
    assert len(found) == 27


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.split(os.sep)[-2])
def test_description(path):
    runtime = read(path)
    assert set(runtime) <= KEYS
    assert runtime["identifier"] == os.path.basename(os.path.dirname(path))
    dates = [datetime.date.fromisoformat(date) for date in runtime["dates"].values()]
    assert dates == sorted(dates)
    if runtime["family"] == "provided":
        assert runtime["command"] == [] and runtime["entrypoints"]
        assert "execution-environment" not in runtime and "interpreter" not in runtime
        return
    assert runtime["execution-environment"] == "AWS_Lambda_" + runtime["identifier"]
    assert runtime["command"][0] == "/var/lang/bin/" + runtime["interpreter"]["binary"]
    entry = os.path.relpath(runtime.get("starter", runtime["command"][-1]), "/var/runtime")
    assert os.path.isfile(os.path.join(RUNTIMES, runtime["family"], "client", entry))
