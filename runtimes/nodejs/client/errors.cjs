"use strict";

// Errors as they are reported to the Runtime API, to X-Ray and to the log.

const util = require("node:util");

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
function errorReport(error, isError = looksLikeError) {
  try {
    if (isError(error)) {
      return {
        errorType: withoutDelete(error.name),
        errorMessage: withoutDelete(error.message),
        trace: withoutDelete(error.stack).split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return { errorType: "handled", errorMessage: UNREADABLE };
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

const intoError = (value) => (value instanceof Error ? value : new Error(value));

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

// An error class whose `name` is `Runtime.<name>`.
function runtimeError(name) {
  const kind = class extends Error {};
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
