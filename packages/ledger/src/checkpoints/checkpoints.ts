import { toHex } from "@darkmatter/core";
import { type Checkpoint, checkpointText, type SignedCheckpoint } from "@darkmatter/proof";
import type { Read, Write } from "@darkmatter/store";
import type { Log, LogHead } from "../log/log.ts";
import type { LedgerPorts } from "../ports.ts";
import { secondsTime } from "../times.ts";
import {
  allCovering,
  firstCovering,
  insertCheckpoint,
  latestCheckpoint,
  witnessSignatures,
} from "./checkpoints.store.ts";
import { checkpointError } from "./errors.ts";

export interface WitnessSignature {
  readonly witnessId: string;
  /** The witness's agent id: its key. */
  readonly agentId: string;
  readonly name: string | null;
  readonly signature: string;
  readonly witnessedAt: string;
}

export interface CheckpointBounds {
  /** Only those of fewer commits. */
  readonly below?: number;
  readonly limit?: number;
}

/** What this log signed about itself. */
export interface Checkpoints {
  /**
   * Signs the log as it is now, if it grew since the last one; the last one otherwise, or `undefined` when empty.
   * @throws LOG_REWRITTEN when the log no longer begins as the last checkpoint says
   */
  make(tx: Write): Promise<SignedCheckpoint | undefined>;
  latest(read: Read): Promise<SignedCheckpoint | undefined>;
  /** The first checkpoint that covers a position. */
  covering(read: Read, position: number): Promise<SignedCheckpoint | undefined>;
  /** All that cover a position, oldest first; of those, as few as are asked for: they are made by the minute. */
  from(read: Read, position: number, bounds?: CheckpointBounds): Promise<SignedCheckpoint[]>;
  /** The valid signatures of others under a checkpoint, by witness id. */
  witnessSignatures(read: Read, checkpointId: string): Promise<WitnessSignature[]>;
}

const ID_RANDOM_BYTES = 4;

export function createCheckpoints(
  { clock, random, signer }: Pick<LedgerPorts, "clock" | "random" | "signer">,
  log: Log,
): Checkpoints {
  function next(head: LogHead, previous: SignedCheckpoint | undefined): SignedCheckpoint {
    const nowMs = Math.floor(clock.now());
    const now = secondsTime(nowMs);
    const envelope: Checkpoint = {
      checkpoint_id: `cp_${nowMs}_${toHex(random.bytes(ID_RANDOM_BYTES))}`,
      log_position: head.size - 1,
      log_root: head.logRoot,
      previous_cp_id: previous?.checkpoint_id ?? null,
      previous_tree_root: previous?.tree_root ?? null,
      schema_version: "3",
      // A clock that was set back must not make the later checkpoint the earlier one.
      timestamp: previous && previous.timestamp > now ? previous.timestamp : now,
      tree_root: head.treeRoot,
      tree_size: head.size,
    };
    const server_sig = signer.sign(checkpointText(envelope));
    return { ...envelope, server_sig, position: envelope.log_position };
  }

  return {
    async make(tx) {
      const previous = await latestCheckpoint(tx);
      const head = await log.head(tx);
      if (previous) await refuseRewritten(tx, log, previous, head);
      if (!head || head.size === previous?.tree_size) return previous;
      const checkpoint = next(head, previous);
      await insertCheckpoint(tx, checkpoint);
      return checkpoint;
    },
    latest: latestCheckpoint,
    covering: firstCovering,
    from: allCovering,
    witnessSignatures,
  };
}

/** Two checkpoints that cannot both be true would be proof against us for ever: better none. */
async function refuseRewritten(
  tx: Write,
  log: Log,
  previous: SignedCheckpoint,
  head: LogHead | undefined,
): Promise<void> {
  if (!head || head.size < previous.tree_size) throw checkpointError("LOG_REWRITTEN");
  const { treeRoot, logRoot } = await log.headAt(tx, previous.tree_size);
  if (treeRoot !== previous.tree_root || logRoot !== previous.log_root)
    throw checkpointError("LOG_REWRITTEN");
}
