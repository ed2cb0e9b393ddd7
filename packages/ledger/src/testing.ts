export {
  buildLargeLedger,
  type LargeLedger,
} from "./testing/large-ledger.ts";
export { type TestLedger, type TestLedgerOptions, testEvent, testLedger } from "./testing/test-ledger.ts";
export {
  type TestAgent,
  type TestServer,
  type TestServerOptions,
  testServer,
} from "./testing/test-server.ts";
