import type { Kind } from "../outcome.ts";
import { anchor } from "./anchor.ts";
import { antimatter } from "./antimatter.ts";
import { beacons } from "./beacons.ts";
import { contextFeed } from "./context-feed.ts";
import { httpScenarios } from "./http-scenarios.ts";
import { identity } from "./identity.ts";
import { connectionProof, verifyInbound } from "./inbound.ts";
import { peerLookup, webhookRecovery } from "./lookups.ts";
import { outbound } from "./outbound.ts";
import { router } from "./router.ts";
import { sealed } from "./sealed.ts";
import { domainSignatures, messageSignature } from "./signatures.ts";
import { spawn } from "./spawn.ts";
import { stateFile } from "./state-file.ts";
import { statusLine } from "./status-line.ts";
import { timestamps, validation } from "./texts.ts";
import { wallets, walletTransactions } from "./wallets.ts";

/** What runs the cases of each file, by the file's name. */
export const MESH_KINDS: Readonly<Record<string, Kind>> = {
  identity,
  message_signature: messageSignature,
  domain_signatures: domainSignatures,
  e2e: sealed,
  anchor,
  beacons,
  verify_inbound: verifyInbound,
  connection_proof: connectionProof,
  timestamps,
  validation,
  solana: wallets,
  solana_tx: walletTransactions,
  spawn,
  state_file: stateFile,
  status_line: statusLine,
  router,
  antimatter,
  http_scenarios: httpScenarios,
  outbound,
  peer_lookup: peerLookup,
  webhook_recovery: webhookRecovery,
  context_feed: contextFeed,
};
