import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read, Write } from "@darkmatter/store";

export interface WitnessSignature {
  readonly witnessId: string;
  /** The witness's agent id: its key. */
  readonly agentId: string;
  readonly name: string | null;
  readonly signature: string;
  readonly witnessedAt: string;
}

/** What this log signed about itself. */
export interface Checkpoints {
  /** Signs the log as it is now, if it grew since the last one; the last one otherwise, or `undefined` when empty. */
  make(tx: Write): Promise<SignedCheckpoint | undefined>;
  latest(read: Read): Promise<SignedCheckpoint | undefined>;
  /** The first checkpoint that covers a position. */
  covering(read: Read, position: number): Promise<SignedCheckpoint | undefined>;
  /** All that cover a position, oldest first. */
  from(read: Read, position: number): Promise<SignedCheckpoint[]>;
  /** The valid signatures of others under a checkpoint, by witness id. */
  witnessSignatures(read: Read, checkpointId: string): Promise<WitnessSignature[]>;
}
