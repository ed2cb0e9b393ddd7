import type { Clock, JsonObject, Random } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import type { Database } from "@darkmatter/store";
import type { ServerAccess } from "./mirror/server-calls.ts";

/** An agent that may witness for us, or whose log we may witness. */
export interface LedgerPeer {
  readonly agentId: string;
  /** Base URL of its node. */
  readonly url: string;
  readonly name: string | null;
  /**
   * Its checkpoints are named after its log, so that one of another name is none of its own but what it signed as a
   * witness (docs/proof.md section 2). Of logs that do not, each checkpoint with a valid signature counts as theirs.
   */
  readonly namesLog: boolean;
}

/** A request of one ledger to another. */
export interface LedgerCall {
  /** Below `/__darkmatter__/`. */
  readonly path: "checkpoint" | "evidence";
  readonly body: object;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** `body` is the answer's JSON object, empty when it is none; `reason` is an error code of `Wire`. */
export type LedgerAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly body: JsonObject }
  | { readonly kind: "silent"; readonly reason: string };

/** Who our peers are: told by whoever keeps the connections. */
export interface LedgerPeers {
  /**
   * Brings a request to a peer by whatever way there is, also where its URL leads nowhere. Absent: it is posted to the
   * URL. Never rejects for want of an answer.
   */
  call?(peer: LedgerPeer, request: LedgerCall): Promise<LedgerAnswer>;
  /** Connected agents that announced journal/1, best impression first. */
  witnesses(): Promise<readonly LedgerPeer[]>;
  /** All connected agents. */
  all(): Promise<readonly LedgerPeer[]>;
}

/** Says what went wrong in the background. Never gets key material or content. */
export type Report = (event: string, context: Readonly<Record<string, string | number>>) => void;

/** Everything a node's ledger stands on. */
export interface LedgerPorts {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** The log's key: the passport. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly wire: Wire;
  readonly peers: LedgerPeers;
  /** The name shown for this agent in exports. */
  readonly agentName: () => Promise<string>;
  readonly report: Report;
  /** A server that this log is copied to. */
  readonly mirror?: ServerAccess | undefined;
}
