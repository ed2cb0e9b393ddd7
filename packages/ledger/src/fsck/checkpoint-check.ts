import type { Verifier } from "@darkmatter/identity";
import {
  checkpointText,
  type SignedCheckpoint,
  signedCheckpointOf,
  verifyNodeCheckpoint,
  witnessId,
} from "@darkmatter/proof";
import type { WitnessSignature } from "../checkpoints/checkpoints.ts";
import type { ProblemKind } from "./report.ts";
import type { TreeWalk } from "./tree-walk.ts";

/** A checkpoint and all it has to agree with. */
export interface CheckpointFacts {
  readonly signed: SignedCheckpoint;
  /** The one before it; `undefined` for the first. */
  readonly previous: SignedCheckpoint | undefined;
  readonly signatures: readonly WitnessSignature[];
  /** The log when it had that size; `undefined` when it never had. */
  readonly log: Pick<TreeWalk, "treeRoot" | "logRoot"> | undefined;
}

/** What is wrong with a checkpoint of this node's log. */
export async function checkpointProblems(
  { signed, previous, signatures, log }: CheckpointFacts,
  agentId: string,
  verifier: Verifier,
): Promise<ProblemKind[]> {
  const problems: ProblemKind[] = [];
  const verify = verifier.verify.bind(verifier);
  const isOurs = signedCheckpointOf({ ...signed }) && (await verifyNodeCheckpoint(signed, agentId, verify));
  if (!isOurs || !follows(signed, previous)) problems.push("checkpoint");
  if (!log || !agrees(signed, log)) problems.push("checkpoint_root");
  const text = checkpointText(signed);
  for (const { witnessId: id, agentId: key, signature } of signatures) {
    const isTheirs = await verify(key, text, signature);
    if (!isTheirs || id !== witnessId(key)) problems.push("witness_signature");
  }
  return problems;
}

function follows(signed: SignedCheckpoint, previous: SignedCheckpoint | undefined): boolean {
  return (
    signed.previous_cp_id === (previous?.checkpoint_id ?? null) &&
    signed.previous_tree_root === (previous?.tree_root ?? null) &&
    (!previous || (signed.timestamp >= previous.timestamp && signed.tree_size > previous.tree_size))
  );
}

/** What cannot be read was counted where it lies, and disagrees with nothing here. */
function agrees(
  signed: SignedCheckpoint,
  { treeRoot, logRoot }: Pick<TreeWalk, "treeRoot" | "logRoot">,
): boolean {
  return (
    (treeRoot === undefined || treeRoot === signed.tree_root) &&
    (logRoot === undefined || logRoot === signed.log_root)
  );
}
