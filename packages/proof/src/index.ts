export * from "./checkpoint.ts";
export * from "./merkle.ts";
export * from "./signatures.ts";
