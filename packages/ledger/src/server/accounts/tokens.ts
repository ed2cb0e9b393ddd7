import { DAY_MS, HOUR_MS, type Random, toHex } from "@darkmatter/core";

export const ACCESS_LIFE_MS = HOUR_MS;
export const REFRESH_LIFE_MS = 90 * DAY_MS;

const TOKEN_BYTES = 32;

export const ACCESS_TOKEN = /^dm_at_[0-9a-f]{64}$/;

/** A session's tokens: shown once, to who logged in; kept as hashes. */
export interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

const newToken = (kind: string, random: Random) => `dm_${kind}_${toHex(random.bytes(TOKEN_BYTES))}`;

export function newTokens(random: Random): Tokens {
  return { access: newToken("at", random), refresh: newToken("rt", random) };
}

/** Sets a password, once. */
export function newResetToken(random: Random): string {
  return newToken("pr", random);
}
