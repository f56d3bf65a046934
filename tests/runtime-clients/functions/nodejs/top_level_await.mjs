const value = await new Promise((resolve) => setTimeout(() => resolve("awaited"), 20));
export const handler = async () => value;
