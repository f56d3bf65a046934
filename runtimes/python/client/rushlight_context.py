"""The `context` argument of a Python handler."""

import os
import sys
import time

_TRACE_CONTEXT_FIELDS = ("traceparent", "tracestate", "baggage")


class LambdaContext:
    """What a handler can learn about its invocation."""

    def __init__(
        self,
        invoke_id,
        client_context,
        cognito_identity,
        epoch_deadline_time_in_ms,
        invoked_function_arn=None,
        tenant_id=None,
    ):
        environment = os.environ.get
        self.aws_request_id = invoke_id
        self.log_group_name = environment("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environment("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environment("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environment("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environment("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = invoked_function_arn
        self.tenant_id = tenant_id
        self._w3c_fields = _take_trace_context(client_context)
        self.client_context = _filled(ClientContext, client_context)
        if self.client_context is not None:
            self.client_context.client = _filled(Client, self.client_context.client)
        self.identity = _filled(CognitoIdentity, {})
        if cognito_identity is not None:
            identity = cognito_identity.get
            self.identity.cognito_identity_id = identity("cognitoIdentityId")
            self.identity.cognito_identity_pool_id = identity("cognitoIdentityPoolId")
        self._epoch_deadline_time_in_ms = epoch_deadline_time_in_ms

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation times out, never below 0."""
        remaining = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return remaining if remaining > 0 else 0

    def w3c(self):
        """The W3C trace context that came with the client context."""
        return dict(self._w3c_fields)

    def log(self, msg):
        """Writes `msg` to the function's log as it is."""
        logging = sys.modules.get("logging")
        handlers = logging.getLogger().handlers if logging else [_default_log]
        for handler in handlers:
            if hasattr(handler, "log_sink"):
                handler.log_sink.log(str(msg))
                return
        sys.stdout.write(str(msg))

    def __repr__(self):
        return _description(
            self,
            (
                "aws_request_id",
                "log_group_name",
                "log_stream_name",
                "function_name",
                "memory_limit_in_mb",
                "function_version",
                "invoked_function_arn",
                "client_context",
                "identity",
                "tenant_id",
            ),
        )


class _DefaultLog:
    """Stands for the root logger's handler while `logging` is not loaded."""


_default_log = _DefaultLog()


def set_default_log(log_sink):
    """Where `context.log` writes as long as `logging` is not loaded."""
    _default_log.log_sink = log_sink


class _Fields:
    """A plain object with a fixed set of attributes and a readable form."""

    __slots__ = []

    def __repr__(self):
        return _description(self, self.__slots__)


class CognitoIdentity(_Fields):
    """Who called, where the caller came through Amazon Cognito."""

    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]


class Client(_Fields):
    """The mobile application that called."""

    __slots__ = [
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    ]


class ClientContext(_Fields):
    """What the caller passed as its client context."""

    __slots__ = ["custom", "env", "client"]


def _description(value, names):
    fields = ",".join("%s=%s" % (name, getattr(value, name)) for name in names)
    return "%s([%s])" % (value.__class__.__name__, fields)


def _filled(kind, values):
    if values is None:
        return None
    filled = kind()
    for name in kind.__slots__:
        setattr(filled, name, values.get(name))
    return filled


def _take_trace_context(client_context):
    """Removes `w3c` from the client context and returns its known text fields."""
    if not isinstance(client_context, dict):
        return {}
    fields = client_context.pop("w3c", None)
    if not isinstance(fields, dict):
        return {}
    return {
        name: fields[name]
        for name in _TRACE_CONTEXT_FIELDS
        if isinstance(fields.get(name), str)
    }
