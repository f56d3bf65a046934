// Calls a function and gives up waiting for its answer.
import { client, described, order, say, sdk } from "./rushlight.mjs";

try {
  const answer = await client.send(new sdk.InvokeCommand(order.input), { abortSignal: AbortSignal.timeout(order.after) });
  say({ answer });
} catch (error) {
  say({ error: described(error), left: Date.now() });
}
