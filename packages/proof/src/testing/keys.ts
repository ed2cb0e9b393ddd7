import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fromHex, isAdmissibleKey, sha256Hex } from "@darkmatter/core";
import { isSignature } from "../forms.ts";
import type { VerifySignature } from "../signatures.ts";

/** An Ed25519 key of a test. */
export interface TestKey {
  /** Public, 64 hex. */
  readonly id: string;
  /** Lower-case hex. */
  sign(text: string): string;
}

/** DER of an Ed25519 private and public key up to the 32 bytes themselves (RFC 8410). */
const PKCS8_PREFIX = "302e020100300506032b657004220420";
const SPKI_PREFIX = "302a300506032b6570032100";

const der = (hex: string) => Buffer.from(hex, "hex");

/** The same name gives the same key. */
export function testKey(name: string): TestKey {
  const key = createPrivateKey({
    key: der(PKCS8_PREFIX + sha256Hex(`key of ${name}`)),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    id: spki.toString("hex").slice(SPKI_PREFIX.length),
    sign: (text) => sign(null, Buffer.from(text, "utf8"), key).toString("hex"),
  };
}

const keys = new Map<string, KeyObject>();

/** A port for tests, in line. */
export const verifyInline: VerifySignature = async (publicKeyHex, text, signatureHex) => {
  if (!isAdmissibleKey(publicKeyHex) || !isSignature(signatureHex)) return false;
  const known = keys.get(publicKeyHex);
  const key = known ?? createPublicKey({ key: der(SPKI_PREFIX + publicKeyHex), format: "der", type: "spki" });
  if (!known) keys.set(publicKeyHex, key);
  return verify(null, Buffer.from(text, "utf8"), key, fromHex(signatureHex) ?? new Uint8Array());
};

/** A port that asks another one only about what it was not asked before: most of a mutated bundle is as it was. */
export function remembering(ask: VerifySignature): VerifySignature {
  const known = new Map<string, Promise<boolean>>();
  return (publicKeyHex, text, signatureHex) => {
    const claim = `${publicKeyHex} ${signatureHex} ${text}`;
    const outcome = known.get(claim) ?? ask(publicKeyHex, text, signatureHex);
    if (!known.has(claim) && known.size < 20_000) known.set(claim, outcome);
    return outcome;
  };
}
