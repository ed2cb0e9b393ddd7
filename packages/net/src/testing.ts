export * from "./testing/memory-internet.ts";
export * from "./testing/wire-suite.ts";
