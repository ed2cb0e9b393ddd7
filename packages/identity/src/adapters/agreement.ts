import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { isAdmissibleKey } from "@darkmatter/core";
import { agreementKeyOf } from "../agreement-key.ts";

/** What stands before a raw X25519 key in PKCS#8 and SPKI (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
const KEY_BYTES = 32;
const INFO = "darkmatter-e2e-v1";

/** The X25519 key of an Ed25519 seed: the first half of its SHA-512, clamped where it is used (RFC 8032 5.1.5). */
export function agreementKey(seed: Uint8Array): KeyObject {
  const half = createHash("sha512").update(seed).digest().subarray(0, KEY_BYTES);
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, half]), format: "der", type: "pkcs8" });
}

/**
 * The secret only two agents know (RFC 7748); `undefined` for a key under which it would be no secret: one that is not
 * admissible, or makes it all zeros, which OpenSSL refuses.
 */
export function sharedSecret(own: KeyObject, publicKeyHex: string): Uint8Array | undefined {
  const bytes = isAdmissibleKey(publicKeyHex) ? agreementKeyOf(publicKeyHex) : undefined;
  if (!bytes) return undefined;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: "der", type: "spki" });
  try {
    return diffieHellman({ privateKey: own, publicKey: key });
  } catch {
    // The only error there is: the secret is all zeros.
    return undefined;
  }
}

/** HKDF-SHA256 without salt (RFC 5869; mesh.md 3.1). */
export function boxKey(secret: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), INFO, KEY_BYTES));
}
