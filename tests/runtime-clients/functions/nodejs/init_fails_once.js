"use strict";

const fs = require("node:fs");

console.log("initialising");
if (!fs.existsSync("/tmp/failed")) {
  fs.writeFileSync("/tmp/failed", "");
  throw new RangeError("not yet");
}
exports.handler = async () => "at last";
