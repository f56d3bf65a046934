// Starts AWS' Node.js client of the 3.x line the way its own runtime does.
// Usage: node aws_nodejs.mjs CLIENT_MODULE

const { run } = await import(process.argv.pop());
await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
