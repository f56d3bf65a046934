"use strict";

// Several invocations at once in one environment: worker threads, each of which serves its share
// of them by turns, from Node.js 24 on, and one by one before.
//
// AWS has functions on Managed Instances served so, and says that it does with
// `AWS_LAMBDA_MAX_CONCURRENCY`.

const os = require("node:os");
const { Worker, isMainThread } = require("node:worker_threads");

const CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY";
const WORKERS_OF_A_PROCESSOR = 8;
const ATTEMPTS = 20;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 90_000;
// What cannot be said of one thread.
const FLAGS_OF_A_PROCESS = ["--expose-gc", "--max-semi-space-size", "--max-old-space-size"];

const isConcurrent = CONCURRENCY in process.env;
// Whether this thread is one of several that serve.
const isWorker = isConcurrent && !isMainThread;
// Whether this thread is to start those.
const startsWorkers = isConcurrent && isMainThread;

function workerCount() {
  const wanted = parseInt(process.env.AWS_LAMBDA_NODEJS_WORKER_COUNT, 10);
  return wanted > 0 ? wanted : WORKERS_OF_A_PROCESSOR * os.availableParallelism();
}

// How many invocations each worker takes at once.
function shareOfWorker() {
  return Math.ceil(Number(process.env[CONCURRENCY]) / workerCount()) || 1;
}

// What `call` resolves to in the end: what fails between a worker and the Runtime API is tried
// again, for it ends neither the worker nor the others.
async function persistent(call) {
  for (let attempt = 1, delay = FIRST_DELAY; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt === ATTEMPTS) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, delay));
    delay = Math.min(2 * delay, LONGEST_DELAY);
  }
}

// Resolves when all threads, each of which runs `entryPoint`, have ended.
async function run(entryPoint) {
  const options = {
    env: process.env,
    execArgv: process.execArgv.filter(
      (flag) => !FLAGS_OF_A_PROCESS.some((unwanted) => flag.startsWith(unwanted)),
    ),
  };
  await Promise.all(
    Array.from({ length: workerCount() }, (_, index) => ended(new Worker(entryPoint, options), index)),
  );
}

function ended(worker, index) {
  return new Promise((resolve) => {
    worker.on("error", (error) => console.error(`Worker ${index} error:`, error));
    worker.on("exit", (code) => {
      if (code !== 0) {
        console.error(`Worker ${index} exited with code ${code}`);
      }
      resolve();
    });
  });
}

module.exports = { isWorker, persistent, run, shareOfWorker, startsWorkers };
