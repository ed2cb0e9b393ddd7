import { leafHash } from "../chain.ts";
import {
  checkpointText,
  type SignedCheckpoint,
  verifyCheckpoint,
  verifyNodeCheckpoint,
} from "../checkpoint.ts";
import { witnessId } from "../keys.ts";
import { verifyConsistency, verifyInclusion } from "../merkle.ts";
import type { Bundle, EarlierCheckpoint, Step, WitnessSignature } from "./bundle-form.ts";
import { bareHash } from "./chain-phases.ts";
import { createContradictions } from "./contradictions.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

export function leavesPhase({ bundle }: PhaseContext): Phase {
  const tally = createTally("leaves", "leaf", "", "leaves");
  return {
    step: (step, at) => tally.judge(at, step.passport.id, leafReason(step, bundle.steps[at - 1])),
    report: tally.report,
  };
}

function leafReason({ passport, flat }: Step, before: Step | undefined): string | undefined {
  const { accepted_at, checkpoint_inclusion, inclusion_proof, leaf_hash, log_position } = flat._proof;
  const integrity_hash = bareHash(flat.integrity_hash);
  const indexes = [inclusion_proof.leaf_index, checkpoint_inclusion?.leaf_index ?? log_position];
  return firstReason(
    [
      leaf_hash === leafHash({ accepted_at, commit_id: passport.id, integrity_hash, log_position }),
      "the leaf is not this commit's",
    ],
    [!before || log_position > before.flat._proof.log_position, "it stands before its parent in the log"],
    [indexes.every((index) => index === log_position), "leaf_index is not log_position"],
  );
}

export function inclusionPhase({ bundle: { checkpoint } }: PhaseContext): Phase {
  const tally = createTally("inclusion", "step", "");
  return {
    step({ passport, flat }, at) {
      tally.judge(at, passport.id, inclusionReason(flat._proof, checkpoint));
      if (!checkpoint) tally.leftOut("under no signed checkpoint");
    },
    report: tally.report,
  };
}

function inclusionReason(
  proof: Step["flat"]["_proof"],
  checkpoint: Bundle["checkpoint"],
): string | undefined {
  const {
    checkpoint_inclusion: covered,
    inclusion_proof: own,
    leaf_hash: leaf,
    log_position,
    tree_root,
  } = proof;
  const isPlaced = own.tree_size === proof.tree_size && own.tree_size === log_position + 1;
  const inOwn = { leaf, index: own.leaf_index, size: own.tree_size, proof: own.proof, root: tree_root };
  if (!isPlaced) return "the proof is not of the tree right after this commit";
  if (!verifyInclusion(inOwn)) return "the proof does not lead to the tree after this commit";
  if (!covered || !checkpoint) return undefined;
  const isOfIt =
    covered.checkpoint_id === checkpoint.checkpoint_id &&
    covered.tree_size === checkpoint.tree_size &&
    covered.tree_root === checkpoint.tree_root;
  const { leaf_index: index, tree_size: size, tree_root: root } = covered;
  return firstReason(
    [isOfIt, "checkpoint_inclusion is of another checkpoint"],
    [
      verifyInclusion({ leaf, index, size, proof: covered.proof, root }),
      "the proof does not lead to the checkpoint",
    ],
  );
}

export function checkpointPhase({ bundle, signatures }: PhaseContext): Phase {
  const tally = createTally("checkpoint", "checkpoint", "no checkpoint covers the last step");
  const { checkpoint, node, server_pubkey, steps } = bundle;
  const verifyOwn = node ? verifyNodeCheckpoint : verifyCheckpoint;
  return {
    whole() {
      if (!checkpoint) return;
      const id = checkpoint.checkpoint_id;
      const tip = steps.at(-1)?.flat._proof.log_position ?? 0;
      if (tip >= checkpoint.tree_size) return tally.judge(0, id, "it does not cover the last step");
      signatures.startOther(async (verify) => {
        const valid = await verifyOwn(checkpoint, server_pubkey.public_key, verify);
        tally.judge(0, id, valid ? undefined : "its form or the log's signature does not hold");
      });
    },
    report: tally.report,
  };
}

export function witnessesPhase(context: PhaseContext): Phase {
  const tally = createTally("witnesses", "witness signature", "no witness signed the checkpoint");
  const { checkpoint } = context.bundle;
  return {
    *parts() {
      if (!checkpoint) return;
      const { witness_count, witness_signatures } = checkpoint;
      if (witness_count !== witness_signatures.length) {
        tally.judge(0, checkpoint.checkpoint_id, "witness_count is not the number of signatures");
      }
      yield* judgeWitnesses(context, checkpoint, witness_signatures, (at, witness, reason) =>
        tally.judge(1 + at, witness.witness_id, reason),
      );
    },
    report: tally.report,
  };
}

/** Judges the witness signatures under one checkpoint, and yields after each. */
function* judgeWitnesses(
  { bundle, signatures, findings }: PhaseContext,
  checkpoint: SignedCheckpoint,
  witnesses: readonly WitnessSignature[],
  judge: (at: number, witness: WitnessSignature, reason: string | undefined) => void,
): Generator<void> {
  const text = checkpointText(checkpoint);
  const seen = new Set<string>();
  for (const [at, witness] of witnesses.entries()) {
    const { public_key_pem: key, witness_id: id, witness_sig } = witness;
    const reason = firstReason(
      [id === witnessId(key), "the witness's id is not that of its key"],
      [!seen.has(id), "the witness is there twice"],
      [witness.sig_valid, "the exporter itself calls the signature invalid"],
      [key !== bundle.server_pubkey.public_key, "the log's own key is no witness"],
    );
    seen.add(id);
    if (reason !== undefined) judge(at, witness, reason);
    else
      signatures.start(key, text, witness_sig, (valid) => {
        if (valid) findings.witnessedUpTo = Math.max(findings.witnessedUpTo, checkpoint.tree_size);
        judge(at, witness, valid ? undefined : "the witness's signature does not hold");
      });
    yield;
  }
}

export function consistencyPhase(context: PhaseContext): Phase {
  const tally = createTally("consistency", "earlier checkpoint", "there is no earlier checkpoint");
  const { bundle, signatures } = context;
  const { checkpoint, node, server_pubkey, steps } = bundle;
  return {
    *parts() {
      const earlier = node?.consistency ?? [];
      const root = steps[0]!.flat._proof.log_position;
      const contradictions = createContradictions();
      for (const [at, entry] of earlier.entries()) {
        const id = entry.checkpoint.checkpoint_id;
        const next = earlier[at + 1]?.checkpoint ?? checkpoint;
        const reason = earlierReason(entry, next, checkpoint, root) ?? contradictions.add(entry.checkpoint);
        signatures.startOther(async (verify) => {
          const valid = await verifyNodeCheckpoint(entry.checkpoint, server_pubkey.public_key, verify);
          tally.judge(at, id, valid ? reason : "its form or the log's signature does not hold");
        });
        yield* judgeWitnesses(
          context,
          entry.checkpoint,
          entry.witness_signatures,
          (_, { witness_id }, wrong) => {
            if (wrong !== undefined) tally.judge(at, id, `${witness_id}: ${wrong}`);
          },
        );
        yield;
      }
      const last = checkpoint && earlier.length > 0 ? contradictions.add(checkpoint) : undefined;
      if (checkpoint && last !== undefined) tally.judge(earlier.length, checkpoint.checkpoint_id, last);
    },
    report: tally.report,
  };
}

/** @param next the checkpoint that comes after it; @param covering the bundle's own; @param root the first step's position */
function earlierReason(
  { checkpoint: earlier, proof }: EarlierCheckpoint,
  next: SignedCheckpoint | null,
  covering: SignedCheckpoint | null,
  root: number,
): string | undefined {
  if (!next || !covering) return "there is no checkpoint it could lead up to";
  const claim = {
    firstSize: earlier.tree_size,
    firstRoot: earlier.tree_root,
    secondSize: covering.tree_size,
    secondRoot: covering.tree_root,
    proof,
  };
  return firstReason(
    [earlier.tree_size > root, "it does not cover the first step"],
    [earlier.tree_size <= next.tree_size, "it is larger than the one after it"],
    [earlier.timestamp <= next.timestamp, "it is later than the one after it"],
    [verifyConsistency(claim), "the log was rewritten since: the consistency proof does not hold"],
  );
}
