"use strict";

// Handlers in the style of callbacks, and through `context`.

exports.success = (event, context, callback) => callback(null, { ok: 1 });
exports.successLater = (event, context, callback) => setTimeout(() => callback(null, "later"), 20);
exports.failure = (event, context, callback) => callback(new Error("failed"));
exports.failureText = (event, context, callback) => callback("just text");
exports.failureObject = (event, context, callback) => callback({ reason: "object" });
exports.failureFalse = (event, context, callback) => callback(false);
exports.noArguments = (event, context, callback) => callback();
exports.never = (event, context, callback) => {};
exports.twice = (event, context, callback) => {
  callback(null, 1);
  callback(null, 2);
};
exports.twiceLater = (event, context, callback) => {
  callback(null, 1);
  setTimeout(() => callback(new Error("too late")), 20);
};
exports.waits = (event, context, callback) => {
  setTimeout(() => console.log("timer ran"), 50);
  callback(null, "after the timer");
};
exports.doesNotWait = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  // Not by the console: whose invocation it names depends on how fast the next one comes.
  setTimeout(() => process.stdout.write("timer ran\n"), 50);
  callback(null, "before the timer");
};
exports.throws = (event, context, callback) => {
  throw new TypeError("thrown");
};
exports.throwsAfterCallback = (event, context, callback) => {
  callback(null, "first");
  throw new Error("after the callback");
};
exports.throwsLater = (event, context, callback) => {
  setTimeout(() => {
    throw new Error("from a timer");
  }, 20);
};
exports.unserialisable = (event, context, callback) => callback(null, { value: 1n });
exports.succeed = (event, context) => {
  setTimeout(() => process.stdout.write("timer ran\n"), 50);
  context.succeed("succeeded");
};
exports.fail = (event, context) => context.fail(new Error("failed"));
exports.failNothing = (event, context) => context.fail();
exports.failText = (event, context) => context.fail("text");
exports.done = (event, context) => context.done(null, "done");
exports.doneError = (event, context) => context.done(new Error("done with"));
exports.succeedTwice = (event, context) => {
  context.succeed(1);
  context.succeed(2);
};
exports.succeedThenCallback = (event, context, callback) => {
  context.succeed(1);
  callback(null, 2);
};
exports.asyncAndCallback = async (event, context, callback) => {
  callback(null, "callback");
  return "promise";
};
exports.asyncCallbackOnly = async (event, context, callback) => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  callback(null, "callback");
};
exports.lateAfterNull = (event, context, callback) => {
  const timer = setTimeout(() => callback(null, "too late"), 300);
  timer.unref();
};
exports.contextStyle = (event, context) => {
  setTimeout(() => context.succeed("context"), 10);
};
