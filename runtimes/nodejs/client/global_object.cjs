"use strict";

// The global `awslambda`, through which a handler asks for response streaming.

const { HIGH_WATER_MARK, STREAMING } = require("./handler.cjs");

const HTTP_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response";
const DELIMITER_LENGTH = 8;

class HttpResponseStream {
  // Makes `stream` an HTTP response: status and headers go ahead of the first write.
  static from(stream, prelude) {
    stream.setContentType(HTTP_CONTENT_TYPE);
    const head = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(head);
      write(new Uint8Array(DELIMITER_LENGTH));
    };
    return stream;
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = "response";
  if (typeof options?.highWaterMark === "number") {
    handler[HIGH_WATER_MARK] = parseInt(options.highWaterMark, 10);
  }
  return handler;
}

const isOff = ["1", "true"].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA);

// Defines the global with `more` beside the functions of streaming, unless it is turned off.
function defineGlobal(more) {
  if (!isOff) {
    globalThis.awslambda = {
      ...globalThis.awslambda,
      streamifyResponse,
      HttpResponseStream,
      ...more,
    };
  }
}

module.exports = { defineGlobal };
