export type { LedgerPeer, LedgerPeers, LedgerPorts } from "./ports.ts";
