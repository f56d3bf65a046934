export const handler = async () => "nested module";
