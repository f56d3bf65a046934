"""Handlers that log."""

import logging
import sys
import warnings

logger = logging.getLogger("app")


def levels(event, context):
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, name)("at %s %s", name, "äöü")
    return logging.getLogger().level


def set_level(event, context):
    logging.getLogger().setLevel(logging.INFO)
    logger.info("now visible")
    logger.debug("still not")


def custom_level(event, context):
    logger.log(35, "between warning and error")
    logger.log(5, "below debug")
    logger.log(60, "above critical")


def multi_line(event, context):
    logger.warning("first\nsecond\n\tthird")
    print("one\ntwo")


def exception(event, context):
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("it failed: %d", 7)


def stack(event, context):
    logger.warning("here", stack_info=False, extra={"order": {"id": 1}, "none": None})


def dict_message(event, context):
    logger.warning({"event": "x", "value": 1})
    logger.warning({"event": "y", "value": object}, {"arg": 1})


def unserialisable(event, context):
    logger.warning({"event": ValueError})
    logger.warning("extra", extra={"tags": {1, 1}, "requestId": "mine"})


def bad_format(event, context):
    logger.warning("%d", "not a number")


def prints(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.write("without newline")
    sys.stdout.writelines(["a\n", "b\n"])
    print()
    sys.stdout.flush()


def context_log(event, context):
    context.log("plain")
    context.log("with newline\n")
    context.log({"an": "object"})


def flood(event, context):
    for number in range(20000):
        print("line %d %s" % (number, "x" * 80))
    return "done"


def warn(event, context):
    warnings.warn("careful")


def handlers(event, context):
    root = logging.getLogger()
    return {
        "count": len(root.handlers),
        "names": [type(h).__name__ for h in root.handlers],
        "formatter": type(root.handlers[0].formatter).__name__,
        "filters": [type(f).__name__ for f in root.handlers[0].filters],
        "has_sink": hasattr(root.handlers[0], "log_sink"),
        "level": root.level,
        "loader": type(logging.__spec__.loader).__name__,
        "converter": logging.Formatter.converter.__name__,
    }


def replaced_handler(event, context):
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    logging.basicConfig(format="%(levelname)s|%(message)s", stream=sys.stdout)
    logging.warning("mine now")
    context.log("and this\n")
    raise ValueError("still reported")
