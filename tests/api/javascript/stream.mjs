// Calls a function for a stream and reads it, to its end or ({"leave": true}) no further than its first chunk.
import { createHash } from "node:crypto";
import { client, described, order, say, sdk } from "./rushlight.mjs";

const leaving = new AbortController();
const chunks = [];
const ends = [];
let answer, first, error;
try {
  answer = await client.send(new sdk.InvokeWithResponseStreamCommand(order.input), { abortSignal: leaving.signal });
  for await (const event of answer.EventStream) {
    if (event.PayloadChunk) {
      first ??= Date.now();
      chunks.push(event.PayloadChunk.Payload);
      if (order.leave) leaving.abort();
    } else {
      ends.push(event);
    }
  }
} catch (thrown) {
  error = described(thrown);
}
const payload = Buffer.concat(chunks);
say({
  error,
  status: answer?.StatusCode,
  version: answer?.ExecutedVersion,
  contentType: answer?.ResponseStreamContentType,
  chunks: chunks.length,
  bytes: payload.length,
  text: payload.length < 10_000 ? payload.toString() : undefined,
  sha256: createHash("sha256").update(payload).digest("hex"),
  first,
  ends,
  left: Date.now(),
});
