// Handlers that go on only when as many as are expected are there at the same time.
import { readdirSync, writeFileSync } from "node:fs";
import { threadId } from "node:worker_threads";

export const handler = async ({ place, expected, fails }, { awsRequestId: id }) => {
  writeFileSync(`${place}/${id}`, String(threadId));
  const until = Date.now() + 20_000;
  while (readdirSync(place).length < expected) {
    if (Date.now() > until) {
      return { id, met: false };
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { InvokeStore } = globalThis.awslambda ?? {};
  InvokeStore?.set("mine", id);
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log("met", id);
  if (fails) {
    throw new TypeError(`met ${id}`);
  }
  return { id, met: true, mine: InvokeStore ? InvokeStore.get("mine") === id : true };
};
