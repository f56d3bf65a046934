"""Does what its event asks for: {"do": ACTION, ...}."""

import ctypes
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time
import uuid

ENVIRONMENT = uuid.uuid4().hex
invocations = 0


def handler(event, context):
    global invocations
    invocations += 1
    action = event.get("do", "echo") if isinstance(event, dict) else "echo"
    return globals()[f"do_{action}"](event, context)


def do_echo(event, context):
    return event


def do_who(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    return {"environment": ENVIRONMENT, "invocations": invocations, "pid": os.getpid()}


def do_sleep(event, context):
    print(f"sleeping {event['seconds']}", flush=True)
    time.sleep(event["seconds"])
    return "slept"


def do_context(event, context):
    client = context.client_context
    return {
        "aws_request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "client": client and {"custom": client.custom, "env": client.env, "title": client.client and client.client.app_title},
    }


def do_environment(event, context):
    return dict(os.environ)


def do_print(event, context):
    for line in event["lines"]:
        print(line)
    return None


def do_log(event, context):
    import logging

    logging.getLogger().warning(event["text"])
    return None


def do_raise(event, context):
    raise ValueError(event.get("text", "raised"))


def do_exit(event, context):
    sys.stdout.flush()
    os._exit(event["status"])


def do_sys_exit(event, context):
    sys.exit(event["status"])


def do_signal(event, context):
    os.kill(os.getpid(), getattr(signal, event["name"]))
    time.sleep(10)


def do_memory(event, context):
    kept = []
    for _ in range(event["megabytes"]):
        kept.append(os.urandom(1) * (1 << 20))
    return len(kept)


def do_big(event, context):
    return "x" * (event["bytes"] - 2)


def do_unserialisable(event, context):
    return object()


def do_write(event, context):
    pathlib.Path(event["path"]).write_text(event["text"])
    return None


def do_read(event, context):
    return pathlib.Path(event["path"]).read_text()


def do_exists(event, context):
    return pathlib.Path(event["path"]).exists()


def do_fill(event, context):
    """Writes a file of so many bytes; returns the error's number if it cannot."""
    try:
        with open(event["path"], "wb") as file:
            for _ in range(event["bytes"] >> 20):
                file.write(bytes(1 << 20))
        return None
    except OSError as error:
        return error.errno
    finally:
        if os.path.exists(event["path"]):
            os.remove(event["path"])


def do_limits(event, context):
    names = ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_STACK", "RLIMIT_MEMLOCK")
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def do_place(event, context):
    status = pathlib.Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "cwd": os.getcwd(),
        "python": sys.version.split()[0],
        "user": subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip(),
        "task": oct(os.stat("/var/task").st_mode),
        "tmp": oct(os.stat("/tmp").st_mode),
        "task_owner": os.stat("/var/task").st_uid,
        "opt": os.path.isdir("/opt"),
        "capabilities": fields["CapEff"],
        "bounding": fields["CapBnd"],
        "no_new_privs": fields["NoNewPrivs"],
        "seccomp": fields["Seccomp"],
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "host": socket.gethostname(),
    }


def do_attempt(event, context):
    """Runs code that must not succeed: returns {"refused": why} or {"done": result}."""
    scope = {"os": os, "socket": socket, "ctypes": ctypes, "pathlib": pathlib, "subprocess": subprocess, "json": json}
    try:
        exec(event["code"], scope)
    except BaseException as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"done": repr(scope.get("result"))}


def do_spawn(event, context):
    """Leaves a process behind that outlives the invocation."""
    child = subprocess.Popen(["sleep", str(event["seconds"])], start_new_session=event.get("session", True))
    return child.pid


def do_background(event, context):
    """Counts in a thread: shows whether time passes for the process between invocations."""
    import threading

    global ticks
    ticks = 0

    def count():
        global ticks
        while True:
            time.sleep(0.01)
            ticks += 1

    threading.Thread(target=count, daemon=True).start()
    return None


def do_ticks(event, context):
    return ticks
