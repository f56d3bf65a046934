"use strict";

// Handlers for whose result a whole server is needed (tests/api/test_aws_runtime_clients.py).

exports.hang = async () => {
  console.log("waiting");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
};
exports.contextValues = async (event, context) => {
  const { getRemainingTimeInMillis, callbackWaitsForEmptyEventLoop, ...values } = context;
  const remaining = getRemainingTimeInMillis();
  return { ...values, remaining: remaining > 0 && remaining <= 10_000 };
};
exports.structured = async () => {
  console.error("with more", new RangeError("caught"));
  console.log({ order: { id: 7 } });
  const own = { level: "ERROR", timestamp: "2026-01-01T00:00:00Z", message: "one's own" };
  process.stdout.write(`${JSON.stringify(own)}\n`);
  process.stdout.write("no JSON at all\n");
};
