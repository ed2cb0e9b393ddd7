import { DAY_MS, HOUR_MS, type Random, toHex } from "@darkmatter/core";

export const ACCESS_LIFE_MS = HOUR_MS;
export const REFRESH_LIFE_MS = 90 * DAY_MS;

const TOKEN_BYTES = 32;
const FAMILY_BYTES = 16;

export const ACCESS_TOKEN = /^dm_at_[0-9a-f]{64}$/;
const REFRESH_TOKEN = /^dm_rt_([0-9a-f]{32})[0-9a-f]{64}$/;

/** A session's tokens: shown once, to who logged in; kept as hashes. */
export interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

const newToken = (kind: string, random: Random, begin = "") =>
  `dm_${kind}_${begin}${toHex(random.bytes(TOKEN_BYTES))}`;

/**
 * What all refresh tokens of a session begin with, and only they: by it one that was spent is known without a list of
 * them. As secret as they are.
 */
export const newFamily = (random: Random): string => toHex(random.bytes(FAMILY_BYTES));

/** `undefined` for what is no refresh token. */
export const familyOf = (refreshToken: string): string | undefined => REFRESH_TOKEN.exec(refreshToken)?.[1];

export function newTokens(random: Random, family: string): Tokens {
  return { access: newToken("at", random), refresh: newToken("rt", random, family) };
}

/** Sets a password, once. */
export function newResetToken(random: Random): string {
  return newToken("pr", random);
}
