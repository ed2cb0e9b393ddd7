import type { JsonObject } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";

/** A message of another agent that was verified, as it lands on disk. */
export interface StoredMessage {
  readonly messageId: string;
  readonly from: string;
  readonly content: string;
  readonly metadata: JsonObject;
  readonly webhook: string;
  readonly hopsRemaining: number;
  /** Whether `from` is connected, and our score of it (0 without one). */
  readonly connected: boolean;
  readonly score: number;
  /** Broadcasts are remembered and never queued. */
  readonly broadcast: boolean;
  readonly receivedAtMs: number;
}

/**
 * What a part of the mesh does with a message in the message's own transaction, after its row is in: it reads and
 * writes through `tx` alone, and what takes longer starts after the commit. `undefined` when there is nothing to do,
 * which most messages should cost.
 */
export type OnStored = (tx: Write, message: StoredMessage) => Promise<void> | undefined;
