import { toHex } from "./bytes.ts";
import type { Random } from "./random.ts";

/** Hex characters behind each prefix (mesh.md 2). */
const ID_HEX_CHARACTERS = {
  msg: 12,
  req: 8,
  ch: 16,
  disconnect: 12,
  shard: 12,
  pool: 12,
  pv: 12,
  at: 32,
  am: 12,
  dg: 12,
} as const;

export type IdPrefix = keyof typeof ID_HEX_CHARACTERS;

/** A fresh identifier such as `msg-1a0cdccd0c92`. */
export function newId(prefix: IdPrefix, random: Random): string {
  return `${prefix}-${toHex(random.bytes(ID_HEX_CHARACTERS[prefix] / 2))}`;
}

/** A random (version 4) UUID. */
export function newUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
