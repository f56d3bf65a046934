// Entry point of the Node.js runtime. An ES module that lends `require` and `import` to the
// rest, so that `require.main` is undefined in user code, and what cannot be loaded is said
// to be required or imported by this file, both as on AWS.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const load = { require, import: (file) => import(file) };

const workers = require("./workers.cjs");

if (workers.startsWorkers) {
  await workers.run(new URL(import.meta.url));
} else if (require("./version.cjs").sinceNode24) {
  require("./promise_runtime.cjs").serve(load);
} else {
  await require("./callback_runtime.cjs").serve(load);
}
