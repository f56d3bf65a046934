"""The life of a Python function: init, then one invocation after the other.

`handle_event_request` and `LambdaRuntimeClient` carry the names, and are looked up the
way, that tracing and error-reporting libraries rely on when they wrap them.
"""

import os
import sys

from rushlight_context import LambdaContext, set_default_log
from rushlight_handler import Fault, find_handler
from rushlight_json import Encoder, decode, to_json
from rushlight_log import (
    LogSettings,
    Unbuffered,
    configure_logging_when_imported,
    open_log_sink,
)
from rushlight_wire import Connection, ConnectionClosed

_NEVER_REFUSED = 1024 * 1024
_TRACING_CAUSE_LIMIT = 1024 * 1024
_ERROR_TYPE = b"Lambda-Runtime-Function-Error-Type: "
_USER_AGENT = b"User-Agent: rushlight-python/%d.%d.%d\r\n" % sys.version_info[:3]


class Invocation:
    """The invocation in hand, as far as log records name it."""

    request_id = None
    tenant_id = None


class LambdaRuntimeClient:
    """The calls of the Runtime API."""

    def __init__(self, address):
        self._connection = Connection(address)
        self._next = self._connection.message(b"GET", b"invocation/next", _USER_AGENT)
        self._is_next_asked = False

    def wait_next_invocation(self):
        """Blocks until there is an invocation; returns (headers, event's bytes)."""
        if self._is_next_asked:
            self._is_next_asked = False
            try:
                status, headers, body = self._connection.answer()
            except ConnectionClosed:
                self._connection.close()
                return self.wait_next_invocation()
        else:
            status, headers, body = self._connection.exchange(self._next)
        if status != 200:
            _complain("Failed to get next invocation", status, body)
            raise RuntimeError("Failed to get next")
        return headers, body

    def post_invocation_result(
        self, invoke_id, result_data, content_type="application/json", invocation_id=None
    ):
        """Answers an invocation with the handler's result, text or bytes."""
        if not isinstance(result_data, bytes):
            result_data = result_data.encode("utf-8")
        fields = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n"
        if not self._post(invoke_id, b"/response", fields, result_data, invocation_id):
            raise RuntimeError("Failed to post invocation response")

    def post_invocation_error(
        self, invoke_id, error_response_data, xray_fault, invocation_id=None
    ):
        """Answers an invocation with an error, both given as JSON text."""
        cause = xray_fault.encode("utf-8")
        fields = b"Content-Type: application/json\r\n"
        if len(cause) < _TRACING_CAUSE_LIMIT:
            fields += b"Lambda-Runtime-Function-XRay-Error-Cause: " + cause + b"\r\n"
        body = error_response_data.encode("utf-8")
        if not self._post(invoke_id, b"/error", fields, body, invocation_id):
            raise RuntimeError("Failed to post invocation error")

    def post_init_error(self, error_response_data, error_type_override=None):
        """Reports that the function could not be initialised."""
        kind = error_type_override or error_response_data["errorType"]
        self._expect(202, b"POST", b"init/error", kind, error_response_data)

    def restore_next(self):
        """Blocks from before the snapshot until after the restore."""
        self._expect(200, b"GET", b"restore/next")

    def report_restore_error(self, restore_error_data):
        """Reports that a hook failed after the restore."""
        kind = "Runtime.AfterRestoreError"
        self._expect(202, b"POST", b"restore/error", kind, restore_error_data)

    def _post(self, invoke_id, action, fields, body, invocation_id):
        if invocation_id is not None:
            fields += b"Lambda-Runtime-Invocation-Id: %s\r\n" % invocation_id.encode()
        path = b"invocation/" + invoke_id.encode() + action
        message = self._connection.message(b"POST", path, _USER_AGENT + fields, body)
        # Nothing happens between an answer and the wait for the next event: both leave in
        # one segment, unless the answer is so large that it may be refused.
        asks = len(body) <= _NEVER_REFUSED
        status, _, answer = self._connection.exchange(
            message + self._next if asks else message
        )
        self._is_next_asked = asks and self._connection.is_open
        if 200 <= status < 300:
            return True
        _complain("Failed to post handler success response", status, answer)
        return False

    def _expect(self, expected, method, path, kind=None, payload=None):
        fields = _USER_AGENT
        body = None
        if payload is not None:
            fields += _ERROR_TYPE + kind.encode("utf-8") + b"\r\n"
            body = to_json(payload).encode("utf-8")
        message = self._connection.message(method, path, fields, body)
        status, _, answer = self._connection.exchange(message)
        if status != expected:
            endpoint = "/2018-06-01/runtime/" + path.decode()
            raise LambdaRuntimeClientError(endpoint, status, answer)


class LambdaRuntimeClientError(Exception):
    """The Runtime API answered otherwise than it should."""

    def __init__(self, endpoint, response_code, response_body):
        self.endpoint = endpoint
        self.response_code = response_code
        self.response_body = response_body
        super().__init__(
            "Request to Lambda Runtime '%s' endpoint failed. Reason: '%s'. "
            "Response body: '%s'" % (endpoint, response_code, response_body)
        )


def _complain(what, status, body):
    import time

    sys.stdout.write(
        "[ERROR] [%d] LAMBDA_RUNTIME %s. Http response code: %d. %s\n"
        % (time.time() * 1000, what, status, body.decode("utf-8", "replace"))
    )


def handle_event_request(
    lambda_runtime_client,
    request_handler,
    invoke_id,
    event_body,
    content_type,
    client_context_json,
    cognito_identity_json,
    invoked_function_arn,
    epoch_deadline_time_in_ms,
    tenant_id,
    log_sink,
    invocation_id=None,
):
    """Runs the handler once and posts its result or its error."""
    try:
        lambda_context = LambdaContext(
            invoke_id,
            _header_json(client_context_json, "Client Context"),
            _header_json(cognito_identity_json, "Cognito Identity"),
            epoch_deadline_time_in_ms,
            invoked_function_arn,
            tenant_id,
        )
        event = _unmarshal(event_body, content_type)
        response = request_handler(event, lambda_context)
        result, result_content_type = _marshal(response)
        failure = None
    except Exception as error:
        failure = _describe(error, invoke_id, log_sink)
    if failure is not None:
        lambda_runtime_client.post_invocation_error(invoke_id, *failure, invocation_id)
    else:
        lambda_runtime_client.post_invocation_result(
            invoke_id, result, result_content_type, invocation_id
        )


def _header_json(text, name):
    if not text:
        return None
    try:
        import json

        return json.loads(text)
    except Exception as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError",
            "Unable to parse %s JSON: %s" % (name, error),
        ) from None


def _unmarshal(body, content_type):
    if content_type != "application/json":
        return body
    try:
        return decode(body)
    except Exception as error:
        raise Fault(
            "Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error
        ) from None


def _marshal(response):
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return _encoder.encode(response), "application/json"
    except Exception as error:
        raise Fault(
            "Runtime.MarshalError", "Unable to marshal response: %s" % error
        ) from None


def _describe(error, invoke_id, log_sink):
    """Logs an error; returns its JSON and the JSON for X-Ray."""
    import rushlight_errors as errors

    report = errors.report(error, invoke_id)
    errors.log_error(report, log_sink, _settings.is_json)
    return to_json(report), to_json(errors.tracing_cause(error))


def _load(handler, client, log_sink):
    """The handler's function; where there is none, reports why and ends the process."""
    try:
        return find_handler(handler)
    except Exception as error:
        import logging

        import rushlight_errors as errors

        logging.warning(errors.UNHANDLED_DURING_INIT)
        report = errors.report(error)
        errors.log_error(report, log_sink, _settings.is_json)
    client.post_init_error(report)
    sys.exit(1)


def _configure_logging(log_sink):
    def configure(_module):
        import rushlight_logging

        rushlight_logging.configure(_settings, log_sink, Invocation)

    set_default_log(log_sink)
    configure_logging_when_imported(configure)


def _set_trace_id(trace_id):
    if trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    elif "_X_AMZN_TRACE_ID" in os.environ:
        del os.environ["_X_AMZN_TRACE_ID"]


def _serve(client, request_handler, log_sink):
    while True:
        headers, body = client.wait_next_invocation()
        header = headers.get
        Invocation.request_id = invoke_id = header("lambda-runtime-aws-request-id")
        Invocation.tenant_id = tenant_id = header("lambda-runtime-aws-tenant-id")
        _set_trace_id(header("lambda-runtime-trace-id"))
        handle_event_request(
            client,
            request_handler,
            invoke_id,
            body,
            header("content-type"),
            header("lambda-runtime-client-context"),
            header("lambda-runtime-cognito-identity"),
            header("lambda-runtime-invoked-function-arn"),
            int(header("lambda-runtime-deadline-ms", 0)),
            tenant_id,
            log_sink,
            header("lambda-runtime-invocation-id"),
        )


_settings = LogSettings()
_encoder = Encoder()


def main():
    """Serves until the environment ends the process."""
    client_class = LambdaRuntimeClient
    concurrency = os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY")
    if concurrency is not None:
        import rushlight_workers

        rushlight_workers.become_one_of(int(concurrency))
        client_class = rushlight_workers.WorkerRuntimeClient
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    log_sink = open_log_sink(_settings)
    try:
        _configure_logging(log_sink)
        client = client_class(os.environ["AWS_LAMBDA_RUNTIME_API"])
        request_handler = _load(os.environ.get("_HANDLER", ""), client, log_sink)
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            import rushlight_snapshot

            rushlight_snapshot.pass_through(client, log_sink, _settings.is_json)
        _serve(client, request_handler, log_sink)
    finally:
        log_sink.close()
