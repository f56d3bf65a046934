"use strict";

// From the text of `Handler` to the user's function.

const fs = require("node:fs");
const path = require("node:path");
const {
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  MalformedStreamingHandler,
  UserCodeSyntaxError,
} = require("./errors.cjs");
const { sinceNode24 } = require("./version.cjs");

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

// Splits `folder/module.nested.name`: the module ends at the first dot of the last part.
function parseHandler(handler) {
  if (handler.includes("..")) {
    throw new MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root ` +
        "directories in handler names.",
    );
  }
  const base = path.basename(handler);
  const parts = /^([^.]*)\.(.*)$/.exec(base);
  if (parts === null) {
    throw new MalformedHandlerName("Bad handler");
  }
  return { folder: handler.slice(0, handler.indexOf(base)), module: parts[1], name: parts[2] };
}

// Runs `action` and gives the errors that a package can cause their names.
async function naming(action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof SyntaxError) {
      const named = new UserCodeSyntaxError(error);
      if (sinceNode24) {
        named.stack = error.stack;
      }
      throw named;
    }
    if (error?.code === "MODULE_NOT_FOUND") {
      throw new ImportModuleError(error);
    }
    throw error;
  }
}

function checked(candidate, handler) {
  if (!candidate) {
    throw new HandlerNotFound(`${handler} is undefined or not exported`);
  }
  if (typeof candidate !== "function") {
    throw new HandlerNotFound(`${handler} is not a function`);
  }
  return candidate;
}

// Whether the handler streams its response, and the buffer size that it asked for.
function streamingOf(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) {
    return { isStreaming: false };
  }
  if (mode !== "response") {
    throw new MalformedStreamingHandler("Only response streaming is supported.");
  }
  const size = parseInt(handler[HIGH_WATER_MARK] || undefined, 10);
  return { isStreaming: true, highWaterMark: Number.isNaN(size) ? undefined : size };
}

// Up to Node.js 22: CommonJS first, ES modules where name or package.json say so.
async function loadByRequire(root, handler, load) {
  const { folder, module, name } = parseHandler(handler);
  const app = await naming(() => requireModule(root, folder, module, load));
  const found = name.split(".").reduce((value, key) => value && value[key], app);
  return checked(found, handler);
}

async function requireModule(root, folder, module, { require, import: importFile }) {
  const file = path.resolve(root, folder, module);
  const required = (extension) =>
    fs.existsSync(file + extension) ? require(file + extension) : undefined;
  const imported = (extension) =>
    fs.existsSync(file + extension) ? importFile(file + extension) : undefined;
  const isModule = fs.existsSync(`${file}.js`) && packageSaysModule(path.dirname(file));
  return (
    required("") ||
    (isModule ? await imported(".js") : required(".js")) ||
    (await imported(".mjs")) ||
    required(".cjs") ||
    require(require.resolve(module, { paths: [root, folder] }))
  );
}

// Whether the nearest package.json has `"type": "module"`.
function packageSaysModule(folder) {
  if (folder.endsWith("/node_modules")) {
    return false;
  }
  const file = path.join(folder, "package.json");
  if (fs.existsSync(file)) {
    try {
      const content = JSON.parse(fs.readFileSync(file));
      if (content) {
        return content.type === "module";
      }
    } catch (error) {
      console.warn(
        `${file} cannot be read, it will be ignored for ES module detection purposes.`,
        error,
      );
      return false;
    }
  }
  return folder !== "/" && packageSaysModule(path.dirname(folder));
}

// From Node.js 24 on: everything is imported; a CommonJS module's exports may be its default.
async function loadByImport(root, handler, load) {
  const { folder, module, name } = parseHandler(handler);
  const app = await naming(() => importModule(root, folder.replace(/\/$/, ""), module, load));
  const named = (value) =>
    name
      .split(".")
      .reduce((inner, key) => (inner && typeof inner === "object" ? inner[key] : undefined), value);
  const isObject = typeof app === "object" && app !== null;
  return checked(named(app) || (isObject && "default" in app && named(app.default)), handler);
}

async function importModule(root, folder, module, { require, import: importFile }) {
  const file = path.resolve(root, folder, module);
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    const app = fs.existsSync(file + extension) ? await importFile(file + extension) : undefined;
    if (app) {
      return app;
    }
  }
  const paths = [root, path.join(root, folder)];
  return require(require.resolve(module, { paths }));
}

module.exports = { HIGH_WATER_MARK, STREAMING, loadByImport, loadByRequire, streamingOf };
