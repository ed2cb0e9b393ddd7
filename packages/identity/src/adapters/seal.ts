import { createCipheriv, createDecipheriv, scrypt } from "node:crypto";
import { promisify } from "node:util";

const CIPHER = "chacha20-poly1305";
const KEY_BYTES = 32;
const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

/** RFC 7914; memory in bytes is 128 · n · r. */
export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

const deriveKey = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

/** The key of a passphrase. It is normalised first: keyboards differ in how they compose letters. */
export function keyOfPassphrase(
  passphrase: string,
  salt: Uint8Array,
  { n, r, p }: ScryptCost,
): Promise<Uint8Array> {
  const maxmem = 128 * n * r + 128 * r * p + 1024 * 1024;
  return deriveKey(passphrase.normalize("NFKC"), salt, KEY_BYTES, { N: n, r, p, maxmem });
}

interface Sealing {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

/** ChaCha20-Poly1305 (RFC 8439); the tag is appended. */
export function seal(plain: Uint8Array, { key, nonce }: Sealing): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** `undefined` when key, nonce or a byte is not what it was. */
export function unseal(sealed: Uint8Array, { key, nonce }: Sealing): Uint8Array | undefined {
  const body = sealed.subarray(0, -TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    // The only error there is: the tag does not fit.
    return undefined;
  }
}
