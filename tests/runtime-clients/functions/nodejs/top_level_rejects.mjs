await Promise.reject(new Error("rejected at the top"));
export const handler = async () => 1;
