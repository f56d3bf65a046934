export const handler = async () => "esm syntax in .js";
