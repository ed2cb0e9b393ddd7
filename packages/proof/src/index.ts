export * from "./chain.ts";
export * from "./checkpoint.ts";
export * from "./forms.ts";
export * from "./keys.ts";
export * from "./merkle.ts";
export * from "./signatures.ts";
