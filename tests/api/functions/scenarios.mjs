// Does what its event asks for: one of the scenarios of test_every_runtime.py.
import { createRequire } from "node:module";

if (process.env.FAIL) {
  throw new Error("as asked");
}

export const handler = async (event, context) => {
  switch (event.do) {
    case "raise":
      throw new RangeError("as asked");
    case "exit":
      process.exit(3);
    case "sleep":
      await new Promise((done) => setTimeout(done, 30000));
      break;
    case "memory":
      for (const kept = []; ; kept.push(Buffer.alloc(1 << 24, 1)));
    case "large":
      return "x".repeat(event.size);
    case "say":
      process.stdout.write("printed\n");
      console.info("logged");
      break;
    case "layer":
      // `import` does not look where layers put modules, on AWS neither.
      return createRequire(import.meta.url)("of-layer");
  }
  return {
    event,
    environment: process.env,
    request: context.awsRequestId,
    name: context.functionName,
    version: context.functionVersion,
    arn: context.invokedFunctionArn,
    memory: Number(context.memoryLimitInMB),
    group: context.logGroupName,
    stream: context.logStreamName,
    remaining: context.getRemainingTimeInMillis(),
    runtime: process.versions.node.split(".")[0],
    machine: { x64: "x86_64", arm64: "aarch64" }[process.arch],
  };
};
