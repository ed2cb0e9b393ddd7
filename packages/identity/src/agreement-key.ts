import { fromHex } from "@darkmatter/core";

/** The field's prime, 2^255 - 19. */
const P = (1n << 255n) - 19n;

/**
 * The X25519 form of an Ed25519 public key, 32 bytes: u = (1 + y) / (1 - y), the sign of x left out (RFC 7748 4.1).
 * `undefined` for what is no key, and for y = 1, which has none.
 */
export function agreementKeyOf(publicKeyHex: string): Uint8Array | undefined {
  const bytes = publicKeyHex.length === 64 ? fromHex(publicKeyHex) : undefined;
  if (!bytes) return undefined;
  bytes[31] = (bytes[31] as number) & 0x7f;
  const y = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % P;
  if (y === 1n) return undefined;
  const u = ((1n + y) * inverse((P + 1n - y) % P)) % P;
  return Uint8Array.from({ length: 32 }, (_, at) => Number((u >> BigInt(8 * at)) & 0xffn));
}

/** By Fermat: x^(p-2). */
function inverse(x: bigint): bigint {
  let result = 1n;
  let base = x;
  for (let left = P - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % P;
    base = (base * base) % P;
  }
  return result;
}
