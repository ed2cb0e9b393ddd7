import { z } from "zod";
import { fromHex } from "./bytes.ts";

/** An Ed25519 public key as 64 lower-case hex characters: who an agent is (mesh.md 1). */
export const AgentId = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex characters");
export type AgentId = string;

/** The field's prime, 2^255 - 19 (RFC 8032 5.1). */
const P = (1n << 255n) - 19n;

/** y coordinates of the eight points of small order: 0, ±1, and the two pairs of order 8. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  P - 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

/**
 * Whether a public key may enter the system: 32 bytes, canonically encoded, not of small order.
 * OpenSSL takes small-order keys, under which one signature fits any message; RFC 8032 5.1.3 forbids y >= p.
 */
export function isAdmissibleKey(publicKeyHex: string): boolean {
  const bytes = publicKeyHex.length === 64 ? fromHex(publicKeyHex) : undefined;
  if (!bytes) return false;
  let y = 0n;
  for (let at = 31; at >= 0; at--)
    y = (y << 8n) | BigInt(at === 31 ? (bytes[at] ?? 0) & 0x7f : (bytes[at] ?? 0));
  return y < P && !SMALL_ORDER_Y.has(y);
}
