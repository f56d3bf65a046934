"""Handlers that fail."""

import os
import sys
import threading
import time


class CustomError(Exception):
    pass


class Unprintable(Exception):
    def __str__(self):
        return ""


def with_message(event, context):
    raise ValueError("something went wrong")


def without_message(event, context):
    raise CustomError()


def unprintable(event, context):
    raise Unprintable("hidden")


def non_ascii(event, context):
    raise ValueError("größe 日本\nsecond line\n  indented")


def with_cause(event, context):
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise CustomError("outer") from error


def several_frames(event, context):
    def inner(depth):
        if depth == 0:
            raise RuntimeError("deep")
        inner(depth - 1)

    inner(3)


def recursion(event, context):
    def forever():
        forever()

    forever()


def two_arguments_missing():
    return "never"


def huge_message(event, context):
    raise ValueError("x" * 1_200_000)


def from_eval(event, context):
    eval("1/0")


def alternating(event, context):
    if event["fail"]:
        raise ValueError("failed as asked")
    return "fine"


def sys_exit(event, context):
    sys.exit(event["status"])


def os_exit(event, context):
    print("about to go")
    os._exit(event["status"])


def keyboard_interrupt(event, context):
    raise KeyboardInterrupt()


def generator_exit(event, context):
    raise GeneratorExit("odd")


def in_thread(event, context):
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    return "survived"


def abort(event, context):
    os.abort()


def exception_group(event, context):
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])  # noqa: F821


def noted(event, context):
    error = ValueError("message")
    if hasattr(error, "add_note"):
        error.add_note("a note")
    raise error


def late_output(event, context):
    def speak():
        time.sleep(0.05)
        print("from the thread")

    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    return None


not_callable = 5
