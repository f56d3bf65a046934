"use strict";

// Serving from Node.js 24 on: a handler returns its result or a promise of it. What nobody
// catches is left to Node.js, which ends the process.

const {
  CallbackHandlerDeprecated,
  JSONStringifyError,
  PlatformError,
  errorReport,
  tracingCause,
} = require("./errors.cjs");
const { defineGlobal } = require("./global_object.cjs");
const { loadByImport, streamingOf } = require("./handler.cjs");
const { ConcurrentInvokeStore, InvokeStore } = require("./invoke_store.cjs");
const { patchConsole } = require("./log.cjs");
const { RuntimeApi } = require("./runtime_api.cjs");
const { isWorker, persistent, shareOfWorker } = require("./workers.cjs");

const CALLBACK_PARAMETERS = 3;
const REQUIRED_VARIABLES = ["AWS_LAMBDA_RUNTIME_API", "_HANDLER", "LAMBDA_TASK_ROOT"];
const CONTEXT_VARIABLES = {
  functionName: "AWS_LAMBDA_FUNCTION_NAME",
  functionVersion: "AWS_LAMBDA_FUNCTION_VERSION",
  memoryLimitInMB: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  logGroupName: "AWS_LAMBDA_LOG_GROUP_NAME",
  logStreamName: "AWS_LAMBDA_LOG_STREAM_NAME",
};
const REQUIRED_HEADERS = [
  "lambda-runtime-invoked-function-arn",
  "lambda-runtime-aws-request-id",
  "lambda-runtime-deadline-ms",
];
const CALLBACKS_REMOVED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with " +
  "Node.js 24. You need to modify this function to use a supported handler signature to use " +
  "Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

async function serve(load) {
  const store = isWorker ? new ConcurrentInvokeStore() : new InvokeStore();
  defineGlobal({ InvokeStore: store });
  const logError = patchConsole(
    () => ({ requestId: store.getRequestId(), tenantId: store.getTenantId() }),
  );
  await undefined; // Takes the entry point's frames off the traces of what fails below.
  for (const name of REQUIRED_VARIABLES) {
    if (!process.env[name]) {
      throw new PlatformError(`${name} environment variable is not set`);
    }
  }
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
  const handler = await loadOrReport(api, logError, load);
  if (!isWorker) {
    await serveOneByOne(api, store, logError, handler, () => api.next());
    return;
  }
  // A connection for each: what is posted must not wait behind a `next` that waits.
  await new Promise((_resolve, reject) => {
    for (let line = 0; line < shareOfWorker(); line += 1) {
      const own = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
      const next = () => persistent(() => own.next());
      serveOneByOne(own, store, logError, handler, next).catch(reject);
    }
  });
}

async function serveOneByOne(api, store, logError, handler, next) {
  const { isStreaming, highWaterMark } = streamingOf(handler);
  const processor = isStreaming
    ? new StreamingInvokeProcessor(api, logError, handler, highWaterMark)
    : new BufferedInvokeProcessor(api, logError, handler);
  for (;;) {
    const { headers, body } = await next();
    const context = contextOf(headers);
    const event = JSON.parse(body);
    await store.begin(context, () => processor.processInvoke(event, context));
  }
}

async function loadOrReport(api, logError, load) {
  try {
    const { LAMBDA_TASK_ROOT, _HANDLER } = process.env;
    const handler = await loadByImport(LAMBDA_TASK_ROOT, _HANDLER, load);
    if (!streamingOf(handler).isStreaming && handler.length >= CALLBACK_PARAMETERS) {
      throw new CallbackHandlerDeprecated(CALLBACKS_REMOVED);
    }
    return handler;
  } catch (error) {
    logError("Init Error", error);
    const report = errorReport(error);
    await api.postInitError(report.errorType, JSON.stringify(report));
    throw error;
  }
}

// The names of these two classes show in the stack traces of handlers without a name.
class BufferedInvokeProcessor {
  constructor(api, logError, handler) {
    this.api = api;
    this.logError = logError;
    this.handler = handler;
  }

  async processInvoke(event, context) {
    try {
      const result = await this.handler(event, context);
      await nextTurn();
      this.api.postResult(context.awsRequestId, serialized(result));
    } catch (error) {
      await nextTurn();
      this.logError("Invoke Error", error);
      const report = serialized(errorReport(error));
      this.api.postError(context.awsRequestId, report, tracingCause(error));
    }
  }
}

class StreamingInvokeProcessor {
  constructor(api, logError, handler, highWaterMark) {
    this.api = api;
    this.logError = logError;
    this.handler = handler;
    this.highWaterMark = highWaterMark;
  }

  async processInvoke(event, context) {
    const { openResponse } = require("./response_stream.cjs");
    const { stream, answered, fail } = openResponse(
      this.api,
      context.awsRequestId,
      this.highWaterMark,
    );
    try {
      const result = this.handler(event, stream, context);
      if (typeof result?.then !== "function") {
        throw new Error("Streaming does not support non-async handlers.");
      }
      if ((await result) !== undefined) {
        console.warn("Streaming handlers ignore return values.");
      }
      await answered;
      if (!stream.writableFinished) {
        throw new Error("Response stream is not finished.");
      }
    } catch (error) {
      await nextTurn();
      this.logError("Invoke Error", error);
      await fail(errorReport(error));
    }
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

// The `context` argument; also moves the trace id into the environment.
function contextOf(headers) {
  const { env } = process;
  const unset = Object.values(CONTEXT_VARIABLES).filter((name) => !env[name]);
  if (unset.length > 0) {
    throw new PlatformError(`Missing required environment variables: ${unset.join(", ")}`);
  }
  const missing = REQUIRED_HEADERS.filter((name) => headers[name] === undefined);
  if (missing.length > 0) {
    throw new PlatformError(`Missing required headers: ${missing.join(", ")}`);
  }
  const deadline = parseInt(headers["lambda-runtime-deadline-ms"], 10);
  const traceId = headers["lambda-runtime-trace-id"];
  const context = {
    clientContext: headerJson(headers, "lambda-runtime-client-context"),
    identity: headerJson(headers, "lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    xRayTraceId: traceId ?? "",
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  for (const [name, variable] of Object.entries(CONTEXT_VARIABLES)) {
    context[name] = env[variable];
  }
  if (isWorker) {
    return context; // The environment is that of all invocations.
  }
  if (traceId) {
    env._X_AMZN_TRACE_ID = traceId;
  } else {
    delete env._X_AMZN_TRACE_ID;
  }
  return context;
}

function headerJson(headers, name) {
  if (!headers[name]) {
    return undefined;
  }
  try {
    return JSON.parse(headers[name]);
  } catch (error) {
    throw new PlatformError(`Failed to parse ${name} as JSON: ${error.message}`);
  }
}

function serialized(value) {
  try {
    return JSON.stringify(value === undefined ? null : value);
  } catch {
    throw new JSONStringifyError("Unable to stringify response body");
  }
}

module.exports = { serve };
