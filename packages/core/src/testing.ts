export * from "./testing/clock-suite.ts";
export * from "./testing/memory-files.ts";
export * from "./testing/seeded-random.ts";
export * from "./testing/virtual-clock.ts";
