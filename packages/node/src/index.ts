export type { Assembly, Layer } from "./assembly.ts";
export { main } from "./main.ts";
export type { MainOptions } from "./main-options.ts";
export { nodeAssembly } from "./node-assembly.ts";
