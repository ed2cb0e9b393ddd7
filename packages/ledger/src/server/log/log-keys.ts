import { parseTime } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { isNamedAfter, type SignedCheckpoint, verifyNodeCheckpoint } from "@darkmatter/proof";
import type { Read, Write } from "@darkmatter/store";
import { allCovering, latestCheckpoint } from "../../checkpoints/checkpoints.store.ts";
import { lockLog } from "../../log/append.ts";
import type { FormerLogKey } from "../ports.ts";
import { logError } from "./errors.ts";
import { insertLogKey, keysOfLog, lastSizeByTag } from "./log.store.ts";

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

/**
 * Takes the log for the key it has now, under the lock of whoever signs: of two keys that come to a new log at once the
 * second finds the first.
 * @throws LOG_KEY_WRONG
 */
export async function takeLog(tx: Write, keys: LogKeys, nowMs: number): Promise<void> {
  await lockLog(tx);
  await requireOwnLog(tx, keys);
  await insertLogKey(tx, keys.current, nowMs);
}

/** Whether every key that took this log is one of these, and the newest checkpoint is by one. @throws LOG_KEY_WRONG */
export async function requireOwnLog(read: Read, keys: LogKeys): Promise<void> {
  const known = new Set([keys.current, ...keys.former.map(({ publicKey }) => publicKey)]);
  const stranger = (await keysOfLog(read)).find((key) => !known.has(key));
  if (stranger !== undefined)
    throw logError("LOG_KEY_WRONG", `This log is that of the key ${stranger}, not of ${keys.current}.`);
  const newest = await latestCheckpoint(read);
  if (newest && keyOf(newest, keys) === undefined) throw logError("LOG_KEY_WRONG", wrongText(newest));
}

/** What is known of a log without its key. */
export interface SignedLog {
  /** The key that took it last, 64 hex; `undefined` in a log that is older than this record of its keys. */
  readonly publicKey: string | undefined;
  /** When it was last signed; `undefined` before. */
  readonly signedAt: string | undefined;
}

/** Whose log a database holds; `undefined` while it is nobody's. */
export async function signedLog(read: Read): Promise<SignedLog | undefined> {
  const publicKey = (await keysOfLog(read)).at(-1);
  const signedAt = (await latestCheckpoint(read))?.timestamp;
  return publicKey === undefined && signedAt === undefined ? undefined : { publicKey, signedAt };
}

function wrongText({ checkpoint_id, timestamp }: SignedCheckpoint): string {
  return `This server's log key did not sign the checkpoint ${checkpoint_id} of ${timestamp}, nor did a former one that was valid then.`;
}
