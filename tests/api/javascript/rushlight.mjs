// The SDK as it was installed for the tests, a client that its environment points to the server, and what a script is
// told and says: one document of JSON each.
import { createRequire } from "node:module";

export const sdk = createRequire(`${process.env.JAVASCRIPT_SDK}/`)("@aws-sdk/client-lambda");
export const client = new sdk.LambdaClient();
export const order = JSON.parse(process.argv[2]);

export const say = (what) => console.log(JSON.stringify(what));

// What a program can tell an error by.
export const described = (error) => ({
  name: error.name,
  message: error.message,
  reason: error.Reason,
  type: error.Type,
  status: error.$metadata?.httpStatusCode,
  request: error.$metadata?.requestId,
  fault: error.$fault,
  throttling: error.$retryable?.throttling,
  ownClass: sdk[error.name] !== undefined && error instanceof sdk[error.name],
  baseClass: error instanceof sdk.LambdaServiceException,
});
