export const handler = async () => "mjs within commonjs";
