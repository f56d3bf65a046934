"use strict";

// What libraries may keep and read for the invocation in hand, as `awslambda.InvokeStore`.

const KEYS = {
  REQUEST_ID: Symbol.for("_AWS_LAMBDA_REQUEST_ID"),
  X_RAY_TRACE_ID: Symbol.for("_AWS_LAMBDA_X_RAY_TRACE_ID"),
  TENANT_ID: Symbol.for("_AWS_LAMBDA_TENANT_ID"),
};

class InvokeStore {
  static PROTECTED_KEYS = KEYS;
  currentContext;

  getContext() {
    return this.currentContext;
  }

  hasContext() {
    return this.getContext() !== undefined;
  }

  isProtectedKey(key) {
    return Object.values(KEYS).includes(key);
  }

  get(key) {
    return this.getContext()?.[key];
  }

  set(key, value) {
    if (this.isProtectedKey(key)) {
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    }
    this.writableContext()[key] = value;
  }

  writableContext() {
    return (this.currentContext ??= {});
  }

  run(context, action) {
    this.currentContext = context;
    return action();
  }

  // Runs `action` for the invocation that a handler's `context` describes.
  begin({ awsRequestId, xRayTraceId }, action) {
    const context = { [KEYS.REQUEST_ID]: awsRequestId, [KEYS.X_RAY_TRACE_ID]: xRayTraceId };
    return this.run(context, action);
  }

  getRequestId() {
    return this.get(KEYS.REQUEST_ID) ?? "-";
  }

  getXRayTraceId() {
    return this.get(KEYS.X_RAY_TRACE_ID);
  }

  getTenantId() {
    return this.get(KEYS.TENANT_ID);
  }
}

// The same where a thread serves several invocations at once.
class ConcurrentInvokeStore extends InvokeStore {
  #contexts = new (require("node:async_hooks").AsyncLocalStorage)();

  getContext() {
    return this.#contexts.getStore();
  }

  writableContext() {
    if (!this.hasContext()) {
      throw new Error("No context available");
    }
    return this.getContext();
  }

  run(context, action) {
    return this.#contexts.run(context, action);
  }
}

module.exports = { ConcurrentInvokeStore, InvokeStore };
