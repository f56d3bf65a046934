"""The table for Node.js: each row is run with AWS' client and with ours."""

from scenario import Scenario, event

JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
TWICE = [event(), event(lambda_runtime_aws_request_id="second-request")]


HANGS = (
    "the thread in which AWS' client waits for the next event keeps the process from ending; "
    "the next event is lost with it"
)


def ended_after_result(seen, status):
    assert seen["requests"][1]["call"].endswith("/response")
    assert seen["exit"] == status


def reported_in_order(seen):
    assert seen["requests"][0]["call"] == "POST /2018-06-01/runtime/init/error"
    assert seen["exit"] == 128


def refused_streaming(seen):
    assert "errorType=Runtime.MalformedStreamingHandler" in seen["requests"][0]["body"]
    assert "errorMessage=Only response streaming is supported." in seen["requests"][0]["body"]
    assert seen["exit"] == 129


def before_24(version):
    return int(version) < 24


def rows(module, names, **fields):
    return [Scenario("%s.%s" % (module, name), "%s.%s" % (module, name), **fields) for name in names]


def variant(scenarios, suffix, env, log_descriptor=False):
    """The same once more with other variables, or with a log descriptor."""
    return [
        Scenario(
            "%s, %s" % (item.name, suffix),
            item.handler,
            item.events,
            {**item.env, **env},
            log_descriptor,
            item.watch,
        )
        for item in scenarios
    ]


RESULTS = rows(
    "results",
    """ok nothing isNull text number nonAscii loneSurrogate buffer date map symbol aFunction
    notANumber toJson later thenable plainValue plainUndefined bigint circular throwingToJson
    huge large contextFields traceId environment store nested.deeper.handler method.handler
    aClass generator""".split(),
) + [
    Scenario("echo", "results.echo", [event('{"a":[1,2.5,"ü",null,true],"\\ud83d\\ude00":-0.0}')]),
    Scenario("several invocations", "results.counter", [event() for _ in range(5)]),
    Scenario("large event", "results.echo", [event(b'"' + b"y" * 3_000_000 + b'"')]),
    Scenario("numbers", "results.echo", [event("[1e400, 12345678901234567890, 1E5]")]),
    Scenario("invalid utf-8", "results.eventType", [event(b'"\xff"')]),
    Scenario("proto", "results.echo", [event('{"__proto__":{"a":1}}')]),
    Scenario("other content type", "results.eventType", [event(b'"x"', content_type="text/csv")]),
    Scenario("empty event", "results.eventType", [event("")]),
    Scenario("not json", "results.eventType", [event("{not json")]),
    Scenario("goes on after not json", "results.eventType", [event("[1,"), event("[1]")]),
    Scenario(
        "client context",
        "results.contextFields",
        [event(lambda_runtime_client_context='{"custom":{"a":"grün"},"Client":{}}')],
    ),
    Scenario(
        "identity and tenant",
        "results.contextFields",
        [
            event(
                lambda_runtime_cognito_identity='{"cognitoIdentityId":"id"}',
                lambda_runtime_aws_tenant_id="blue",
            )
        ],
    ),
    Scenario("bad client context", "results.ok", [event(lambda_runtime_client_context="{no")]),
    Scenario("bad identity", "results.ok", [event(lambda_runtime_cognito_identity="[")]),
    Scenario("deadline passed", "results.contextFields", [event(lambda_runtime_deadline_ms="1000")]),
    Scenario(
        "trace id comes and goes",
        "results.traceId",
        [event(), event(lambda_runtime_trace_id=None), event(lambda_runtime_trace_id="Root=2")],
    ),
    Scenario(
        "global turned off",
        "results.environment",
        env={"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"},
    ),
    Scenario("response refused", "results.ok", response_status=413, watch=0.3),
    Scenario("error refused", "errors.withMessage", response_status=403, watch=0.3),
]

CALLBACKS = rows(
    "callbacks",
    """success successLater failure failureText failureObject failureFalse noArguments never
    twice twiceLater waits doesNotWait throws throwsAfterCallback throwsLater unserialisable
    succeed fail failNothing failText done doneError succeedTwice succeedThenCallback
    asyncAndCallback asyncCallbackOnly""".split(),
    events=TWICE,
    watch=0.1,
) + rows("callbacks", ["lateAfterNull"], watch=0.5) + [
    Scenario("callbacks.contextStyle", "callbacks.contextStyle", applies=before_24),
    Scenario(
        "callbacks.contextStyle, gone",
        "callbacks.contextStyle",
        watch=0.5,
        difference=HANGS,
        expected=lambda seen: ended_after_result(seen, 1),
        applies=lambda version: int(version) >= 24,
    ),
]

ERRORS = rows(
    "errors",
    """withMessage custom unnamed withoutMessage withCause nestedError circularError aggregate
    multiLine deleteCharacter noStack numericName looksLikeError text number object isNull
    isUndefined rejects afterAwait synchronous recursion abort neverSettles
    neverSettlesAsync uncaughtInTimer unhandledRejection unhandledRejectionText uncaughtString
    errorEvent handledRejection""".split(),
) + [
    Scenario(
        "goes on after an error",
        "errors.alternating",
        [event('{"fail":true}'), event('{"fail":false}'), event('{"fail":true}')],
    ),
    Scenario("errors.hugeMessage", "errors.hugeMessage", watch=1),
    Scenario("exit 0", "errors.exit", [event('{"status":0}')]),
    Scenario("exit 7", "errors.exit", [event('{"status":7}')]),
    Scenario(
        "exit after the result",
        "errors.exitAfterResult",
        watch=0.5,
        difference=HANGS,
        expected=lambda seen: ended_after_result(seen, 5),
    ),
    Scenario(
        "uncaught after the result",
        "errors.uncaughtAfterResult",
        watch=0.5,
        difference=HANGS,
        expected=lambda seen: ended_after_result(seen, 129),
        applies=before_24,
    ),
    Scenario(
        "uncaught after the result, left to Node.js",
        "errors.uncaughtAfterResult",
        watch=0.5,
        difference=HANGS,
        expected=lambda seen: ended_after_result(seen, 1),
        applies=lambda version: int(version) >= 24,
    ),
    Scenario("timer after the result", "errors.timerAfterResult", TWICE, watch=0.2),
]

INIT = [
    Scenario("malformed handler", "nodot"),
    Scenario("relative handler", "../results.ok"),
    Scenario("missing module", "no_such_module.handler"),
    Scenario("missing folder", "no/such/module.handler"),
    Scenario("missing export", "results.noSuchFunction"),
    Scenario("missing nested export", "results.nested.no.handler"),
    Scenario("not a function", "results.notAFunction"),
    Scenario("empty export", "results."),
    Scenario("throws", "init_throws.handler"),
    Scenario("throws text", "init_throws_text.handler"),
    Scenario("missing require", "init_missing_module.handler"),
    Scenario("syntax error", "init_syntax_error.handler"),
    Scenario("missing import", "init_missing_module_esm.handler"),
    Scenario("missing named import", "init_missing_export.handler"),
    Scenario("syntax error in module", "init_syntax_error_esm.handler"),
    Scenario("exits", "init_exit.handler"),
    Scenario("timer throws", "init_timer_throws.handler"),
    Scenario(
        "rejection during init",
        "init_rejects.handler",
        applies=before_24,
        difference="AWS' client may ask for an event before it reports that it cannot serve",
        expected=reported_in_order,
    ),
    Scenario("logs", "init_logs.handler"),
    Scenario("init error refused", "results.noSuchFunction", response_status=403),
    Scenario(
        "malformed streaming, before 24",
        "streaming.malformed",
        applies=before_24,
        difference="a name is not defined in AWS' client of the 3.x line",
        expected=refused_streaming,
    ),
    Scenario("malformed streaming", "streaming.malformed", applies=lambda v: not before_24(v)),
]

LOADING = [
    Scenario("module", "module.handler"),
    Scenario("export of the default", "module.default.viaDefault"),
    Scenario("function within the default", "module.viaDefault"),
    Scenario("top-level await", "top_level_await.handler"),
    Scenario("top-level rejection", "top_level_rejects.handler"),
    Scenario("type module", "esm/app.handler"),
    Scenario("cjs in type module", "esm/plain.handler"),
    Scenario("nested in type module", "esm/nested/app.handler"),
    Scenario("type commonjs", "cjs/app.handler"),
    Scenario("mjs in type commonjs", "cjs/other.handler"),
    Scenario("broken package.json", "broken_package/app.handler"),
    Scenario("folder", "dirmod.handler"),
    Scenario("no extension", "noext/plain.handler"),
    Scenario("installed package", "installed.handler"),
    Scenario("requires an installed package", "uses_node_modules.handler"),
    Scenario("module syntax in .js", "esm_in_js.handler"),
    Scenario(
        "module syntax in .js, detection off",
        "esm_in_js.handler",
        env={"NODE_OPTIONS": "--no-experimental-detect-module"},
        applies=lambda version: int(version) >= 22,
    ),
]

NEVER_LOADED = [Scenario("top-level await without end", "top_level_never.handler")]

LOGS = rows(
    "logs", "levels values multiLine nonAscii errors oddities other isPatched".split()
) + [
    Scenario("two requests", "logs.multiLine", TWICE),
    Scenario("tenant", "logs.levels", [event(lambda_runtime_aws_tenant_id="blue")]),
]

LEVELS = [
    Scenario("level %s" % name, "logs.levels", env={**JSON, "AWS_LAMBDA_LOG_LEVEL": name})
    for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "warn", "nonsense")
] + [
    Scenario("level in text", "logs.levels", env={"AWS_LAMBDA_LOG_LEVEL": "WARN"}),
    Scenario("flood", "logs.flood", watch=2),
    Scenario("flood, descriptor", "logs.flood", log_descriptor=True),
]

STREAMING = rows(
    "streaming",
    """ok endWithData empty contentType objects http pipeline pipe large returnsValue
    highWaterMark properties uncaught waitsNot marked""".split(),
    events=TWICE,
    watch=0.1,
) + rows(
    "streaming",
    "lateContentType errorBefore errorMidway errorAfterEnd textError notAsync".split(),
    events=TWICE,
    watch=0.1,
    # AWS' client does not wait for a failed stream to end before it asks for more.
    compares_next=False,
) + rows("streaming", ["notFinished"], hangs=True)

LOGGED_ERRORS = [
    item
    for item in ERRORS + INIT
    if item.name
    in (
        "errors.custom",
        "errors.nestedError",
        "errors.circularError",
        "errors.text",
        "errors.isNull",
        "errors.uncaughtInTimer",
        "errors.unhandledRejection",
        "throws",
        "missing require",
        "logs",
    )
]

SCENARIOS = (
    RESULTS
    + CALLBACKS
    + ERRORS
    + INIT
    + LOADING
    + NEVER_LOADED
    + LOGS
    + LEVELS
    + STREAMING
    + variant(LOGS + LOGGED_ERRORS, "JSON", JSON)
    + variant(LOGS + LOGGED_ERRORS, "descriptor", {}, True)
    + variant(LOGS + LOGGED_ERRORS, "descriptor, JSON", JSON, True)
)
