export { type TestLedger, type TestLedgerOptions, testEvent, testLedger } from "./testing/test-ledger.ts";
