"use strict";

// Serving up to Node.js 22: handlers may answer through a callback, and the end of one that
// never does is recognised by the event loop running empty.

const { errorReport, tracingCause, UnhandledPromiseRejection } = require("./errors.cjs");
const { defineGlobal } = require("./global_object.cjs");
const { loadByRequire, streamingOf } = require("./handler.cjs");
const { patchConsole } = require("./log.cjs");
const { RuntimeApi } = require("./runtime_api.cjs");

const UNCAUGHT_EXIT = 129;
const REJECTION_EXIT = 128;
// Where tracing libraries look.
const REQUEST_ID = Symbol.for("aws.lambda.runtime.requestId");
const TENANT_ID = Symbol.for("aws.lambda.runtime.tenantId");
const BEFORE_EXIT = Symbol.for("aws.lambda.beforeExit");

const doNothing = () => {};
const whenLoopIsEmpty = (action) => {
  global[BEFORE_EXIT] = action;
};

async function serve(load) {
  const logError = patchConsole(() => ({
    requestId: global[REQUEST_ID],
    tenantId: global[TENANT_ID],
  }));
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
  const runtime = new Runtime(api, logError);
  process.on("uncaughtException", (error) => {
    logError("Uncaught Exception", error);
    runtime.end(error, UNCAUGHT_EXIT);
  });
  process.on("unhandledRejection", (reason, promise) => {
    const error = new UnhandledPromiseRejection(reason, promise);
    logError("Unhandled Promise Rejection", error);
    runtime.end(error, REJECTION_EXIT);
  });
  whenLoopIsEmpty(doNothing);
  process.on("beforeExit", () => global[BEFORE_EXIT]());
  defineGlobal();
  const handler = await loadByRequire(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, load);
  runtime.start(handler);
}

class Runtime {
  constructor(api, logError) {
    this.api = api;
    this.logError = logError;
    this.invokeId = undefined;
  }

  start(handler) {
    this.handler = handler;
    const { isStreaming, highWaterMark } = streamingOf(handler);
    this.highWaterMark = highWaterMark;
    this.serveOnce = isStreaming ? this.serveStreaming : this.serveBuffered;
    this.scheduleNext = () => setImmediate(() => this.serveNext());
    this.scheduleNext();
  }

  serveNext() {
    this.serveOnce().catch((error) => {
      console.log(`Unexpected Top Level Error: ${error.toString()}`);
      this.end(error, UNCAUGHT_EXIT);
    });
  }

  // Reports an error that nothing caught, and ends the process.
  end(error, status) {
    if (this.invokeId !== undefined) {
      this.postError(this.invokeId, error);
      process.exit(status);
    }
    const report = errorReport(error);
    const exit = () => process.exit(status);
    this.api.postInitError(report.errorType, JSON.stringify(report)).then(exit, exit);
  }

  postError(id, error) {
    this.api.postError(id, serialized(errorReport(error)), tracingCause(error));
  }

  postResult(id, result) {
    this.api.postResult(id, serialized(result));
  }

  async nextInvocation() {
    const { headers, body } = await this.api.next();
    const id = headers["lambda-runtime-aws-request-id"];
    if (!id) {
      throw new Error("invocation id is missing or invalid");
    }
    global[REQUEST_ID] = id;
    global[TENANT_ID] = headers["lambda-runtime-aws-tenant-id"];
    return { headers, body, id };
  }

  async serveBuffered() {
    const { headers, body, id } = await this.nextInvocation();
    const { callback, context, markCompleted } = completion(this, id);
    try {
      this.invokeId = id;
      whenLoopIsEmpty(() => {
        markCompleted();
        this.postResult(id, null);
        this.scheduleNext();
      });
      const result = this.handler(JSON.parse(body), completeContext(context, headers), callback);
      if (isPromise(result)) {
        result.then(context.succeed, context.fail).catch(context.fail);
      }
    } catch (error) {
      callback(error);
    }
  }

  async serveStreaming() {
    const { headers, body, id } = await this.nextInvocation();
    const { openResponse } = require("./response_stream.cjs");
    const { stream, answered, fail } = openResponse(this.api, id, this.highWaterMark);
    const waiting = { isOn: true };
    const goOn = () => this.goOnAfterStream(waiting);
    const failWith = (error) => {
      this.logError("Invoke Error", error);
      fail(errorReport(error)).then(goOn);
    };
    try {
      this.invokeId = id;
      whenLoopIsEmpty(this.scheduleNext);
      const context = completeContext(waitingContext(waiting), headers);
      const result = this.handler(JSON.parse(body), stream, context);
      if (!isPromise(result)) {
        failWith("Streaming does not support non-async handlers.");
        return;
      }
      if ((await result) !== undefined) {
        console.warn("Streaming handlers ignore return values.");
      }
      await answered;
      if (!stream.writableFinished) {
        failWith("Response stream is not finished.");
        return;
      }
      goOn();
    } catch (error) {
      failWith(error);
    }
  }

  goOnAfterStream(waiting) {
    if (waiting.isOn) {
      whenLoopIsEmpty(() => setImmediate(this.scheduleNext));
    } else {
      whenLoopIsEmpty(doNothing);
      this.scheduleNext();
    }
  }
}

// The ways in which a handler can complete invocation `id`; only the first call counts.
function completion(runtime, id) {
  const waiting = { isOn: true };
  let isCompleted = false;
  let isFinished = false;
  const complete = (result) => {
    if (isCompleted) {
      console.error(
        "Invocation has already been reported as done. " +
          "Cannot call complete more than once per invocation.",
      );
      return;
    }
    isCompleted = true;
    runtime.postResult(id, result);
    runtime.scheduleNext();
  };
  const failWith = (error) => {
    runtime.logError("Invoke Error", error);
    runtime.postError(id, error);
    runtime.scheduleNext();
  };
  const settle = (error, result, isImmediate) => {
    whenLoopIsEmpty(doNothing);
    if (error !== undefined && error !== null) {
      failWith(error);
    } else if (isImmediate || !waiting.isOn) {
      complete(result);
    } else {
      whenLoopIsEmpty(() => setImmediate(() => complete(result)));
    }
  };
  const first = (action) =>
    (...values) => {
      if (!isFinished) {
        action(...values);
        isFinished = true;
      }
    };
  const context = waitingContext(waiting);
  context.succeed = first((result) => settle(null, result, true));
  context.fail = first((error) => settle(error ?? "handled", null, true));
  context.done = first((error, result) => settle(error, result, true));
  const callback = first((error, result) => settle(error, result, false));
  return {
    callback,
    context,
    markCompleted: () => {
      isCompleted = true;
    },
  };
}

function waitingContext(waiting) {
  return {
    get callbackWaitsForEmptyEventLoop() {
      return waiting.isOn;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waiting.isOn = value;
    },
  };
}

// Adds to `context` what environment and headers tell of the invocation.
function completeContext(context, headers) {
  const { env } = process;
  const traceId = headers["lambda-runtime-trace-id"];
  if (traceId) {
    env._X_AMZN_TRACE_ID = traceId;
  } else {
    delete env._X_AMZN_TRACE_ID;
  }
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return Object.assign(context, {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: headerJson(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: headerJson(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"] ?? "",
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  });
}

function headerJson(text, name) {
  if (!text) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error.toString()}`);
  }
}

function serialized(value) {
  try {
    return JSON.stringify(value === undefined ? null : value);
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

const isPromise = (value) => Boolean(value?.then) && typeof value.then === "function";

module.exports = { serve };
