"use strict";

// Errors as they are reported to the Runtime API, to X-Ray and to the log.

const util = require("node:util");
const { sinceNode24 } = require("./version.cjs");

const UNREADABLE =
  "callback called with Error argument, but there was a problem while retrieving one or more " +
  "of its message, name, and stack";

// DEL is not allowed where these texts end up.
const withoutDelete = (text) => text?.replace(/\x7F/g, "%7F");

function looksLikeError(value) {
  return (
    value instanceof Error ||
    util.types.isNativeError(value) ||
    Boolean(
      value &&
        [value.name, value.message, value.stack].every(
          (text) => typeof text === "string" && text !== "",
        ),
    )
  );
}

// The JSON object that stands for whatever was thrown.
const errorReport = sinceNode24
  ? (error) => reported(error, error instanceof Error, () => String(error))
  : (error) => reported(error, looksLikeError(error), () => error.toString());

function reported(error, isError, text) {
  try {
    if (isError) {
      const stack = withoutDelete(sinceNode24 ? (error.stack ?? "") : error.stack);
      return {
        errorType: withoutDelete(error.name),
        errorMessage: withoutDelete(error.message),
        trace: stack === "" ? [] : stack.split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: text(), trace: [] };
  } catch {
    const report = { errorType: "handled", errorMessage: UNREADABLE };
    return sinceNode24 ? { ...report, trace: [] } : report;
  }
}

// The JSON text that X-Ray gets to know about an error; empty where there is none.
function tracingCause(error) {
  try {
    const stack = (error.stack ? withoutDelete(error.stack).split("\n").slice(1) : []).map(frame);
    return JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [
        { type: withoutDelete(error.name), message: withoutDelete(error.message), stack },
      ],
      paths: [...new Set(stack.map(({ path }) => path))],
    });
  } catch {
    return "";
  }
}

// `    at label (path:line:column)`, with label and parentheses optional.
function frame(line) {
  const text = line.trim().replace(/[()]/g, "");
  const place = text.slice(text.indexOf(" ") + 1);
  const gap = place.lastIndexOf(" ");
  const [path, number] = place.slice(gap + 1).split(":");
  return { path, line: parseInt(number, 10), label: gap > 0 ? place.slice(0, gap) : "anonymous" };
}

function intoError(value) {
  if (value instanceof Error) {
    return value;
  }
  return new Error(sinceNode24 ? String(value) : value);
}

// A tab and the JSON text of an error, nested errors and own properties included.
function logged(error) {
  try {
    return `\t${JSON.stringify(error, (_key, value) => withOwnProperties(value))}`;
  } catch {
    return `\t${JSON.stringify(errorReport(error))}`;
  }
}

function withOwnProperties(value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const fields = {
    errorType: value.name,
    errorMessage: value.message,
    code: value.code,
    ...value,
  };
  if (typeof value.stack === "string") {
    fields.stack = value.stack.split("\n");
  }
  return fields;
}

// An error class whose `name` is `Runtime.<name>`; since Node.js 24 each error has the name
// as a property of its own, which is logged.
function runtimeError(name) {
  const kind = class extends Error {
    constructor(message) {
      super(sinceNode24 ? String(message) : message);
      if (sinceNode24) {
        this.name = `Runtime.${name}`;
      }
    }
  };
  Object.defineProperty(kind, "name", { value: name });
  kind.prototype.name = `Runtime.${name}`;
  return kind;
}

class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}
UnhandledPromiseRejection.prototype.name = "Runtime.UnhandledPromiseRejection";

module.exports = {
  CallbackHandlerDeprecated: runtimeError("CallbackHandlerDeprecated"),
  HandlerNotFound: runtimeError("HandlerNotFound"),
  ImportModuleError: runtimeError("ImportModuleError"),
  InvalidStreamingOperation: runtimeError("InvalidStreamingOperation"),
  JSONStringifyError: runtimeError("JSONStringifyError"),
  MalformedHandlerName: runtimeError("MalformedHandlerName"),
  MalformedStreamingHandler: runtimeError("MalformedStreamingHandler"),
  PlatformError: runtimeError("PlatformError"),
  UnhandledPromiseRejection,
  UserCodeSyntaxError: runtimeError("UserCodeSyntaxError"),
  errorReport,
  intoError,
  logged,
  tracingCause,
};
