// Says hello. The smallest useful function in Node.js.
export const handler = async (event, context) => {
  console.log("hello from Node.js, request", context.awsRequestId);
  return { message: `Hello, ${event.name ?? "world"}!`, runtime: "nodejs" };
};
