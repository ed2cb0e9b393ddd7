import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Random } from "@darkmatter/core";

const CIPHER = "chacha20-poly1305";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Secrets that have to be read again, such as those that sign what is sent to a webhook. */
export interface SealedSecrets {
  /** @param owner whom it belongs to: it can be opened for nobody else */
  seal(secret: string, owner: string): string;
  /** `undefined` for what was sealed with another key, for another owner, or changed. */
  open(sealed: string, owner: string): string | undefined;
}

/** ChaCha20-Poly1305 (RFC 8439), written as hex of nonce, ciphertext and tag. @param key 32 bytes */
export function sealedSecrets(key: Uint8Array, random: Random): SealedSecrets {
  const options = { authTagLength: TAG_BYTES };
  return {
    seal(secret, owner) {
      const nonce = random.bytes(NONCE_BYTES);
      const plain = Buffer.from(secret);
      const cipher = createCipheriv(CIPHER, key, nonce, options);
      cipher.setAAD(Buffer.from(owner), { plaintextLength: plain.byteLength });
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString(
        "hex",
      );
    },
    open(sealed, owner) {
      const bytes = Buffer.from(sealed, "hex");
      if (bytes.byteLength < NONCE_BYTES + TAG_BYTES) return undefined;
      const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), options);
      decipher.setAAD(Buffer.from(owner), { plaintextLength: body.byteLength });
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
      } catch {
        // The only error there is: the tag does not fit.
        return undefined;
      }
    },
  };
}
