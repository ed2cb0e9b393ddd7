import type { JsonObject } from "@darkmatter/core";
import { consistencyProof, type ReadNode, type SignedCheckpoint, spkiPem } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints, WitnessSignature } from "../checkpoints/checkpoints.ts";
import { ledgerError } from "../errors.ts";

/** A checkpoint and who else signed it. */
export interface Covering {
  readonly checkpoint: SignedCheckpoint;
  readonly signatures: readonly WitnessSignature[];
}

/** Checkpoints looked through for one that somebody witnessed. */
const TRIED_MAX = 64;

/**
 * The checkpoint that a bundle up to a position stands under: the first that was witnessed, since only that one shows
 * the log to a third party; the first of all when none was. @throws CHECKPOINT_NEEDED
 */
export async function coveringOf(read: Read, checkpoints: Checkpoints, position: number): Promise<Covering> {
  const tried = await checkpoints.from(read, position, { limit: TRIED_MAX });
  for (const checkpoint of tried) {
    const signatures = await checkpoints.witnessSignatures(read, checkpoint.checkpoint_id);
    if (signatures.length > 0) return { checkpoint, signatures };
  }
  const [first] = tried;
  if (!first) throw ledgerError("CHECKPOINT_NEEDED");
  return { checkpoint: first, signatures: [] };
}

/** The checkpoint of a bundle, with its witnesses. */
export function coveringJson({ checkpoint, signatures }: Covering): JsonObject {
  return {
    ...checkpoint,
    witness_signatures: signaturesJson(signatures),
    witness_count: signatures.length,
  };
}

/** The earlier checkpoints that cover the chain's first commit, each with the proof that the log has only grown since. */
export async function consistencyOf(
  read: Read,
  checkpoints: Checkpoints,
  readNode: ReadNode,
  rootPosition: number,
  last: SignedCheckpoint,
): Promise<JsonObject[]> {
  const earlier = await checkpoints.from(read, rootPosition, { below: last.tree_size });
  const entries: JsonObject[] = [];
  for (const checkpoint of earlier) {
    const signatures = await checkpoints.witnessSignatures(read, checkpoint.checkpoint_id);
    entries.push({
      checkpoint: { ...checkpoint },
      witness_signatures: signaturesJson(signatures),
      proof: await consistencyProof(readNode, checkpoint.tree_size, last.tree_size),
    });
  }
  return entries;
}

function signaturesJson(signatures: readonly WitnessSignature[]): JsonObject[] {
  return signatures.map(({ witnessId, agentId, name, signature, witnessedAt }) => ({
    witness_id: witnessId,
    witness_name: name,
    witness_sig: signature,
    witnessed_at: witnessedAt,
    sig_valid: true,
    public_key_pem: spkiPem(agentId),
  }));
}
