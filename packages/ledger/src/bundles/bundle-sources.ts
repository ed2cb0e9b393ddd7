import { isNamedAfter, type SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { findEvidence, lastWitnessed } from "../witnesses/witnesses.store.ts";

/** Of an export: what this node last signed for a peer (docs/proof.md, section 3). */
interface Witnessed {
  readonly agent_id: string;
  readonly checkpoint: SignedCheckpoint;
  readonly witness_sig: string;
  readonly witnessed_at: string;
}

/** Of an export: two checkpoints of a peer that cannot both be true. */
interface Evidence {
  readonly agent_id: string;
  readonly first: SignedCheckpoint;
  readonly second: SignedCheckpoint;
}

/** What a bundle tells of the logs of the chain's peers. */
export interface BundleSources {
  /** The last checkpoint this node signed for each of these agents, in their order. */
  witnessed(read: Read, agentIds: readonly string[]): Promise<readonly Witnessed[]>;
  evidenceAbout(read: Read, agentIds: readonly string[]): Promise<readonly Evidence[]>;
}

/** What this node's own tables hold, of logs that name their checkpoints: a stranger cannot tell whose others are. */
export const storedSources: BundleSources = {
  async witnessed(read, agentIds) {
    const found = await Promise.all(agentIds.map((agentId) => lastWitnessed(read, agentId)));
    return found.flatMap((one) =>
      one && isNamedAfter(one.checkpoint, one.agentId)
        ? {
            agent_id: one.agentId,
            checkpoint: one.checkpoint,
            witness_sig: one.signature,
            witnessed_at: one.witnessedAt,
          }
        : [],
    );
  },

  async evidenceAbout(read, agentIds) {
    const found = await Promise.all(agentIds.map((agentId) => findEvidence(read, agentId)));
    return found.flatMap((one) =>
      one && [one.first, one.second].every((signed) => isNamedAfter(signed, one.agentId))
        ? { agent_id: one.agentId, first: one.first, second: one.second }
        : [],
    );
  },
};
