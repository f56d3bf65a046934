// Entry point of the Node.js runtime. An ES module, so that `require.main` is undefined in
// user code and a failed `require` names this file, both as on AWS.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

// Callback handlers ended with Node.js 24; with them went a whole way of serving.
const major = Number(process.versions.node.split(".", 1)[0]);
const { serve } = require(major >= 24 ? "./promise_runtime.cjs" : "./callback_runtime.cjs");

if (major >= 24) {
  serve(require);
} else {
  await serve(require);
}
