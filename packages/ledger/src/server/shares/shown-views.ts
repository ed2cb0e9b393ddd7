import { prefixed } from "@darkmatter/proof";
import { millisecondsTime } from "../../times.ts";
import { eventTypeOf } from "../chains/views.ts";
import { envelopeOf, hashesOf, payloadIn } from "../commits/passport.ts";
import type { Answerable } from "../json-text.ts";
import type { NumberedStep, Shown } from "./shared-chain.ts";

/** A step of `GET /api/chain/:shareId` (ledger.md 3.12). */
export function replayStep({ number, step }: NumberedStep): Answerable {
  if (step.kind === "unreadable")
    return {
      step: number,
      id: step.id,
      unreadable: true,
      reason: step.fault.reason,
      integrity: { chainValid: false },
    };
  const { commit } = step;
  return {
    step: number,
    id: commit.id,
    eventType: eventTypeOf(commit),
    role: commit.role,
    model: commit.model,
    provider: commit.provider,
    agentName: commit.agentName,
    payload: payloadIn(commit, step.found),
    integrity: { ...hashesOf(commit), chainValid: step.fault === null },
    timestamp: millisecondsTime(commit.acceptedMs),
    isFork: commit.forkOf !== null,
    forkOf: commit.forkOf,
  };
}

/** A step of `GET /r/:id?format=json`, with everything that its hashes are made of. */
export function proofStep({ step }: NumberedStep): Answerable {
  if (step.kind === "unreadable") return { id: step.id, unreadable: true };
  const { commit } = step;
  return {
    id: commit.id,
    parent_id: commit.parentId,
    trace_id: commit.trace,
    branch_key: commit.branch,
    timestamp: commit.timestamp,
    recorded_at: millisecondsTime(commit.acceptedMs),
    event_type: commit.event,
    event_label: commit.label,
    agent_id: commit.agent,
    agent_name: commit.agentName,
    role: commit.role,
    model: commit.model,
    provider: commit.provider,
    ...hashesOf(commit),
    integrity_v2: { integrity_hash: prefixed(commit.integrityHash), envelope: { ...envelopeOf(commit) } },
    log_position: commit.position,
    leaf_hash: commit.leaf,
    payload: payloadIn(commit, step.found),
    payload_pruned_at: commit.prunedMs === null ? undefined : millisecondsTime(commit.prunedMs),
  };
}

/** What recomputing a step showed. */
export function verificationOf({ step }: NumberedStep): Answerable {
  const isReadable = step.kind === "readable";
  return {
    id: step.id,
    /** `null`: the payload was pruned. */
    payload_hash_verified: isReadable ? step.found.payloadHolds : false,
    chain_verified: isReadable && step.found.chainHolds && step.found.envelopeHolds,
    parent_link_verified: isReadable && step.linkHolds,
    in_log: isReadable && step.isInLog,
    reason: step.fault?.reason ?? null,
  };
}

/** Whether the answer leaves steps out, and where they begin. */
export const restOf = ({ nextStep }: Shown) => ({
  truncated: nextStep !== null,
  nextStep: nextStep ?? undefined,
});
