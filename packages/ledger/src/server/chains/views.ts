import type { StoredCommit } from "../commits/commit.ts";
import { passportOf, type Soundness } from "../commits/passport.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import { assuranceOf, type LogStanding } from "./assurance.ts";
import type { Step } from "./chain-step.ts";
import type { CoveringCheckpoint } from "./signed-tree.ts";

/** What all passports of one answer have in common. */
export interface PassportSurroundings {
  readonly baseUrl: string;
  readonly nowMs: number;
  readonly standing: LogStanding;
}

/** A commit's passport, as of now. */
export function passportIn(
  commit: StoredCommit,
  soundness: Soundness,
  { baseUrl, nowMs, standing }: PassportSurroundings,
) {
  return passportOf(commit, {
    baseUrl,
    soundness,
    verifiedAtMs: nowMs,
    assurance: assuranceOf(commit, standing),
  });
}

/** Who committed, as the command line reads it. */
export function agentInfoOf({ agent, agentName, role, provider, model }: StoredCommit) {
  return { id: agent, name: agentName, role, provider, model };
}

const SHORT_ID_CHARACTERS = 8;
export const shortId = (id: string): string => id.slice(-SHORT_ID_CHARACTERS);

/** The caller's name of the event where it is no known type, else the type. */
export const eventTypeOf = ({ event, label }: StoredCommit): string => label ?? event;

/** One step of a verification (ledger.md 3.2). */
export function verifiedStep(step: Step) {
  if (step.kind === "unreadable") {
    return {
      id: step.id,
      payload_ok: false,
      chain_ok: false,
      envelope_ok: false,
      link_ok: false,
      signature: "unreadable",
      in_log: false,
      reason: step.fault.reason,
    };
  }
  const { soundness, attestation } = step;
  return {
    id: step.id,
    payload_ok: soundness.payloadHolds,
    chain_ok: soundness.chainHolds,
    envelope_ok: soundness.envelopeHolds,
    link_ok: step.linkHolds,
    signature: step.signature.result,
    attestation: attestation === undefined ? undefined : (attestation ?? "valid"),
    in_log: step.isInLog,
    pruned: step.commit.payload === null && step.commit.prunedMs !== null ? true : undefined,
    reason: step.fault?.reason,
  };
}

/** The checkpoint a verification leads to. */
export function coveringView({ checkpoint, signatures, signedBy, coversTip }: CoveringCheckpoint) {
  return {
    ...checkpoint,
    signature_ok: signedBy !== undefined,
    covers_tip: coversTip,
    witness_count: signatures.length,
  };
}

/** One step of a lineage: without its payload, hashes bare. `depth` counts from the tip, which has 0. */
export function lineageStep(step: Step, depth: number): Answerable {
  if (step.kind === "unreadable") return { id: step.id, verified: false, chainValid: false, depth };
  const { commit } = step;
  return {
    id: commit.id,
    parentId: commit.parentId,
    fromAgent: commit.agentName,
    toAgent: commit.toAgentName,
    eventType: eventTypeOf(commit),
    agentInfo: agentInfoOf(commit),
    integrityHash: commit.chainHash,
    parentHash: commit.parentChainHash,
    branchKey: commit.branch,
    traceId: commit.trace,
    timestamp: commit.timestamp,
    verified: step.soundness.status === "valid" && step.fault === null,
    chainValid: step.soundness.chainHolds && step.linkHolds,
    depth,
  };
}

/** One step of a replay, from 1 at the root. */
export function replayStep(step: Step, isFull: boolean, around: PassportSurroundings): Answerable {
  const at = { step: step.index + 1, id: step.id, short_id: shortId(step.id) };
  if (step.kind === "unreadable")
    return { ...at, integrity: { chainValid: false }, payload: isFull ? null : undefined };
  const { commit } = step;
  const passport = passportIn(commit, step.soundness, around);
  return {
    ...at,
    eventType: eventTypeOf(commit),
    createdBy: passport.created_by,
    targetAgent: commit.toAgentName,
    integrity: { ...passport.integrity, chainValid: step.fault === null },
    timestamp: commit.timestamp,
    payload: isFull ? passport.payload : undefined,
    payload_pruned_at: passport.payload_pruned_at,
    fork_of: commit.forkOf ?? undefined,
    fork_point: commit.forkPoint ?? undefined,
    parent_id: commit.parentId,
    trace_id: commit.trace,
    branch_key: commit.branch,
    created_at: passport.created_at,
    assurance_level: passport.assurance_level,
    model: commit.model,
    agent_info: agentInfoOf(commit),
  };
}

/** A list whose items were written one by one. */
export const listOf = (texts: readonly string[]): RawJson => new RawJson(`[${texts.join()}]`);
