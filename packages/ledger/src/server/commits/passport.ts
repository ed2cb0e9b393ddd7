import { canon1OfText, sha256Hex } from "@darkmatter/core";
import { chainHashV1, chainHashV2, commitEnvelope, envelopeText, prefixed } from "@darkmatter/proof";
import { millisecondsTime } from "../../times.ts";
import type { Assurance } from "../chains/assurance.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import type { StoredCommit } from "./commit.ts";

export type VerificationStatus = "valid" | "broken" | "unverified";

/** What recomputing a commit from its stored text and its parent's stored hashes shows (ledger.md 2.11). */
export interface Soundness {
  readonly status: VerificationStatus;
  /** Why it is not `valid`. */
  readonly reason: string | null;
  /** `null` where the payload was pruned. */
  readonly payloadHolds: boolean | null;
  readonly chainHolds: boolean;
  readonly envelopeHolds: boolean;
  /** The payload can be shown: its text is still JSON. */
  readonly isLegible: boolean;
}

/** Of a commit that was just made. */
export const SOUND: Soundness = {
  status: "valid",
  reason: null,
  payloadHolds: true,
  chainHolds: true,
  envelopeHolds: true,
  isLegible: true,
};

/** The envelope whose hash is scheme 2, from what is stored. */
export function envelopeOf(commit: StoredCommit) {
  return commitEnvelope({
    agentId: commit.agent,
    keyId: commit.keyId,
    timestamp: commit.timestamp,
    payloadHash: commit.payloadHash,
    parentIntegrityHash: commit.parentIntegrityHash,
  });
}

/** Recomputes the commit's hashes. Whether its parent and its place in the log hold is for whoever walks the chain. */
export function soundnessOf(commit: StoredCommit): Soundness {
  const payloadHash = commit.payload === null ? null : payloadHashOf(commit.payload);
  const payloadHolds = payloadHash === null ? null : payloadHash === commit.payloadHash;
  const chainHolds = chainHashV1(commit.payloadHash, commit.parentChainHash) === commit.chainHash;
  const envelopeHolds = chainHashV2(envelopeText(envelopeOf(commit))) === commit.integrityHash;
  const isMissing = commit.payload === null && commit.prunedMs === null;
  const reason = isMissing
    ? "the payload is missing"
    : payloadHolds === false
      ? "the payload is not what its hash says"
      : !chainHolds
        ? "the integrity hash is not that of payload and parent"
        : !envelopeHolds
          ? "the envelope is not what its hash says"
          : null;
  const found = { payloadHolds, chainHolds, envelopeHolds, isLegible: payloadHash !== undefined };
  if (reason !== null) return { status: "broken", reason, ...found };
  if (payloadHolds === null) return { status: "unverified", reason: "the payload was pruned", ...found };
  return { status: "valid", reason: null, ...found };
}

/** H(canon-1) of a payload's text; `undefined` for a text that is no JSON any more. */
function payloadHashOf(text: string): string | undefined {
  try {
    return sha256Hex(canon1OfText(text));
  } catch {
    // A byte that was changed in the database may leave no JSON behind: that is what is being looked for.
    return undefined;
  }
}

/** A payload as answers have it: `null` where it was pruned, and for a text that would end the answer's own JSON. */
export const payloadIn = ({ payload }: StoredCommit, { isLegible }: Pick<Soundness, "isLegible">) =>
  payload === null || !isLegible ? null : new RawJson(payload);

/** Hashes of scheme 1, as answers have them. */
export function hashesOf({ payloadHash, chainHash, parentChainHash }: StoredCommit) {
  return {
    payload_hash: prefixed(payloadHash),
    integrity_hash: prefixed(chainHash),
    parent_hash: parentChainHash === null ? null : prefixed(parentChainHash),
  };
}

/** What a passport says beyond its commit's row. */
export interface PassportView {
  readonly baseUrl: string;
  readonly soundness: Soundness;
  readonly signatureStatus: string;
  readonly verifiedAtMs: number;
  readonly assurance: Assurance;
}

/** The JSON Schema of ledger.md 1.2, below the server's URL. */
export const PASSPORT_SCHEMA = "/schema/context-passport/v1.json";

/** A commit as every answer shows it: Context Passport 1.0 (ledger.md 1.2). */
export function passportOf(commit: StoredCommit, view: PassportView) {
  const { soundness } = view;
  const { claims } = commit;
  const lineage = { fork_of: commit.forkOf, fork_point: commit.forkPoint, lineage_root: commit.rootId };
  return {
    $schema: view.baseUrl + PASSPORT_SCHEMA,
    schema_version: "1.0",
    id: commit.id,
    parent_id: commit.parentId,
    trace_id: commit.trace,
    branch_key: commit.branch,
    created_by: {
      agent_id: commit.agent,
      agent_name: commit.agentName,
      role: commit.role,
      provider: commit.provider,
      model: commit.model,
    },
    event: {
      type: commit.event,
      label: commit.label ?? undefined,
      to_agent_id: commit.toAgent,
      to_agent_name: commit.toAgentName,
      timestamp: commit.timestamp,
    },
    payload: payloadIn(commit, soundness),
    payload_pruned_at: commit.prunedMs === null ? undefined : millisecondsTime(commit.prunedMs),
    integrity: {
      ...hashesOf(commit),
      verification_status: soundness.status,
      verification_reason: soundness.reason,
      verified_at: millisecondsTime(view.verifiedAtMs),
    },
    lineage,
    ...(commit.forkOf === null ? {} : lineage),
    created_at: millisecondsTime(commit.acceptedMs),
    assurance_level: view.assurance.level,
    assurance: view.assurance.parts,
    completeness_claim: claims.completenessClaim,
    integrity_v2: {
      payload_hash: prefixed(commit.payloadHash),
      integrity_hash: prefixed(commit.integrityHash),
      parent_integrity_hash: commit.parentIntegrityHash ?? "root",
      key_id: commit.keyId,
      envelope: { ...envelopeOf(commit) },
      client_match: claims.clientMatch,
      signature_status: view.signatureStatus,
    },
  } satisfies Answerable;
}
