import { parseJson } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { type SignedCheckpoint, signedCheckpointOf } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { readTail } from "../../commits/commits.store.ts";
import type { Log } from "../../log/log.ts";
import type { LogMemory } from "../ports.ts";
import { logError } from "./errors.ts";
import { isOfLog, keyOf, type LogKeys } from "./log-keys.ts";
import { oneAtATime } from "./one-at-a-time.ts";

/**
 * The newest checkpoint that a home knows of its log, kept apart from the database: one that was emptied, or put back
 * from an older copy, says nothing about that by itself, and would be signed a second time by the same key.
 */
export interface Remembered {
  /** @throws LOG_MEMORY_DAMAGED, LOG_KEY_WRONG */
  load(): Promise<void>;
  /** Whether the log is the one that is remembered, or has grown from it. @throws LOG_OLDER, LOG_DIFFERS */
  requireIn(read: Read): Promise<void>;
  /** Remembers a checkpoint that is in the database for good, unless a later one is remembered. */
  note(checkpoint: SignedCheckpoint): Promise<void>;
}

export interface RememberedPorts {
  readonly memory: LogMemory | undefined;
  readonly keys: LogKeys;
  readonly verifier: Verifier;
}

export function createRemembered({ memory, keys, verifier }: RememberedPorts, log: Log): Remembered {
  /** What lies in the memory. */
  let held: SignedCheckpoint | undefined;
  let newest: SignedCheckpoint | undefined;

  const keep = oneAtATime(async () => {
    if (!memory || !newest || newest.tree_size <= (held?.tree_size ?? 0)) return;
    const keeping = newest;
    await memory.replace(`${JSON.stringify(keeping)}\n`);
    held = keeping;
  });

  return {
    async load() {
      const text = await memory?.read();
      if (memory === undefined || text === undefined) return;
      const found = signedCheckpointOf(parseJson(text) ?? null);
      if (!found) throw logError("LOG_MEMORY_DAMAGED", `${memory.place} holds no signed checkpoint.`);
      if (keyOf(found, keys) === undefined)
        throw logError(
          "LOG_KEY_WRONG",
          `This home is that of a log that another key signed: ${found.checkpoint_id} in ${memory.place}.`,
        );
      if (!(await isOfLog(found, keys, verifier)))
        throw logError("LOG_MEMORY_DAMAGED", `The signature in ${memory.place} does not hold.`);
      held = found;
    },

    async requireIn(read) {
      if (!held) return;
      const { tree_size, tree_root, log_root, timestamp } = held;
      const { size } = await readTail(read);
      const signed = `This log's key signed ${tree_size} commits at ${timestamp}`;
      if (size < tree_size) throw logError("LOG_OLDER", `${signed}; the log has ${size}.`);
      const head = await log.headAt(read, tree_size);
      if (head.treeRoot !== tree_root || head.logRoot !== log_root)
        throw logError("LOG_DIFFERS", `${signed}; the first ${tree_size} of this log are others.`);
    },

    async note(checkpoint) {
      if (checkpoint.tree_size > (newest?.tree_size ?? 0)) newest = checkpoint;
      if ((newest?.tree_size ?? 0) > (held?.tree_size ?? 0)) await keep();
    },
  };
}
