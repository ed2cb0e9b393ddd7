import { type Checkpoint, checkpointTag, checkpointText, type SignedCheckpoint } from "@darkmatter/proof";
import type { Read, Write } from "@darkmatter/store";
import { lockLog } from "../log/append.ts";
import type { Log, LogHead } from "../log/log.ts";
import type { LedgerPorts } from "../ports.ts";
import { secondsTime } from "../times.ts";
import {
  allCovering,
  firstCovering,
  insertCheckpoint,
  insertNewer,
  latestCheckpoint,
  readNewer,
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
   * @throws LOG_REWRITTEN when the log no longer begins as the last checkpoint says, STATE_OLDER when others have a
   * later one of it
   */
  make(tx: Write): Promise<SignedCheckpoint | undefined>;
  latest(read: Read): Promise<SignedCheckpoint | undefined>;
  /** What others showed that this log signed and no longer has: its state was put back from an older one. */
  newer(read: Read): Promise<SignedCheckpoint | undefined>;
  /** Keeps that; whether it is news. */
  noteNewer(tx: Write, signed: SignedCheckpoint): Promise<boolean>;
  /** The first checkpoint that covers a position. */
  covering(read: Read, position: number): Promise<SignedCheckpoint | undefined>;
  /** All that cover a position, oldest first; of those, as few as are asked for: they are made by the minute. */
  from(read: Read, position: number, bounds?: CheckpointBounds): Promise<SignedCheckpoint[]>;
  /** The valid signatures of others under a checkpoint, by witness id. */
  witnessSignatures(read: Read, checkpointId: string): Promise<WitnessSignature[]>;
}

export function createCheckpoints(
  { clock, signer }: Pick<LedgerPorts, "clock" | "signer">,
  log: Log,
): Checkpoints {
  function next(head: LogHead, previous: SignedCheckpoint | undefined): SignedCheckpoint {
    const nowMs = Math.floor(clock.now());
    const now = secondsTime(nowMs);
    // Two of one name would be evidence against this log, so no clock may repeat one.
    const idMs = Math.max(nowMs, previous ? idMsOf(previous) + 1 : 0);
    const envelope: Checkpoint = {
      checkpoint_id: `cp_${idMs}_${checkpointTag(signer.agentId)}`,
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
      // Two processes that make one at once would sign one size twice.
      await lockLog(tx);
      const newer = await readNewer(tx);
      if (newer) throw checkpointError("STATE_OLDER", olderText(newer));
      const previous = await latestCheckpoint(tx);
      const head = await log.head(tx);
      if (previous) await refuseRewritten(tx, log, previous, head);
      if (!head || head.size === previous?.tree_size) return previous;
      const checkpoint = next(head, previous);
      await insertCheckpoint(tx, checkpoint);
      return checkpoint;
    },
    latest: latestCheckpoint,
    newer: readNewer,
    noteNewer: insertNewer,
    covering: firstCovering,
    from: allCovering,
    witnessSignatures,
  };
}

const idMsOf = ({ checkpoint_id }: Checkpoint): number => Number(checkpoint_id.split("_")[1]);

function olderText({ tree_size, timestamp }: SignedCheckpoint): string {
  return `This state is older than its log: a witness holds ${tree_size} commits of it, signed ${timestamp}, that are not all here.`;
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
