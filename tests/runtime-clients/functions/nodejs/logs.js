"use strict";

// Handlers that log.

exports.levels = async () => {
  for (const level of ["trace", "debug", "info", "log", "warn", "error", "fatal"]) {
    console[level]("at %s: %d", level, 5, "more");
  }
};
exports.values = async () => {
  console.log({ a: { b: { c: { d: 1 } } } });
  console.log([1, "two", null, undefined]);
  console.log("text", { a: 1 }, [2]);
  console.log(undefined);
  console.log(null);
  console.log();
  console.log(5, 6n, Symbol("s"), () => 1);
  console.log("100%", "%s", "%j", { x: 1 });
  console.log(new Date(0), /x/g, new Map([[1, 2]]), Buffer.from("b"));
};
exports.multiLine = async () => {
  console.log("first\nsecond\r\nthird");
  console.info("ends with newline\n");
};
exports.nonAscii = async () => console.log("grüße 日本 😀");
exports.errors = async () => {
  const error = new TypeError("logged");
  error.code = "E_LOGGED";
  console.error(error);
  console.error("with text", error);
  console.error(error, "text after");
  console.error({ nested: error });
  console.warn("two", new Error("a"), new RangeError("b"));
};
exports.oddities = async () => {
  const circular = { name: "circular" };
  circular.self = circular;
  console.log(circular);
  console.log({ big: 1n });
  console.log({ toJSON: () => "to JSON" });
  const error = new Error("no stack");
  error.stack = undefined;
  console.error(error);
  console.log("x", circular);
};
exports.other = async () => {
  console.dir({ a: 1 });
  console.table([{ a: 1 }]);
  console.group("group");
  console.log("inside");
  console.groupEnd();
  console.count();
  console.assert(false, "assertion");
  process.stdout.write("raw stdout\n");
  process.stderr.write("raw stderr\n");
};
exports.flood = async () => {
  for (let number = 0; number < 20000; number += 1) {
    console.log("line %d %s", number, "x".repeat(80));
  }
  return "done";
};
exports.isPatched = async () => [console.log === console.info, typeof console.fatal];
