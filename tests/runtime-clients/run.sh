#!/bin/sh
# Compares the runtime clients of this project with AWS' own. Arguments go to pytest.
# Downloads and builds are kept under target/ and done once (about ten minutes).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../target/runtime-clients
mkdir -p "$cache"
if ! "$cache/venv/bin/python" -c 'import pytest, xdist' 2>/dev/null; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check pytest pytest-xdist
fi
export PYTHONDONTWRITEBYTECODE=1
"$cache/venv/bin/python" "$here/setup.py"
cd "$here"
exec "$cache/venv/bin/python" -m pytest -q -p no:cacheprovider -n 3 -rs "$@"
