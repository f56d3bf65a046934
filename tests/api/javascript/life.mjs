// Creates a function, waits until it can be called, calls it, publishes versions, lists them and deletes it.
import { client, order, say, sdk } from "./rushlight.mjs";

const { FunctionName } = order.function;
const ZipFile = Buffer.from(order.zip, "base64");
const created = await client.send(new sdk.CreateFunctionCommand({ ...order.function, Code: { ZipFile } }));
const active = await sdk.waitUntilFunctionActiveV2({ client, maxWaitTime: 30 }, { FunctionName });
const called = await client.send(new sdk.InvokeCommand({ FunctionName, Payload: "1" }));

for (const Description of ["one", "two", "three"]) {
  await client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Description }));
  await sdk.waitUntilFunctionUpdatedV2({ client, maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.5 }, { FunctionName });
  await client.send(new sdk.PublishVersionCommand({ FunctionName }));
}
const pages = [];
for await (const page of sdk.paginateListVersionsByFunction({ client, pageSize: 3 }, { FunctionName })) {
  pages.push(page.Versions.map((version) => version.Version));
}

const deleted = await client.send(new sdk.DeleteFunctionCommand({ FunctionName }));
say({
  created: { arn: created.FunctionArn, state: created.State, size: created.CodeSize, variables: created.Environment.Variables },
  active: active.state,
  payload: called.Payload.transformToString(),
  pages,
  deleted: deleted.$metadata.httpStatusCode,
});
