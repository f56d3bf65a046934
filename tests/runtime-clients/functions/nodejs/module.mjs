export const handler = async () => `esm ${typeof require} ${import.meta.url.split("/").pop()}`;
export default { viaDefault: async () => "via default" };
