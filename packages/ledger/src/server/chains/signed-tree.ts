import { rootOf, type SignedCheckpoint, verifyNodeCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { allCovering, latestCheckpoint, witnessSignatures } from "../../checkpoints/checkpoints.store.ts";
import type { WitnessSignature } from "../../checkpoints/checkpoints.ts";
import { readTail } from "../../commits/commits.store.ts";
import { isDamage } from "../../damage.ts";
import { keyOf } from "../log/log-keys.ts";
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
  const keys = { current: logKey.agentId, former: formerLogKeys };
  const withSigner = async (checkpoint: SignedCheckpoint, signatures: readonly WitnessSignature[]) => {
    const key = keyOf(checkpoint, keys);
    const holds = key !== undefined && (await verifyNodeCheckpoint(checkpoint, key, verifier.verify));
    const coversTip = position < checkpoint.tree_size;
    return { checkpoint, signatures, signedBy: holds ? key : undefined, coversTip };
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
    if (isDamage(error)) return { size: 0, root: "" };
    throw error;
  }
}
