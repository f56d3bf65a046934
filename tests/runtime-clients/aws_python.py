"""Starts AWS' Python client the way AWS' own bootstrap does.

Usage: python bootstrap.py SITE_PACKAGES. Kept beside nothing else, so that the first entry
of `sys.path` is the same folder that the function's code takes over.
"""

import os
import site
import sys

root = os.environ["LAMBDA_TASK_ROOT"]
layers = [
    "/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2],
    "/opt/python",
]
sys.path[:0] = [root] + layers
sys.path.append(sys.argv.pop())
for directory in [root] + layers:
    site.addsitedir(directory)
os.environ.setdefault("PYTHONPATH", "/var/runtime")

import awslambdaric.__main__ as awslambdaricmain  # noqa: E402

awslambdaricmain.main(["awslambdaric", os.environ["_HANDLER"]])
