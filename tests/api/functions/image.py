"""The code of a container image."""

import os
import pathlib

print("initialised")


def handler(event, context):
    action = event.get("do")
    if action == "raise":
        raise ValueError("as asked")
    if action == "exit":
        os._exit(7)
    if action == "write":
        try:
            pathlib.Path(event["path"]).write_text("x")
        except OSError as error:
            return error.strerror
        return "written"
    return {
        "event": event, "name": context.function_name, "version": context.function_version, "user": os.getuid(),
        "directory": os.getcwd(), "environment": dict(os.environ), "which": pathlib.Path("/which").read_text(),
        "root": sorted(os.listdir("/")), "lowered": sorted(os.listdir("/data")), "layers": os.listdir("/opt"),
    }


def other(event, context):
    return "the other handler"
