"use strict";

// Handlers that fail.

class CustomError extends Error {
  constructor(message) {
    super(message);
    this.name = "CustomError";
    this.code = "E_CUSTOM";
    this.details = { field: "x" };
  }
}
class Unnamed extends Error {}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.withMessage = async () => {
  throw new Error("something went wrong");
};
exports.custom = async () => {
  throw new CustomError("custom größe");
};
exports.unnamed = async () => {
  throw new Unnamed("no name of its own");
};
exports.withoutMessage = async () => {
  throw new Error();
};
exports.withCause = async () => {
  throw new Error("outer", { cause: new TypeError("inner") });
};
exports.nestedError = async () => {
  const error = new Error("outer");
  error.inner = new RangeError("inner");
  throw error;
};
exports.circularError = async () => {
  const error = new Error("circular");
  error.self = error;
  throw error;
};
exports.aggregate = async () => {
  throw new AggregateError([new Error("one"), new Error("two")], "several");
};
exports.multiLine = async () => {
  throw new Error("first\nsecond\n    at fake (file.js:1:2)");
};
exports.deleteCharacter = async () => {
  throw new Error("before\x7Fafter");
};
exports.noStack = async () => {
  const error = new Error("no stack");
  delete error.stack;
  error.stack = undefined;
  throw error;
};
exports.numericName = async () => {
  const error = new Error("numeric name");
  error.name = 5;
  throw error;
};
exports.looksLikeError = async () => {
  throw { name: "Looks", message: "like one", stack: "Looks: like one\n    at nowhere" };
};
exports.text = async () => {
  throw "text";
};
exports.number = async () => {
  throw 5;
};
exports.object = async () => {
  throw { reason: "object" };
};
exports.isNull = async () => {
  throw null;
};
exports.isUndefined = async () => {
  throw undefined;
};
exports.rejects = () => Promise.reject(new Error("rejected"));
exports.afterAwait = async () => {
  await later(10);
  throw new Error("after await");
};
exports.synchronous = () => {
  throw new SyntaxError("thrown at once");
};
exports.hugeMessage = async () => {
  throw new Error("x".repeat(300_000));
};
exports.recursion = async () => {
  const forever = () => forever();
  forever();
};
exports.alternating = async (event) => {
  if (event.fail) {
    throw new Error("failed as asked");
  }
  return "fine";
};
exports.exit = async (event) => {
  console.log("about to go");
  process.exit(event.status);
};
exports.exitAfterResult = async () => {
  setImmediate(() => setImmediate(() => process.exit(5)));
  return "sent before the exit";
};
exports.abort = async () => process.abort();
exports.neverSettles = () => new Promise(() => {});
exports.neverSettlesAsync = async () => {
  await new Promise(() => {});
};
exports.uncaughtInTimer = async () => {
  setTimeout(() => {
    throw new Error("from a timer");
  }, 10);
  await later(200);
  return "never seen";
};
exports.uncaughtAfterResult = async () => {
  setTimeout(() => {
    throw new Error("after the result");
  }, 30);
  return "result";
};
exports.unhandledRejection = async () => {
  Promise.reject(new Error("nobody cares"));
  await later(200);
  return "never seen";
};
exports.unhandledRejectionText = async () => {
  Promise.reject("just text");
  await later(200);
};
exports.handledRejection = async () => {
  const promise = Promise.reject(new Error("handled late"));
  await later(0).then(() => promise.catch(() => {}));
  return "unreachable or not";
};
exports.uncaughtString = async () => {
  setTimeout(() => {
    throw "text from a timer";
  }, 10);
  await later(200);
};
exports.errorEvent = async () => {
  const { EventEmitter } = require("node:events");
  setTimeout(() => new EventEmitter().emit("error", new Error("event")), 10);
  await later(200);
};
exports.timerAfterResult = async () => {
  setTimeout(() => console.log("timer of an invocation gone by"), 30);
  return "at once";
};
