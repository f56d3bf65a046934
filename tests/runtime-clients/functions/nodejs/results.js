"use strict";

// Handlers whose result is the point.

const late = (value, ms = 20) => new Promise((resolve) => setTimeout(() => resolve(value), ms));

exports.ok = async () => ({ hello: "world" });
exports.echo = async (event) => event;
exports.nothing = async () => {};
exports.isNull = async () => null;
exports.text = async () => "just text";
exports.number = async () => 1.5;
exports.nonAscii = async () => ({ grüße: "日本 \u2028 \x7f 😀" });
exports.loneSurrogate = async () => "\ud800";
exports.buffer = async () => Buffer.from("abc");
exports.date = async () => new Date(0);
exports.map = async () => new Map([[1, 2]]);
exports.symbol = async () => Symbol("x");
exports.aFunction = async () => () => 1;
exports.notANumber = async () => NaN;
exports.toJson = async () => ({ toJSON: () => "from toJSON" });
exports.later = async () => late("later");
exports.thenable = () => ({ then: (resolve) => resolve("thenable") });
exports.plainValue = () => "not a promise";
exports.plainUndefined = () => {};
exports.bigint = async () => ({ value: 1n });
exports.circular = async () => {
  const value = {};
  value.self = value;
  return value;
};
exports.throwingToJson = async () => ({
  toJSON() {
    throw new TypeError("in toJSON");
  },
});
exports.huge = async () => "x".repeat(7_000_000);
exports.large = async () => ({
  items: Array.from({ length: 20000 }, (_, id) => ({ id, name: `n${id}` })),
});
let count = 0;
exports.counter = async () => ++count;

exports.contextFields = async (event, context) => ({
  context,
  keys: Object.keys(context).sort(),
  types: Object.fromEntries(Object.entries(context).map(([key, value]) => [key, typeof value])),
  remaining: Math.floor(context.getRemainingTimeInMillis() / 1e9),
});
exports.traceId = async () => process.env._X_AMZN_TRACE_ID ?? "unset";
exports.eventType = async (event) => `${typeof event}:${JSON.stringify(event)}`;
exports.environment = async () => ({
  main: require.main === undefined,
  logFd: "_LAMBDA_TELEMETRY_LOG_FD" in process.env,
  argv: process.argv.length,
  awslambda: typeof awslambda,
  functions: typeof awslambda === "undefined" ? [] : Object.keys(awslambda).sort(),
  parent: module.parent?.filename.endsWith(".mjs"),
  requestId: typeof global[Symbol.for("aws.lambda.runtime.requestId")],
});
exports.store = async () => {
  const store = awslambda.InvokeStore;
  if (store === undefined) {
    return "no store";
  }
  store.set("mine", 1);
  let refusal;
  try {
    store.set(Symbol.for("_AWS_LAMBDA_REQUEST_ID"), "x");
  } catch (error) {
    refusal = error.message;
  }
  return [
    store.getRequestId(),
    store.getXRayTraceId(),
    store.getTenantId(),
    store.get("mine"),
    store.hasContext(),
    Object.keys(store.getContext()),
    refusal,
  ];
};

exports.nested = { deeper: { handler: async () => "nested" } };
exports.method = {
  name: "bound?",
  async handler() {
    return this === undefined || this.name;
  },
};
exports.notAFunction = 5;
exports.aClass = class {
  constructor() {
    this.value = "constructed";
  }
};
exports.generator = function* () {
  yield 1;
};
