"""Entry point of the Python runtime: finds the user's code, then serves invocations."""

import os
import sys


def layer_directories():
    """Where the modules of layers lie, the version's own folder first.

    Where nothing can be mounted a variable says what stands for `/opt`.
    """
    version = "python%d.%d" % sys.version_info[:2]
    layers = os.environ.get("RUSHLIGHT_OPT", "/opt") + "/python"
    return [layers + "/lib/" + version + "/site-packages", layers]


def prepare_module_search():
    """Puts the function's code first, then its layers, then this runtime.

    A `PYTHONPATH` of the user's own replaces the layers' places. `.pth` files are
    honoured in all of them.
    """
    root = os.environ["LAMBDA_TASK_ROOT"]
    layers = [] if "PYTHONPATH" in os.environ else layer_directories()
    sys.path[:0] = [root] + layers
    site = sys.modules.get("site")
    if site is None:
        import site
    for directory in [root] + layers:
        site.addsitedir(directory)
    if "PYTHONPATH" not in os.environ:
        os.environ["PYTHONPATH"] = os.environ.get("LAMBDA_RUNTIME_DIR", sys.path[-1])


prepare_module_search()

# Tracing and error-reporting libraries look for the client's module under this name.
import rushlight_runtime as bootstrap  # noqa: E402

if __name__ == "__main__":
    bootstrap.main()
