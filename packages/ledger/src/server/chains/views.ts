import { millisecondsTime } from "../../times.ts";
import type { StoredCommit } from "../commits/commit.ts";
import { passportOf, type Soundness } from "../commits/passport.ts";
import { type Answerable, RawJson } from "../json-text.ts";
import { assuranceOf, type LogStanding } from "./assurance.ts";
import type { ReadableStep, Step, UnreadableStep } from "./chain-step.ts";
import type { SignatureFinding } from "./client-proofs.ts";
import type { CoveringCheckpoint } from "./signed-tree.ts";

/** What all passports of one answer have in common. */
export interface PassportSurroundings {
  readonly baseUrl: string;
  readonly nowMs: number;
  readonly standing: LogStanding;
}

/** What was found of a commit, as far as it was looked at. */
export type PassportFacts = Soundness & {
  /** Found by looking again, but for a commit that was accepted just now. */
  readonly isClientSigned: boolean;
  readonly isInLog?: boolean;
  readonly signature?: SignatureFinding;
};

/** A commit's passport, as of now. */
export function passportIn(
  commit: StoredCommit,
  found: PassportFacts,
  { baseUrl, nowMs, standing }: PassportSurroundings,
) {
  const { isClientSigned, isInLog = true } = found;
  const isSound = found.status !== "broken";
  const { signature } = found;
  return passportOf(commit, {
    baseUrl,
    soundness: found,
    signatureStatus: signature?.holds === false ? signature.result : commit.claims.signatureStatus,
    verifiedAtMs: nowMs,
    assurance: assuranceOf(commit, { isSound, isClientSigned, isInLog }, standing),
  });
}

/** A step's passport: of a commit whose way to the root of the log was followed. */
export const stepPassport = ({ commit, found, isInLog }: ReadableStep, around: PassportSurroundings) =>
  passportIn(commit, { ...found, isInLog }, around);

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
  const { found } = step;
  return {
    id: step.id,
    payload_ok: found.payloadHolds,
    chain_ok: found.chainHolds,
    envelope_ok: found.envelopeHolds,
    link_ok: step.linkHolds,
    signature: found.signature.result,
    attestation: found.attestation === undefined ? undefined : (found.attestation ?? "valid"),
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
  if (step.kind === "unreadable")
    return { id: step.id, verified: false, chainValid: false, reason: step.fault.reason, depth };
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
    verified: step.found.status === "valid" && step.fault === null,
    chainValid: step.found.chainHolds && step.linkHolds,
    depth,
  };
}

/** What is said of a row that can no longer be read, beside its id. */
export function unreadableRow(
  { position, fault }: Pick<UnreadableStep, "position" | "fault">,
  { nowMs }: Pick<PassportSurroundings, "nowMs">,
) {
  return {
    log_position: position,
    valid: false,
    unreadable: true,
    reason: fault.reason,
    integrity: {
      verification_status: "broken",
      verification_reason: fault.reason,
      verified_at: millisecondsTime(nowMs),
      chainValid: false,
    },
  };
}

/** One step of a replay, from 1 at the root. */
export function replayStep(step: Step, isFull: boolean, around: PassportSurroundings): Answerable {
  const at = { step: step.index + 1, id: step.id, short_id: shortId(step.id) };
  if (step.kind === "unreadable")
    return { ...at, ...unreadableRow(step, around), payload: isFull ? null : undefined };
  const { commit } = step;
  const passport = stepPassport(step, around);
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
