export { playGame } from "./antimatter/game.ts";
export { commitmentOf, isCommitted } from "./antimatter/picks.ts";
export { HOPS_MAX as SIGNAL_HOPS_MAX, nextStep } from "./antimatter/routing.ts";
export { createSessions } from "./antimatter/sessions.ts";
export { type Candidate, chooseVeteran, drawFraction } from "./antimatter/veterans.ts";
export type { OutboundRequest, PendingRequest } from "./connections/connection.ts";
export { findOutbound } from "./connections/requests.store.ts";
export type { Said } from "./conversation/entry.ts";
export { contextFeed, feedText, rankedFeed, scoreOf } from "./conversation/feed.ts";
export { commandLine, helperEnvironment } from "./delegation/profiles.ts";
export { promptFor } from "./delegation/prompt.ts";
export { readPacket, signalBytes } from "./discovery/beacon.ts";
export { decide, inOrder } from "./router/decision.ts";
export { Rule } from "./router/rule.ts";
export { activityHint, createHints } from "./status/hint.ts";
export {
  ALL_CLEAR,
  type Attention,
  type StatusInput,
  type StatusPeer,
  statusText,
} from "./status/status-text.ts";
export { type FakeSolana, fakeSolana, type SolanaFault, serveSolana } from "./testing/fake-solana.ts";
export { type Given, give } from "./testing/given.ts";
export { healer } from "./testing/healer.ts";
export {
  bodyOf,
  type MemoryNetwork,
  memoryNetwork,
  TEST_CONFIG,
  type TestNode,
  type TestNodeOptions,
  testNode,
} from "./testing/memory-network.ts";
export { type Heard, type Stranger, type StrangerAnswer, stranger } from "./testing/stranger.ts";
export { validateWebhook } from "./webhooks/webhook.ts";
