import { type Random, toHex } from "@darkmatter/core";

/** A commit's id: `ctx_<unix ms>_<12 hex>` (ledger.md 1.1). */
export function newCommitId(nowMs: number, random: Random): string {
  return `ctx_${Math.floor(nowMs)}_${toHex(random.bytes(6))}`;
}

/** With 8 hex, too, as other ledgers made them. */
export const COMMIT_ID = /^ctx_\d+_(?:[0-9a-f]{8}|[0-9a-f]{12})$/;

export function newAgentId(random: Random): string {
  return `dm_${toHex(random.bytes(8))}`;
}

/** 24 random bytes behind `dm_sk_`. Shown once, never stored. */
export function newApiKey(random: Random): string {
  return `dm_sk_${toHex(random.bytes(24))}`;
}

export const API_KEY = /^dm_sk_[0-9a-f]{48}$/;

/** What may be shown of a key: its first and last four characters. */
export function keyHint(key: string): string {
  return `${key.slice(0, 10)}${"\u2022".repeat(8)}${key.slice(-4)}`;
}
