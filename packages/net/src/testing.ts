export * from "./testing/memory-internet.ts";
export * from "./testing/memory-multicast.ts";
export * from "./testing/memory-web-rtc.ts";
export * from "./testing/web-rtc-suite.ts";
export * from "./testing/wire-suite.ts";
