import type { Clock } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { serverError } from "../errors.ts";
import {
  endSigningKey,
  findSigningKey,
  insertSigningKey,
  isRevokedSigningKey,
  type SigningKey,
  signingKeysOf,
} from "./signing-keys.store.ts";

/** What is held while keys change, so that of two who register one id the second sees the first. */
export const KEYS_LOCK = "ledger-keys";

/** Of an agent or an account, revoked ones among them: each of them is looked through, also for strangers. */
export const KEYS_MAX = 1000;

/** @throws invalid_request */
export function requireRoom(keys: number): void {
  if (keys >= KEYS_MAX) throw serverError("invalid_request", `There are ${KEYS_MAX} keys already.`);
}

export interface NewSigningKey {
  readonly keyId: string;
  /** 64 hex, admitted. */
  readonly publicKey: string;
  readonly description: string | null;
}

/**
 * Registers a key; one that is there already stays as it is. A revoked id never names a key again, nor is a revoked
 * key taken under another id. @throws key_conflict, invalid_request where there are too many
 */
export async function registerSigningKey(
  tx: Write,
  clock: Clock,
  account: number,
  wanted: NewSigningKey,
): Promise<{ readonly key: SigningKey; readonly isNew: boolean }> {
  await tx.lock(KEYS_LOCK);
  const known = await findSigningKey(tx, account, wanted.keyId);
  if (known) {
    if (known.status === "revoked" || known.publicKey !== wanted.publicKey) throw serverError("key_conflict");
    return { key: known, isNew: false };
  }
  if (await isRevokedSigningKey(tx, account, wanted.publicKey)) throw serverError("key_conflict");
  requireRoom((await signingKeysOf(tx, account)).length);
  const key: SigningKey = {
    ...wanted,
    createdMs: Math.floor(clock.now()),
    status: "active",
    revokedMs: null,
  };
  await insertSigningKey(tx, account, key);
  return { key, isNew: true };
}

/** Ends a key for good; a second time changes nothing. When it ended. @throws not_found */
export async function revokeSigningKey(
  tx: Write,
  clock: Clock,
  account: number,
  keyId: string,
): Promise<number> {
  await tx.lock(KEYS_LOCK);
  const key = await findSigningKey(tx, account, keyId);
  if (!key) throw serverError("not_found");
  if (key.revokedMs !== null) return key.revokedMs;
  const nowMs = Math.floor(clock.now());
  await endSigningKey(tx, account, keyId, nowMs);
  return nowMs;
}
