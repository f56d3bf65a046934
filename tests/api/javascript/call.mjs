// Makes one call, {"command", "input"}, and says what came back: {"answer"} or {"error"}.
import { client, described, order, say, sdk } from "./rushlight.mjs";

const { command, input } = order;
if (input.Code?.ZipFile) input.Code.ZipFile = Buffer.from(input.Code.ZipFile, "base64");
try {
  const answer = await client.send(new sdk[command](input));
  if (answer.Payload) answer.Payload = answer.Payload.transformToString();
  say({ answer });
} catch (error) {
  say({ error: described(error) });
}
