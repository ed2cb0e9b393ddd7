import { canon1, sha256Hex } from "@darkmatter/core";
import { verifyAttestation } from "../attestation.ts";
import {
  bare,
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  envelopeText,
  exportChainHash,
  prefixed,
} from "../chain.ts";
import type { Bundle, Step } from "./bundle-form.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import type { Passport } from "./step-form.ts";
import { createTally } from "./tally.ts";

/** The bare form of a hash whose form was checked. */
export const bareHash = (prefixedHash: string): string => bare(prefixedHash) ?? prefixedHash;

export function payloadsPhase(): Phase {
  const tally = createTally("payloads", "payload", "there is none");
  return {
    step({ passport: { id, payload, integrity } }, at) {
      if (payload === null) return tally.leftOut("pruned");
      const holds = integrity.payload_hash === prefixed(sha256Hex(canon1(payload)));
      tally.judge(at, id, holds ? undefined : "the payload is not the one that was hashed");
    },
    report: tally.report,
  };
}

export function chainPhase({ bundle }: PhaseContext): Phase {
  const tally = createTally("chain", "step", "");
  return {
    step: ({ passport }, at) => tally.judge(at, passport.id, linkReason(bundle, at)),
    whole() {
      const tip = bundle.steps.at(-1)!;
      const reason = summaryReason(bundle, tip);
      if (reason !== undefined) tally.judge(bundle.steps.length, tip.passport.id, reason);
    },
    report: tally.report,
  };
}

function linkReason({ steps, metadata, node }: Bundle, at: number): string | undefined {
  const { parent_id, integrity, lineage, trace_id, created_by } = steps[at]!.passport;
  const before = steps[at - 1]?.passport;
  const parentHash = before ? before.integrity.integrity_hash : null;
  const hash = chainHashV1(bareHash(integrity.payload_hash), parentHash && bareHash(parentHash));
  const agentId = node?.log.slice("mesh/".length);
  return firstReason(
    [
      integrity.integrity_hash === prefixed(hash),
      "the chain hash is not that of this payload after its parent",
    ],
    [parent_id === (before?.id ?? null), "parent_id is not the step before"],
    [integrity.parent_hash === parentHash, "parent_hash is not the hash of the step before"],
    [lineage.lineage_root === steps[0]!.passport.id, "lineage_root is not the first step"],
    // The agents of a team go on with each other's chains, and a fork has a trace of its own.
    [!node || trace_id === metadata.trace_id, "the step is of another trace"],
    [!node || created_by.agent_id === agentId, "the step is of another agent"],
    [!node || isOfItsTrace(steps[at]!.passport), "what was signed is of another trace"],
  );
}

/** A trace is no part of what an agent signs, but the message is, or the peer where there is none. */
function isOfItsTrace({ payload, trace_id }: Passport): boolean {
  return payload === null || (payload.get("message_id") ?? payload.get("peer")) === trace_id;
}

/** Whether `metadata` and `integrity` say what the steps are. */
function summaryReason(bundle: Bundle, { passport, flat }: Step): string | undefined {
  const { metadata, integrity, steps } = bundle;
  const root = steps[0]!;
  const chain = {
    chain_ids: steps.map((step) => step.passport.id),
    chain_length: steps.length,
    ctx_id: passport.id,
    lineage_root: root.passport.id,
    root_hash: root.passport.integrity.integrity_hash,
    tip_hash: passport.integrity.integrity_hash,
  };
  const { from, to } = integrity.timestamp_range;
  return firstReason(
    [metadata.ctx_id === chain.ctx_id, "metadata.ctx_id is not the last step"],
    [metadata.lineage_root === chain.lineage_root, "metadata.lineage_root is not the first step"],
    [metadata.trace_id === passport.trace_id, "metadata.trace_id is not the last step's"],
    [metadata.chain_length === chain.chain_length, "metadata.chain_length is not the number of steps"],
    [integrity.root_hash === chain.root_hash, "integrity.root_hash is not the first step's"],
    [integrity.tip_hash === chain.tip_hash, "integrity.tip_hash is not the last step's"],
    [integrity.chain_hash === exportChainHash(chain), "integrity.chain_hash is not that of these steps"],
    [
      from === root.flat.timestamp && to === flat.timestamp,
      "integrity.timestamp_range is not that of the steps",
    ],
  );
}

export function envelopesPhase({ bundle }: PhaseContext): Phase {
  const tally = createTally("envelopes", "envelope", "");
  return {
    step: (step, at) => tally.judge(at, step.passport.id, envelopeReason(step, bundle.steps[at - 1])),
    report: tally.report,
  };
}

function envelopeReason({ passport, flat }: Step, before: Step | undefined): string | undefined {
  const second = passport.integrity_v2;
  const parent = before ? bareHash(before.flat.integrity_hash) : null;
  const text = envelopeText(
    commitEnvelope({
      agentId: flat.agent_id,
      keyId: flat.key_id,
      timestamp: flat.timestamp,
      payloadHash: bareHash(flat.payload_hash),
      parentIntegrityHash: parent,
    }),
  );
  return firstReason(
    [flat.parent_integrity_hash === (parent ?? "root"), "the envelope does not name the step before"],
    [flat.integrity_hash === prefixed(chainHashV2(text)), "the commit's hash is not that of its envelope"],
    [canon1(second.envelope) === text, "integrity_v2.envelope differs from the commit's members"],
    [flat.payload_hash === passport.integrity.payload_hash, "two payload hashes of the step differ"],
    [flat.agent_id === passport.created_by.agent_id, "the envelope names another agent than created_by"],
    [
      second.payload_hash === flat.payload_hash &&
        second.integrity_hash === flat.integrity_hash &&
        second.parent_integrity_hash === flat.parent_integrity_hash &&
        second.key_id === flat.key_id,
      "integrity_v2 differs from the commit's members",
    ],
  );
}

export function attestationsPhase({ signatures, findings }: PhaseContext): Phase {
  const tally = createTally("attestations", "attestation", "there is none");
  return {
    step({ passport, flat }, at) {
      const { completeness_claim: completenessClaim, id, parent_id: parentId, payload } = passport;
      const { agent_id: agentId, client_attestation, metadata } = flat;
      if (!client_attestation) return;
      const commit = { agentId, completenessClaim, parentId, payload: payload ?? undefined, metadata };
      signatures.startOther(async (verify) => {
        const failure = await verifyAttestation(client_attestation, commit, verify);
        tally.judge(at, id, failure);
        if (failure === undefined) findings.attested.add(id);
      });
    },
    report: tally.report,
  };
}
