export type { Assembly, Layer } from "./assembly.ts";
export { type MainOptions, main } from "./main.ts";
