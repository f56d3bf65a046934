"use strict";

// A streamed response: a chunked POST on a connection of its own, failing by trailers.

const http = require("node:http");
const net = require("node:net");
const { InvalidStreamingOperation } = require("./errors.cjs");

const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

// What of the request a handler gets to see.
const METHODS = `cork destroy end uncork write addListener emit eventNames getMaxListeners
  listenerCount listeners off on once prependListener prependOnceListener rawListeners
  removeAllListeners removeListener setMaxListeners setContentType`.split(/\s+/);
const WRITABLE_PROPERTIES = ["destroyed", "_onBeforeFirstWrite"];
const PROPERTIES = `writable writableFinished writableObjectMode writableBuffer writableEnded
  writableNeedDrain writableHighWaterMark writableCorked writableLength`.split(/\s+/);

const agents = new Map();

function agentOf(api, highWaterMark) {
  if (!agents.has(api)) {
    agents.set(api, new http.Agent({ keepAlive: true, maxSockets: 1 }));
  }
  const agent = agents.get(api);
  agent.createConnection = (options, listener) =>
    net.createConnection({ ...options, highWaterMark }, listener);
  return agent;
}

// Opens the response of invocation `id`. Returns {stream, answered, fail}: what the handler
// writes to, a promise of the Runtime API's answer, and the way to end with an error, which
// resolves when the Runtime API took notice: only then may the next event be asked for.
function openResponse(api, id, highWaterMark) {
  let isStarted = false;
  const request = http.request({
    method: "POST",
    hostname: api.hostname,
    port: api.port,
    path: `/2018-06-01/runtime/invocation/${encodeURIComponent(id)}/response`,
    headers: headersOf(api),
    agent: agentOf(api, highWaterMark),
  });
  const answered = answerOf(request);
  request.setContentType = (type) => {
    if (isStarted) {
      throw new InvalidStreamingOperation("Cannot set content-type, too late.");
    }
    request.setHeader("Content-Type", type);
  };
  const write = request.write.bind(request);
  request.write = (chunk, encoding, callback) => {
    const isFirst = !isStarted;
    const data = isBytes(chunk) ? chunk : JSON.stringify(chunk);
    if (isFirst && typeof request._onBeforeFirstWrite === "function") {
      request._onBeforeFirstWrite((ahead) => write(ahead));
    }
    const accepted = write(data, encoding, callback);
    isStarted = true;
    return accepted;
  };
  return { stream: facade(request), answered, fail: (report) => failed(request, report, answered) };
}

function headersOf(api) {
  const headers = {
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    Trailer: [ERROR_TYPE, ERROR_BODY],
    "Content-Type": "application/octet-stream",
    "Transfer-Encoding": "chunked",
  };
  if (api.invocationId !== undefined) {
    headers["Lambda-Runtime-Invocation-Id"] = api.invocationId;
  }
  return headers;
}

function answerOf(request) {
  const answered = new Promise((resolve, reject) => {
    request.on("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks)));
      response.on("aborted", () => {
        reject(new Error("aborted"));
        request.destroy();
      });
    });
    request.on("error", (error) => {
      reject(error);
      request.destroy(error);
    });
  });
  return answered;
}

function isBytes(chunk) {
  return typeof chunk === "string" || chunk instanceof Uint8Array;
}

function failed(request, report, answered) {
  request.addTrailers({
    [ERROR_TYPE]: report.errorType,
    [ERROR_BODY]: Buffer.from(JSON.stringify(report)).toString("base64"),
  });
  request.end();
  return answered.catch(() => {});
}

function facade(request) {
  const stream = {};
  METHODS.forEach((name) => {
    stream[name] = request[name].bind(request);
  });
  WRITABLE_PROPERTIES.forEach((name) => {
    Object.defineProperty(stream, name, {
      get: () => request[name],
      set: (value) => {
        request[name] = value;
      },
    });
  });
  PROPERTIES.forEach((name) => {
    Object.defineProperty(stream, name, { get: () => request[name] });
  });
  return stream;
}

module.exports = { openResponse };
