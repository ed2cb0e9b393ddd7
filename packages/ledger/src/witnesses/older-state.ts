import { isJsonObject, type Json } from "@darkmatter/core";
import { type SignedCheckpoint, signedCheckpointOf, verifyNodeCheckpoint } from "@darkmatter/proof";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Log } from "../log/log.ts";
import type { LedgerPorts } from "../ports.ts";

/**
 * Finding out that this state is older than what its log showed to others: a backup was put back, or the key alone.
 * The next checkpoint could contradict one that a witness holds, and be proof of a split history for ever.
 */
export interface OlderState {
  /** The checkpoint that a witness says it signed last, if this log's key signed it. */
  ownCheckpoint(previous: Json | undefined): Promise<SignedCheckpoint | undefined>;
  /** Whether this log signed a checkpoint and no longer has what it covers; then nothing more is ever signed. */
  isOlderThan(signed: SignedCheckpoint): Promise<boolean>;
}

export function createOlderState(
  { db, signer, verifier, report }: Pick<LedgerPorts, "db" | "signer" | "verifier" | "report">,
  log: Log,
  checkpoints: Checkpoints,
): OlderState {
  async function isOfThisLog({ tree_size, tree_root, log_root }: SignedCheckpoint): Promise<boolean> {
    const head = await log.head(db);
    if (!head || head.size < tree_size) return false;
    const { treeRoot, logRoot } = await log.headAt(db, tree_size);
    return treeRoot === tree_root && logRoot === log_root;
  }

  return {
    async ownCheckpoint(previous) {
      const signed = isJsonObject(previous) ? signedCheckpointOf(previous) : undefined;
      if (!signed) return undefined;
      return (await verifyNodeCheckpoint(signed, signer.agentId, verifier.verify)) ? signed : undefined;
    },

    async isOlderThan(signed) {
      if (await isOfThisLog(signed)) return false;
      const isNews = await db.write((tx) => checkpoints.noteNewer(tx, signed));
      if (isNews) report("ledger.state_older", { checkpoint: signed.checkpoint_id, size: signed.tree_size });
      return true;
    },
  };
}
