import { fromHex, type Random, sha256Hex, toHex } from "@darkmatter/core";

/** Peers in one game at most; a node has far fewer connections. */
export const PLAYERS_MAX = 100_000;
/** What fits into the four bytes of a commitment. */
const PICK_MAX = 2 ** 32 - 1;
const NONCE_BYTES = 32;
/** Longer nonces are nobody's. */
const NONCE_HEX_MAX = 256;

/** A number picked in secret, and what binds its picker to it. */
export interface SecretPick {
  readonly pick: number;
  readonly nonceHex: string;
  readonly commitment: string;
}

/** SHA-256 of the pick as 4 bytes big-endian, then the nonce (mesh.md 13). `undefined` for what cannot be picked. */
export function commitmentOf(pick: unknown, nonceHex: unknown): string | undefined {
  if (typeof pick !== "number" || !Number.isInteger(pick) || pick < 0 || pick > PICK_MAX) return undefined;
  if (typeof nonceHex !== "string" || nonceHex.length > NONCE_HEX_MAX) return undefined;
  const nonce = fromHex(nonceHex);
  if (!nonce) return undefined;
  const bytes = new Uint8Array(4 + nonce.length);
  new DataView(bytes.buffer).setUint32(0, pick);
  bytes.set(nonce, 4);
  return sha256Hex(bytes);
}

/** Whether a pick is the one committed to. Commitments are compared as text, nonces read in either case. */
export function isCommitted(commitment: string, pick: unknown, nonceHex: unknown): boolean {
  return commitmentOf(pick, nonceHex) === commitment;
}

/** A uniform pick from 0 to `n`, both included. */
export function drawPick(n: number, random: Random): SecretPick {
  const pick = random.integer(n + 1);
  const nonceHex = toHex(random.bytes(NONCE_BYTES));
  return { pick, nonceHex, commitment: commitmentOf(pick, nonceHex) ?? "" };
}

/** A pick somebody told, if it is a whole number from 0 to `n`. */
export function pickWithin(value: unknown, n: number): number | undefined {
  const isPick = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= n;
  return isPick ? value : undefined;
}

/** How many play, as a body says it; `undefined` for what is no such number. */
export function playersIn(value: unknown): number | undefined {
  const isCount = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= PLAYERS_MAX;
  return isCount ? value : undefined;
}

const COMMITMENT = /^[0-9a-f]{64}$/;
export const isCommitment = (value: unknown): value is string =>
  typeof value === "string" && COMMITMENT.test(value);
