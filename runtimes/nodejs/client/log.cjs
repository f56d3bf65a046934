"use strict";

// `console.*` as log events, in text or JSON, on stdout or in frames on a descriptor.

const fs = require("node:fs");
const { format } = require("node:util");
const { intoError, logged } = require("./errors.cjs");
const { sinceNode24 } = require("./version.cjs");

const TEXT_FRAME = 0xa55a0003;
const JSON_FRAME = 0xa55a0002;
const LEVELS = {
  TRACE: { name: "TRACE", priority: 1, frameBits: 0x04 },
  DEBUG: { name: "DEBUG", priority: 2, frameBits: 0x08 },
  INFO: { name: "INFO", priority: 3, frameBits: 0x0c },
  WARN: { name: "WARN", priority: 4, frameBits: 0x10 },
  ERROR: { name: "ERROR", priority: 5, frameBits: 0x14 },
  FATAL: { name: "FATAL", priority: 6, frameBits: 0x18 },
};

// Replaces the methods of `console`.
//
// `invocation()` returns {requestId, tenantId} of the invocation in hand. Returns
// `logError(title, error)`.
function patchConsole(invocation) {
  const isJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
  const level = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
  const write = writer(isJson);
  const line = isJson ? jsonLine : textLine;
  const method = (of) => {
    if (of.priority < level.priority && (sinceNode24 || of !== LEVELS.FATAL)) {
      return () => {};
    }
    return (message, ...params) => {
      const now = new Date();
      write(of, now, line(now.toISOString(), invocation(), of, message, params));
    };
  };
  console.trace = method(LEVELS.TRACE);
  console.debug = method(LEVELS.DEBUG);
  console.info = method(LEVELS.INFO);
  console.log = console.info;
  console.warn = method(LEVELS.WARN);
  console.error = method(LEVELS.ERROR);
  console.fatal = method(LEVELS.FATAL);
  return isJson
    ? (_title, error) => console.error(intoError(error))
    : (title, error) => console.error(title, logged(intoError(error)));
}

function writer(isJson) {
  const variable = process.env._LAMBDA_TELEMETRY_LOG_FD;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  const descriptor = Number.parseInt(variable, 10);
  if (Number.isInteger(descriptor) && descriptor >= (sinceNode24 ? 1 : 0)) {
    return frameWriter(descriptor, isJson);
  }
  return (_level, _now, text) => process.stdout.write(`${text.replace(/\n/g, "\r")}\n`);
}

// Frames: type, length, time in microseconds, text; one system call each.
function frameWriter(descriptor, isJson) {
  const type = isJson ? JSON_FRAME : TEXT_FRAME;
  const head = Buffer.alloc(16);
  return (level, now, text) => {
    const message = Buffer.from(isJson ? text : `${text}\n`);
    head.writeUInt32BE((type | level.frameBits) >>> 0, 0);
    head.writeUInt32BE(message.length, 4);
    head.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
    writeAll(descriptor, [head, message]);
  };
}

function writeAll(descriptor, parts) {
  let written = fs.writevSync(descriptor, parts);
  for (const part of parts) {
    if (written < part.length) {
      fs.writeSync(descriptor, part, written);
      written = part.length;
    }
    written -= part.length;
  }
}

function textLine(time, { requestId }, level, message, params) {
  return `${time}\t${requestId}\t${level.name}\t${format(message, ...params)}`;
}

function jsonLine(time, { requestId, tenantId }, level, message, params) {
  const fields = { timestamp: time, level: level.name, requestId };
  if (tenantId !== undefined && tenantId !== null && (tenantId !== "" || !sinceNode24)) {
    fields.tenantId = tenantId;
  }
  if (params.length === 0) {
    return jsonOfOne(fields, message);
  }
  fields.message = format(message, ...params);
  const searched = sinceNode24 ? params : [message, ...params];
  const error = searched.find((value) => value instanceof Error);
  if (error !== undefined) {
    fields.errorType = kindOf(error);
    fields.errorMessage = error.message;
    fields.stackTrace = typeof error.stack === "string" ? error.stack.split("\n") : [];
  }
  return JSON.stringify(fields);
}

function jsonOfOne(fields, message) {
  fields.message = message;
  try {
    return JSON.stringify(fields, errorAsObject);
  } catch {
    fields.message = format(message);
    return JSON.stringify(fields);
  }
}

function errorAsObject(_key, value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const { stack } = value;
  return {
    errorType: kindOf(value),
    errorMessage: value.message,
    stackTrace: typeof stack === "string" ? stack.split("\n") : stack,
    ...value,
  };
}

const kindOf = (error) => error.constructor?.name ?? "UnknownError";

module.exports = { patchConsole };
