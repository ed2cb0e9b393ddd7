import { fromHex, sha256Hex, toHex } from "@darkmatter/core";
import { toBase64 } from "./base64.ts";
import { isHash } from "./forms.ts";

/** The DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410). */
const SPKI_PREFIX = "302a300506032b6570032100";
const HEAD = "-----BEGIN PUBLIC KEY-----\n";
const TAIL = "\n-----END PUBLIC KEY-----\n";
const BASE64 = /^[A-Za-z0-9+/]{59}=$/;
const BASE64_LENGTH = 60;

function spkiDer(publicKeyHex: string): Uint8Array {
  const der = isHash(publicKeyHex) ? fromHex(SPKI_PREFIX + publicKeyHex) : undefined;
  if (!der) throw new RangeError("not an Ed25519 public key in lower-case hex");
  return der;
}

/** `wit_` and the first 16 hex of H(SPKI DER of the witness's key). @throws RangeError for anything but 64 hex */
export function witnessId(publicKeyHex: string): string {
  return `wit_${sha256Hex(spkiDer(publicKeyHex)).slice(0, 16)}`;
}

/** An Ed25519 public key as SPKI PEM, with its last line feed. @throws RangeError for anything but 64 hex */
export function spkiPem(publicKeyHex: string): string {
  return HEAD + toBase64(spkiDer(publicKeyHex)) + TAIL;
}

/** The key, 64 hex, of a PEM exactly as `spkiPem` writes it; `undefined` for any other text. */
export function keyOfPem(pem: string): string | undefined {
  if (pem.length !== HEAD.length + BASE64_LENGTH + TAIL.length) return undefined;
  const base64 = pem.slice(HEAD.length, -TAIL.length);
  if (!BASE64.test(base64)) return undefined;
  const der = toHex(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  const key = der.slice(SPKI_PREFIX.length);
  // Written anew, so that unused bits, another prefix or other lines cannot hide in it.
  return isHash(key) && spkiPem(key) === pem ? key : undefined;
}
