import { parseTime, sha256Hex } from "@darkmatter/core";
import { isHash, isSeconds } from "./forms.ts";

// The texts below are canon-1, which `JSON.stringify` writes for strings, nulls and safe integers when the keys are
// listed in their order. Keep them sorted.

/** What scheme 2 hashes and an agent signs (ledger.md 2.5). Hashes are bare. */
export interface CommitEnvelope {
  readonly agent_id: string;
  readonly key_id: string;
  /** The parent's scheme-2 hash, or `root`. */
  readonly parent_integrity_hash: string;
  readonly payload_hash: string;
  readonly schema_version: "2";
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly timestamp: string;
}

export function commitEnvelope(commit: {
  readonly agentId: string;
  readonly keyId: string;
  readonly timestamp: string;
  readonly payloadHash: string;
  /** `null` for a root. */
  readonly parentIntegrityHash: string | null;
}): CommitEnvelope {
  return {
    agent_id: commit.agentId,
    key_id: commit.keyId,
    parent_integrity_hash: commit.parentIntegrityHash ?? "root",
    payload_hash: commit.payloadHash,
    schema_version: "2",
    timestamp: commit.timestamp,
  };
}

/** The canon-1 text of an envelope: signed by the agent, hashed by scheme 2. */
export function envelopeText(envelope: CommitEnvelope): string {
  const { agent_id, key_id, parent_integrity_hash, payload_hash, schema_version, timestamp } = envelope;
  return JSON.stringify({ agent_id, key_id, parent_integrity_hash, payload_hash, schema_version, timestamp });
}

/** Scheme 1 (ledger.md 2.4): content and order only. Bare hashes; `parent` is `null` for a root. */
export function chainHashV1(payloadHash: string, parent: string | null): string {
  return sha256Hex(payloadHash + (parent ?? "root"));
}

/** Scheme 2 (ledger.md 2.5): the hash by which a commit is named. */
export function chainHashV2(text: string): string {
  return sha256Hex(text);
}

const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2}|\+00:00Z)$/;
const TIME_LENGTH_MAX = 64;

/**
 * A client's time as the envelope holds it (ledger.md 2.5): UTC, the fraction cut off. `warned` when it came in the
 * existing SDK's malformed `…+00:00Z`; `undefined` for anything else.
 */
export function envelopeTime(text: string): { time: string; warned: boolean } | undefined {
  const [, seconds, zone] = text.length <= TIME_LENGTH_MAX ? (TIME.exec(text) ?? []) : [];
  if (seconds === undefined || zone === undefined) return undefined;
  const warned = zone === "+00:00Z";
  const at = parseTime(seconds + (warned ? "Z" : zone));
  if (at === undefined) return undefined;
  const time = `${new Date(at).toISOString().slice(0, -".000Z".length)}Z`;
  return isSeconds(time) ? { time, warned } : undefined;
}

/** What a commit's leaf in the log's tree hashes. */
export interface LeafEnvelope {
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly accepted_at: string;
  readonly commit_id: string;
  /** Scheme 2, bare. */
  readonly integrity_hash: string;
  /** From 0. */
  readonly log_position: number;
}

export function leafHash({ accepted_at, commit_id, integrity_hash, log_position }: LeafEnvelope): string {
  return sha256Hex(`\0${JSON.stringify({ accepted_at, commit_id, integrity_hash, log_position })}`);
}

/** The log root after one more commit; `previous` is `null` before the first. Bare scheme-2 hash in, bare out. */
export function logRootAfter(previous: string | null, integrityHash: string): string {
  return sha256Hex(`${previous ?? "genesis"}:${integrityHash}`);
}

/** The six members an export's `chain_hash` covers. Hashes are prefixed scheme 1. */
export interface ExportChain {
  readonly chain_ids: readonly string[];
  readonly chain_length: number;
  readonly ctx_id: string;
  readonly lineage_root: string;
  readonly root_hash: string;
  readonly tip_hash: string;
}

/** An export's `chain_hash`, prefixed. */
export function exportChainHash(chain: ExportChain): string {
  const { chain_ids, chain_length, ctx_id, lineage_root, root_hash, tip_hash } = chain;
  const members = { chain_ids, chain_length, ctx_id, lineage_root, root_hash, tip_hash };
  return prefixed(sha256Hex(JSON.stringify(members)));
}

const PREFIX = "sha256:";

export function prefixed(hash: string): string {
  return PREFIX + hash;
}

/** The bare hash of a prefixed one; `undefined` when it is none. */
export function bare(hash: string): string | undefined {
  const text = hash.startsWith(PREFIX) ? hash.slice(PREFIX.length) : undefined;
  return isHash(text) ? text : undefined;
}
