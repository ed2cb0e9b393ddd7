export * from "./testing/memory-internet.ts";
export * from "./testing/memory-multicast.ts";
export * from "./testing/memory-web-rtc.ts";
export { type OutboundCase, outboundCorpus } from "./testing/outbound-corpus.ts";
export * from "./testing/web-rtc-suite.ts";
export * from "./testing/wire-suite.ts";
