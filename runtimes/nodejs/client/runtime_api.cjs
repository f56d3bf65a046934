"use strict";

// The Runtime API over one kept-alive socket.
//
// Results are written synchronously: when the handler's code goes on, or ends the process,
// its result has left. While no invocation is awaited the socket does not keep the event
// loop alive, because an empty loop is how the end of a callback handler is recognised.

const fs = require("node:fs");
const net = require("node:net");
const { sinceNode24 } = require("./version.cjs");

const PREFIX = "/2018-06-01/runtime/";
const RECEIVE_SIZE = 64 * 1024;
const NOT_SENT = -1;
const CAUSE_HEADER = "Lambda-Runtime-Function-XRay-Error-Cause";
const ERROR_TYPE_HEADER = "Lambda-Runtime-Function-Error-Type";

const sleeper = new Int32Array(new SharedArrayBuffer(4));

class RuntimeApi {
  constructor(address) {
    const separator = address.lastIndexOf(":");
    this.hostname = address.slice(0, separator);
    this.port = Number(address.slice(separator + 1));
    this.common =
      ` HTTP/1.1\r\nHost: ${address}\r\nUser-Agent: rushlight-nodejs/${process.versions.node}\r\n`;
    this.socket = undefined;
    this.unsent = []; // Messages that wait for the connection.
    this.answers = []; // What to do with each outstanding answer, in order.
    this.received = undefined;
    this.invocationId = undefined;
  }

  // Resolves to {headers, body} of the next invocation; header names in lower case.
  next() {
    return new Promise((resolve, reject) => {
      const settle = (status, headers, body) => {
        this.socket?.unref();
        if (status === 200) {
          this.invocationId = headers["lambda-runtime-invocation-id"];
          resolve({ headers, body: body.toString("utf8") });
        } else {
          reject(new Error(`Failed to get next invocation, error ${status}`));
        }
      };
      this.#request("GET", "invocation/next", "", undefined, settle);
    });
  }

  // Answers an invocation with JSON text. Returns when it is sent.
  postResult(id, json) {
    this.#post(id, "/response", "", json);
  }

  // Answers an invocation with an error and its cause for X-Ray. Returns when it is sent.
  postError(id, json, cause) {
    const field = cause ? `${CAUSE_HEADER}: ${cause}\r\n` : "";
    this.#post(id, "/error", field, json);
  }

  // Reports a failed init; resolves when the report was answered.
  postInitError(errorType, json) {
    return new Promise((resolve, reject) => {
      const settle = (status) => {
        this.socket?.unref();
        if (status === NOT_SENT) {
          reject(new Error("connection to the Runtime API failed"));
        } else {
          resolve();
        }
      };
      const fields = `Content-Type: application/json\r\n${ERROR_TYPE_HEADER}: ${errorType}\r\n`;
      this.#request("POST", "init/error", fields, json, settle);
    });
  }

  #post(id, action, fields, json) {
    if (typeof json !== "string") {
      throw new TypeError("Wrong arguments"); // What has no JSON form: a function, a symbol.
    }
    fields += "Content-Type: application/json\r\n";
    if (this.invocationId !== undefined) {
      fields += `Lambda-Runtime-Invocation-Id: ${this.invocationId}\r\n`;
    }
    const path = `invocation/${encodeURIComponent(id)}${action}`;
    this.answers.push((status, _headers, body) => {
      if (status < 200 || status > 299) {
        process.stdout.write(
          `[ERROR] [${Date.now()}] LAMBDA_RUNTIME Failed to post handler success response. ` +
            `Http response code: ${status}.${sinceNode24 ? ` ${body}` : ""}\n`,
        );
      }
    });
    this.#write(this.#message("POST", path, fields, json));
  }

  #request(method, path, fields, body, settle) {
    const message = this.#message(method, path, fields, body);
    if (this.socket === undefined) {
      this.#connect();
    }
    this.answers.push(settle);
    this.socket.ref();
    if (this.socket.connecting) {
      this.unsent.push(message);
    } else {
      this.#write(message);
    }
  }

  #message(method, path, fields, body) {
    let head = `${method} ${PREFIX}${path}${this.common}${fields}`;
    if (body === undefined) {
      return Buffer.from(`${head}\r\n`);
    }
    head += `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return Buffer.from(head + body);
  }

  #connect() {
    this.received = undefined;
    const socket = net.connect({
      host: this.hostname,
      port: this.port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(RECEIVE_SIZE),
        callback: (length, buffer) => this.#receive(buffer.subarray(0, length)),
      },
    });
    const lost = () => {
      if (this.socket === socket) {
        this.socket = undefined;
        const answers = this.answers;
        this.answers = [];
        this.unsent = [];
        answers.forEach((settle) => settle(NOT_SENT, {}, ""));
      }
    };
    socket.once("connect", () => {
      this.unsent.forEach((message) => this.#write(message));
      this.unsent = [];
    });
    socket.once("error", lost);
    socket.once("end", lost);
    socket.once("close", lost);
    this.socket = socket;
  }

  // Hands a message to the kernel, waiting where its buffer is full.
  #write(message) {
    const descriptor = this.socket?._handle?.fd;
    let start = 0;
    while (start < message.length && descriptor >= 0) {
      try {
        start += fs.writeSync(descriptor, message, start);
      } catch (error) {
        if (error.code !== "EAGAIN") {
          return; // The loss of the connection is noticed by its events.
        }
        Atomics.wait(sleeper, 0, 0, 1);
      }
    }
  }

  #receive(chunk) {
    // The chunk is overwritten by the next read: what outlives this call is copied.
    const isOwn = this.received !== undefined;
    let data = isOwn ? this.#joined(chunk) : chunk;
    while (data.length > 0) {
      const answer = parseAnswer(data);
      if (answer === undefined) {
        this.received = isOwn ? data : Buffer.from(data);
        return true;
      }
      data = data.subarray(answer.end);
      if (answer.status >= 200) {
        this.answers.shift()?.(answer.status, answer.headers, answer.body);
      }
    }
    this.received = undefined;
    return true;
  }

  // Appends to a buffer that doubles, so that a large event is not copied at each read.
  #joined(chunk) {
    const known = this.received;
    const length = known.length + chunk.length;
    let store = known.store;
    if (store === undefined || store.length < length) {
      store = Buffer.allocUnsafe(Math.max(length * 2, expectedLength(known)));
      known.copy(store);
    }
    chunk.copy(store, known.length);
    const data = store.subarray(0, length);
    data.store = store;
    this.received = data;
    return data;
  }
}

function expectedLength(data) {
  const end = data.indexOf("\r\n\r\n");
  if (end < 0) {
    return 0;
  }
  return end + 4 + (Number(parseHead(data, end).headers["content-length"]) || 0);
}

// {status, headers, body, end} of the answer that `data` starts with; undefined while it is
// incomplete.
function parseAnswer(data) {
  const end = data.indexOf("\r\n\r\n");
  if (end < 0) {
    return undefined;
  }
  const { status, headers } = parseHead(data, end);
  const start = end + 4;
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
    const chunks = parseChunks(data, start);
    return chunks && { status, headers, ...chunks };
  }
  const stop = start + (Number(headers["content-length"]) || 0);
  if (data.length < stop) {
    return undefined;
  }
  return { status, headers, body: data.subarray(start, stop), end: stop };
}

function parseHead(data, end) {
  const lines = data.toString("utf8", 0, end).split("\r\n");
  const headers = {};
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index];
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(lines[0].split(" ", 2)[1]), headers };
}

function parseChunks(data, start) {
  const chunks = [];
  let position = start;
  for (;;) {
    const lineEnd = data.indexOf("\r\n", position);
    if (lineEnd < 0) {
      return undefined;
    }
    const line = data.toString("latin1", position, lineEnd);
    const size = parseInt(line, 16);
    position = lineEnd + 2;
    if (size === 0) {
      break;
    }
    if (data.length < position + size + 2) {
      return undefined;
    }
    chunks.push(data.subarray(position, position + size));
    position += size + 2;
  }
  for (;;) {
    const lineEnd = data.indexOf("\r\n", position);
    if (lineEnd < 0) {
      return undefined;
    }
    if (lineEnd === position) {
      return { body: Buffer.concat(chunks), end: lineEnd + 2 };
    }
    position = lineEnd + 2; // A trailer.
  }
}

module.exports = { RuntimeApi };
