"""The table for Python: each row is run with AWS' client and with ours."""

from scenario import Scenario, event

JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
CLIENT_CONTEXT = (
    '{"custom":{"a":"b"},"env":{"locale":"de"},"client":{"installation_id":"i",'
    '"app_title":"t","other":1},"w3c":{"traceparent":"00-1","tracestate":1,"x":"y"}}'
)
IDENTITY = '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}'


def level(name, form="JSON"):
    return {"AWS_LAMBDA_LOG_FORMAT": form, "AWS_LAMBDA_LOG_LEVEL": name}


def has_body(seen, body):
    assert seen["requests"][1]["body"] == body
    assert seen["exit"] is None


def has_error(seen, line):
    assert line in seen["requests"][-1]["body"]
    assert seen["exit"] == 1


def rejected(seen):
    assert "Failed to get next" in seen["stderr"]
    assert seen["exit"] == 1


def rows(module, names, **fields):
    return [Scenario("%s.%s" % (module, name), "%s.%s" % (module, name), **fields) for name in names]


def with_descriptor(scenarios):
    """The same once more with a log descriptor, in text and in JSON."""
    more = []
    for item in scenarios:
        for form in ("Text", "JSON"):
            more.append(
                Scenario(
                    "%s, descriptor, %s" % (item.name, form),
                    item.handler,
                    item.events,
                    {**item.env, "AWS_LAMBDA_LOG_FORMAT": form},
                    log_descriptor=True,
                )
            )
    return more


RESULTS = rows(
    "results",
    """ok nothing text number non_ascii raw_bytes nested_bytes bad_nested_bytes exotic
    exotic_list a_set an_object decimal_key tuple_key circular bad_asdict huge large
    context_fields trace_id environment callable_object bound_method builtin""".split(),
) + [
    Scenario("echo", "results.echo", [event('{"a":[1,2.5,"ü",null,true],"\\ud83d\\ude00":-0.0}')]),
    Scenario("several invocations", "results.counter", [event() for _ in range(5)]),
    Scenario("large event", "results.echo", [event(b'"' + b"y" * 3_000_000 + b'"')]),
    Scenario("numbers", "results.echo", [event("[1e400, 123456789012345678901234567890, 1E5, -0]")]),
    Scenario("too many digits", "results.echo", [event("1" * 5000)]),
    Scenario("deep event", "results.ok", [event("[" * 500 + "]" * 500)]),
    Scenario("deep result", "results.deep", [event('{"depth":600}')]),
    Scenario("bom", "results.event_type", [event(b'\xef\xbb\xbf{"a":1}')]),
    Scenario("invalid utf-8", "results.event_type", [event(b'"\xff"')]),
    Scenario("other content type", "results.event_type", [event(b"a,b\xff", content_type="text/csv")]),
    Scenario(
        "no content type",
        "results.event_type",
        [event(b"{}", content_type=None)],
        difference="AWS' client dies of a segmentation fault",
        expected=lambda seen: has_body(seen, b'"bytes:b\'{}\'"'),
    ),
    Scenario(
        "content type with parameter",
        "results.event_type",
        [event(b"{}", content_type="application/json; charset=utf-8")],
    ),
    Scenario(
        "client context",
        "results.context_fields",
        [event(lambda_runtime_client_context=CLIENT_CONTEXT)],
    ),
    Scenario(
        "identity",
        "results.context_fields",
        [event(lambda_runtime_cognito_identity=IDENTITY, lambda_runtime_aws_tenant_id="blue")],
    ),
    Scenario(
        "non-ascii client context",
        "results.context_fields",
        [event(lambda_runtime_client_context='{"custom":{"k":"grün"}}')],
    ),
    Scenario(
        "bad client context", "results.ok", [event(lambda_runtime_client_context="{not json")]
    ),
    Scenario("empty object context", "results.context_fields", [event(lambda_runtime_client_context="{}")]),
    Scenario("bad identity", "results.ok", [event(lambda_runtime_cognito_identity="[")]),
    Scenario(
        "identity is a list", "results.ok", [event(lambda_runtime_cognito_identity="[1]")]
    ),
    Scenario(
        "deadline passed", "results.context_fields", [event(lambda_runtime_deadline_ms="1000")]
    ),
    Scenario(
        "trace id comes and goes",
        "results.trace_id",
        [event(), event(lambda_runtime_trace_id=None), event(lambda_runtime_trace_id="Root=2")],
    ),
    Scenario("json logs change nothing", "results.ok", env=JSON),
]

BAD_EVENTS = [
    Scenario("event %r" % text, "results.ok", [event(text)])
    for text in (
        "",
        " ",
        "{",
        "[",
        "nul",
        "NaN",
        "-Infinity",
        "{a:1}",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        '{"a":1 "b":2}',
        "[1,]",
        "[1 2]",
        "[,1]",
        '"open',
        '"esc\\q"',
        '"\\u12g4"',
        '"tab\there"',
        "{} {}",
        "01",
        "1.",
        "-",
        '{\n  "a": [1,\n  2\n  "b"]}',
        "'single'",
        "\x00",
        '{"a":1,"b"',
        "tru",
    )
]

ERRORS = rows(
    "errors",
    """with_message without_message unprintable non_ascii with_cause several_frames
    two_arguments_missing from_eval keyboard_interrupt generator_exit in_thread not_callable
    noted late_output abort""".split(),
) + [
    Scenario("huge message", "errors.huge_message"),
    Scenario("recursion", "errors.recursion"),
    Scenario(
        "exception group",
        "errors.exception_group",
        applies=lambda version: version != "3.10",
    ),
    Scenario(
        "goes on after an error",
        "errors.alternating",
        [event('{"fail":true}'), event('{"fail":false}'), event('{"fail":true}')],
    ),
    Scenario("sys.exit(0)", "errors.sys_exit", [event('{"status":0}')]),
    Scenario("sys.exit(7)", "errors.sys_exit", [event('{"status":7}')]),
    Scenario("sys.exit(text)", "errors.sys_exit", [event('{"status":"bye"}')]),
    Scenario("os._exit", "errors.os_exit", [event('{"status":9}')]),
    Scenario("lone surrogate", "results.lone_surrogate"),
    Scenario("error, json logs", "errors.non_ascii", env=JSON),
    Scenario("error, json logs, no message", "errors.without_message", env=JSON),
    Scenario("marshal error, json logs", "results.a_set", env=JSON),
    Scenario("handler in a file called bootstrap.py", "package.bootstrap.handler"),
    # Ours sends the next request along with the answer, theirs ends before it gets there.
    Scenario(
        "response refused", "results.ok", response_status=413, watch=0.5, compares_next=False
    ),
    Scenario(
        "error refused", "errors.with_message", response_status=403, watch=0.5, compares_next=False
    ),
    Scenario(
        "next refused",
        "results.ok",
        next_status=500,
        difference="AWS' client dies of a segmentation fault",
        expected=rejected,
    ),
]

INIT = [
    Scenario("malformed handler", "nodot"),
    Scenario("empty handler", ""),
    Scenario("missing module", "no_such_module_at_all.handler"),
    Scenario("missing package", "no/such.handler"),
    Scenario("missing function", "results.no_such_function"),
    Scenario("built-in module", "sys.exit"),
    Scenario("built-in package", "time/x.y"),
    Scenario("standard module", "json.dumps"),
    Scenario("slashes", "package/inner/module.handler"),
    Scenario("dots", "package.inner.module.handler"),
    Scenario("empty function name", "results."),
    Scenario("leading dot", ".handler"),
    Scenario("raises", "init_raises.handler"),
    Scenario(
        "raises, not in latin-1",
        "init_raises_non_ascii.handler",
        difference="AWS' client posts the report in latin-1, or dies where it cannot",
        expected=lambda seen: has_error(seen, "errorMessage=日本"),
    ),
    Scenario("import error", "init_import_error.handler"),
    Scenario("relative import error", "package.broken.handler"),
    Scenario("syntax error", "init_syntax_error.handler"),
    Scenario("nested syntax error", "init_nested_syntax_error.handler"),
    Scenario("sys.exit at import", "init_exit.handler"),
    Scenario("sys.exit(text) at import", "init_exit_message.handler"),
    Scenario("os._exit at import", "init_os_exit.handler"),
    Scenario("interrupt at import", "init_interrupt.handler"),
    Scenario("not an Exception at import", "init_base_exception.handler"),
    Scenario("logs at import", "init_logs.handler"),
    Scenario("raises, json logs", "init_raises.handler", env=JSON),
    Scenario("syntax error, json logs", "init_syntax_error.handler", env=JSON),
    Scenario("logs at import, json logs", "init_logs.handler", env=JSON),
    Scenario("init error refused", "results.no_such_function", response_status=403),
]

LOGS = rows(
    "logs",
    """levels set_level custom_level multi_line exception stack dict_message unserialisable
    bad_format prints context_log warn handlers replaced_handler""".split(),
) + rows("quiet_logs", "context_log late_import in_thread importlib_import".split())

LOG_LEVELS = [
    Scenario("level %s" % name, "logs.levels", env=level(name))
    for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "debug", "nonsense")
] + [
    Scenario("level in text", "logs.levels", env=level("INFO", "Text")),
    Scenario("late import with level", "quiet_logs.late_import", env=level("ERROR")),
    Scenario(
        "tenant in json logs",
        "logs.levels",
        [event(lambda_runtime_aws_tenant_id="blue")],
        JSON,
    ),
    Scenario("flood", "logs.flood"),
    Scenario("level in text, descriptor", "logs.levels", env=level("DEBUG", "Text"), log_descriptor=True),
    Scenario("format in lower case", "logs.levels", env={"AWS_LAMBDA_LOG_FORMAT": "json"}),
]

JSON_LOGS = [
    Scenario(item.name + ", JSON", item.handler, item.events, {**item.env, **JSON}) for item in LOGS
]

WITH_DESCRIPTOR = with_descriptor(
    LOGS
    + [item for item in ERRORS if item.name in ("errors.non_ascii", "errors.with_cause")]
    + [item for item in INIT if item.name in ("raises", "missing function", "logs at import")]
)

SCENARIOS = RESULTS + BAD_EVENTS + ERRORS + INIT + LOGS + LOG_LEVELS + JSON_LOGS + WITH_DESCRIPTOR
