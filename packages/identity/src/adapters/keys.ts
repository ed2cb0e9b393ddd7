import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { fromHex, isAdmissibleKey, toHex } from "@darkmatter/core";
import { identityError } from "../errors.ts";
import type { Signer } from "../signer.ts";
import { agreementKey, sharedSecret } from "./agreement.ts";

export const SEED_BYTES = 32;

/** What stands before a raw Ed25519 seed or public key in PKCS#8 and SPKI (RFC 8410; mesh.md 1). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/**
 * The key object of a public key (64 lower-case hex characters); `undefined` for one that may not enter the system,
 * whatever this OpenSSL thinks of it: 3.0 verifies under keys of small order, 3.5.8 does not. Costs as much as a
 * verification: keep it.
 */
export function admittedKey(publicKeyHex: string): KeyObject | undefined {
  const bytes = isAdmissibleKey(publicKeyHex) ? fromHex(publicKeyHex) : undefined;
  return bytes && createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: "der", type: "spki" });
}

/** The signer of an Ed25519 seed: 32 bytes, or their hex in either case. @throws SEED_INVALID */
export function createSigner(seed: Uint8Array | string): Signer {
  const bytes = typeof seed === "string" ? fromHex(seed) : seed;
  if (bytes?.length !== SEED_BYTES) throw identityError("SEED_INVALID");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, bytes]), format: "der", type: "pkcs8" });
  // Few agents ever need it: a node without anchors never does.
  let agreeing: KeyObject | undefined;
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    agentId: toHex(spki.subarray(SPKI_PREFIX.length)),
    sign: (text) => sign(null, Buffer.from(text, "utf8"), key).toString("hex"),
    agree(publicKeyHex) {
      agreeing ??= agreementKey(bytes);
      return sharedSecret(agreeing, publicKeyHex);
    },
    derive: (label) => createHash("sha256").update(bytes).update(label, "utf8").digest(),
  };
}
