"use strict";

// With Node.js 24 AWS' runtime became another program: no callbacks, other details of logs
// and errors. Up to Node.js 22 the older manner holds.

const major = Number(process.versions.node.split(".", 1)[0]);

module.exports = { sinceNode24: major >= 24 };
