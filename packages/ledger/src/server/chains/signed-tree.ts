import { DarkMatterError } from "@darkmatter/core";
import { rootOf, type SignedCheckpoint, verifyCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { WitnessSignature } from "../../checkpoints/checkpoints.ts";
import { allCovering, latestCheckpoint, witnessSignatures } from "../../checkpoints/checkpoints.store.ts";
import { readTail } from "../../commits/commits.store.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { Anchor } from "./chain-step.ts";

/** The checkpoint that speaks for a chain. */
export interface CoveringCheckpoint {
  readonly checkpoint: SignedCheckpoint;
  readonly signatures: readonly WitnessSignature[];
  /** The log's key that signed it, 64 hex; `undefined` where none of this log's did. */
  readonly signedBy: string | undefined;
  /** Whether the chain's last commit is under it. */
  readonly coversTip: boolean;
}

/** Checkpoints looked through for one that somebody witnessed. */
const TRIED_MAX = 64;

/**
 * The first witnessed checkpoint that covers a position, since only that one shows the log to a third party; the first
 * of all when none was; the newest there is when none covers it.
 */
export async function coveringCheckpoint(
  read: Read,
  { logKey, formerLogKeys, verifier }: Pick<LedgerServerPorts, "logKey" | "formerLogKeys" | "verifier">,
  position: number,
): Promise<CoveringCheckpoint | undefined> {
  const keys = [logKey.agentId, ...formerLogKeys.map(({ publicKey }) => publicKey)];
  const withSigner = async (checkpoint: SignedCheckpoint, signatures: readonly WitnessSignature[]) => {
    const coversTip = position < checkpoint.tree_size;
    for (const key of keys) {
      if (await verifyCheckpoint(checkpoint, key, (...signed) => verifier.verify(...signed)))
        return { checkpoint, signatures, signedBy: key, coversTip };
    }
    return { checkpoint, signatures, signedBy: undefined, coversTip };
  };
  const tried = await allCovering(read, position, { limit: TRIED_MAX });
  for (const checkpoint of tried) {
    const signatures = await witnessSignatures(read, checkpoint.checkpoint_id);
    if (signatures.length > 0) return withSigner(checkpoint, signatures);
  }
  const chosen = tried[0] ?? (await latestCheckpoint(read));
  return chosen && withSigner(chosen, await witnessSignatures(read, chosen.checkpoint_id));
}

/** The log as it now is. Nothing is in it where its end cannot be read. */
export async function presentTree(read: Read): Promise<Anchor> {
  try {
    const { size, frontier } = await readTail(read);
    return { size, root: rootOf(frontier) };
  } catch (error) {
    if (error instanceof DarkMatterError) return { size: 0, root: "" };
    throw error;
  }
}
