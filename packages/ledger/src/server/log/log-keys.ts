import { parseTime } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { isNamedAfter, type SignedCheckpoint, verifyNodeCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { allCovering } from "../../checkpoints/checkpoints.store.ts";
import type { FormerLogKey } from "../ports.ts";
import { logError } from "./errors.ts";
import { lastSizeByTag } from "./log.store.ts";

/** The keys a log is signed with: one now, others before. */
export interface LogKeys {
  /** 64 hex. */
  readonly current: string;
  readonly former: readonly FormerLogKey[];
}

/** Of the log's keys the one that a checkpoint is named after and may be signed by; `undefined` when there is none. */
export function keyOf(checkpoint: SignedCheckpoint, { current, former }: LogKeys): string | undefined {
  if (isNamedAfter(checkpoint, current)) return current;
  return former.find(
    ({ publicKey, validUntil }) =>
      isNamedAfter(checkpoint, publicKey) &&
      (parseTime(checkpoint.timestamp) ?? 0) <= (parseTime(validUntil) ?? 0),
  )?.publicKey;
}

/** Whether the log signed a checkpoint, now or before. */
export async function isOfLog(
  checkpoint: SignedCheckpoint,
  keys: LogKeys,
  { verify }: Verifier,
): Promise<boolean> {
  const key = keyOf(checkpoint, keys);
  return key !== undefined && verifyNodeCheckpoint(checkpoint, key, verify);
}

/**
 * Whether this server may sign on: of every key that signed this log, the newest checkpoint is by one of its keys.
 * @throws LOG_KEY_WRONG
 */
export async function checkLogKeys(read: Read, keys: LogKeys, verifier: Verifier): Promise<void> {
  for (const size of await lastSizeByTag(read)) {
    const [newest] = await allCovering(read, size - 1, { limit: 1 });
    if (newest && !(await isOfLog(newest, keys, verifier)))
      throw logError("LOG_KEY_WRONG", wrongText(newest));
  }
}

function wrongText({ checkpoint_id, timestamp }: SignedCheckpoint): string {
  return `This server's log key did not sign the checkpoint ${checkpoint_id} of ${timestamp}, nor did a former one that was valid then.`;
}
