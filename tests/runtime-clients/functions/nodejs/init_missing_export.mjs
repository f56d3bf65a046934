import { nothing } from "./module.mjs";
export const handler = async () => 1;
