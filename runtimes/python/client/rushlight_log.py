"""Where log lines of a Python function go, and the set-up of `logging`.

`logging` takes longer to import than all the rest of the runtime, and many functions
never use it: it is configured in the moment it is first imported, before the importer
gets to see it, so that no program can tell the difference.
"""

import os
import sys
import time

_TEXT_FRAME = 0xA55A0003
_JSON_FRAME = 0xA55A0002
_LEVEL_BITS = {0: 0, 10: 0x08, 20: 0x0C, 30: 0x10, 40: 0x14, 50: 0x18}


def frame_type(is_json, level):
    """The type of a log frame: its format and its level, a multiple of ten."""
    base = _JSON_FRAME if is_json else _TEXT_FRAME
    return (base | _LEVEL_BITS.get(level, 0)).to_bytes(4, "big")


_PLAIN_FRAME = frame_type(False, 0)


class LogSettings:
    """`AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL` as they apply to `logging`."""

    def __init__(self):
        self.is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
        # Python has no TRACE.
        self.level = "DEBUG" if level == "TRACE" else level.upper()


class StandardLogSink:
    """Log lines on stdout; a newline inside an error becomes a carriage return."""

    def log(self, msg, frame_type=None):
        sys.stdout.write(msg)

    def log_error(self, message_lines):
        sys.stdout.write("\r".join(message_lines) + "\n")

    def close(self):
        pass


class FramedLogSink:
    """Log lines in frames on a descriptor of their own: type, length, time, text."""

    def __init__(self, descriptor, is_json):
        self._file = os.fdopen(descriptor, "wb", 0)
        self._error_frame = frame_type(is_json, 40)

    def log(self, msg, frame_type=None):
        message = msg.encode("utf8")
        self._file.write(
            (frame_type or _PLAIN_FRAME)
            + len(message).to_bytes(4, "big")
            + (time.time_ns() // 1000).to_bytes(8, "big")
            + message
        )

    def log_error(self, message_lines):
        self.log("\n".join(message_lines), self._error_frame)

    def close(self):
        self._file.close()


def open_log_sink(settings):
    """The sink that the environment asks for; the descriptor's variable is removed."""
    descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    if descriptor is None:
        return StandardLogSink()
    return FramedLogSink(int(descriptor), settings.is_json)


class Unbuffered:
    """A stream that is flushed after every write."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, exc_tb):
        pass

    def __getattr__(self, attr):
        return getattr(self.stream, attr)

    def write(self, msg):
        self.stream.write(msg)
        self.stream.flush()

    def writelines(self, msgs):
        self.stream.writelines(msgs)
        self.stream.flush()


def configure_logging_when_imported(configure):
    """Calls `configure(module)` at the end of the first import of `logging`."""
    if "logging" in sys.modules:
        configure(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, _LoggingFinder(configure))


class _LoggingFinder:
    """Finds `logging` where it is, and steps in after it was executed."""

    def __init__(self, configure):
        self._configure = configure

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ConfiguringLoader(spec.loader, self._configure)
                return spec
        return None


class _ConfiguringLoader:
    """Loads with another loader, leaves that one's name on the module, configures."""

    def __init__(self, loader, configure):
        self._loader = loader
        self._configure = configure

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._configure(module)
