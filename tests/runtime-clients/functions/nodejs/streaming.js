"use strict";

// Handlers that stream their response.

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const stream = (handler, options) => awslambda.streamifyResponse(handler, options);

exports.ok = stream(async (event, response, context) => {
  response.write("one ");
  await later(10);
  response.write("two");
  response.end();
});
exports.endWithData = stream(async (event, response) => {
  response.write("a");
  response.end("b");
});
exports.empty = stream(async (event, response) => {
  response.end();
});
exports.contentType = stream(async (event, response) => {
  response.setContentType("text/plain");
  response.write("text");
  response.end();
});
exports.lateContentType = stream(async (event, response) => {
  response.write("text");
  response.setContentType("text/plain");
  response.end();
});
exports.objects = stream(async (event, response) => {
  response.write({ an: "object" });
  response.write(Buffer.from("buffer"));
  response.write(new Uint8Array([65, 66]));
  response.write("ZW5j", "base64");
  response.end();
});
exports.http = stream(async (event, response) => {
  const http = awslambda.HttpResponseStream.from(response, {
    statusCode: 201,
    headers: { "X-Custom": "yes" },
    cookies: ["a=b"],
  });
  http.write("<html>");
  await later(10);
  http.write("</html>");
  http.end();
});
exports.pipeline = stream(async (event, response) => {
  const { pipeline } = require("node:stream/promises");
  const { Readable } = require("node:stream");
  await pipeline(Readable.from(["x", "y", "z"]), response);
});
exports.pipe = stream(async (event, response) => {
  const { Readable } = require("node:stream");
  Readable.from(["p", "q"]).pipe(response);
  await new Promise((resolve) => response.on("finish", resolve));
});
exports.large = stream(async (event, response) => {
  for (let index = 0; index < 100; index += 1) {
    if (!response.write("y".repeat(65536))) {
      await new Promise((resolve) => response.once("drain", resolve));
    }
  }
  response.end();
});
exports.errorBefore = stream(async () => {
  throw new Error("before the first byte");
});
exports.errorMidway = stream(async (event, response) => {
  response.write("part of it");
  await later(20);
  throw new TypeError("midway größe");
});
exports.errorAfterEnd = stream(async (event, response) => {
  response.write("all");
  response.end();
  throw new Error("after the end");
});
exports.textError = stream(async (event, response) => {
  response.write("x");
  throw "text";
});
exports.notAsync = stream((event, response) => {
  response.write("x");
  response.end();
});
exports.notFinished = stream(async (event, response) => {
  response.write("never ended");
});
exports.returnsValue = stream(async (event, response) => {
  response.write("x");
  response.end();
  return "ignored";
});
exports.highWaterMark = stream(
  async (event, response) => {
    response.write(String(response.writableHighWaterMark));
    response.end();
  },
  { highWaterMark: 4096 },
);
exports.properties = stream(async (event, response, context) => {
  const before = [response.writable, response.writableEnded, response.writableFinished];
  response.write(
    JSON.stringify([
      before,
      Object.keys(context).sort(),
      context.callbackWaitsForEmptyEventLoop ?? "none",
      typeof response.pipe,
      typeof response._onBeforeFirstWrite,
    ]),
  );
  response.end();
});
exports.uncaught = stream(async (event, response) => {
  // Only what has left the process by then is sure to arrive.
  response.write("x", "utf8", () => {
    setTimeout(() => {
      throw new Error("from a timer");
    }, 10);
  });
  await later(60000);
  response.end();
});
exports.waitsNot = stream(async (event, response, context) => {
  context.callbackWaitsForEmptyEventLoop = false;
  response.write("x");
  response.end();
});
exports.malformed = async () => "x";
exports.malformed[Symbol.for("aws.lambda.runtime.handler.streaming")] = "request";
exports.marked = async (event, response) => {
  response.write("marked by hand");
  response.end();
};
exports.marked[Symbol.for("aws.lambda.runtime.handler.streaming")] = "response";
