import { signedCheckpointOf } from "../checkpoint.ts";
import { isHash, isSeconds, isSignature } from "../forms.ts";
import { keyOfPem } from "../keys.ts";
import { Mismatch, pattern, type Read, text, textOf } from "./reader.ts";

/** The forms that several members of a bundle share (docs/proof.md section 3). */

export const hash = textOf("64 lower-case hex characters", isHash);
export const prefixedHash = pattern("sha256: and 64 lower-case hex characters", /^sha256:[0-9a-f]{64}$/);
export const hashOrRoot = pattern("64 lower-case hex characters or root", /^(?:[0-9a-f]{64}|root)$/);
export const signature = textOf("128 lower-case hex characters", isSignature);
export const seconds = textOf("a time in seconds, YYYY-MM-DDTHH:MM:SSZ", isSeconds);
export const commitId = pattern("the id of a commit", /^ctx_[0-9]+_(?:[0-9a-f]{12}|[0-9a-f]{8})$/);

/** The hex of the key that a PEM holds. A node's bundle repeats one PEM in every step: the last is remembered. */
export const pemKey: Read<string> = (value) => {
  const pem = text(value);
  if (pem !== lastPem.pem) {
    const key = keyOfPem(pem);
    if (key === undefined) throw new Mismatch("is not the PEM of an Ed25519 public key");
    lastPem = { pem, key };
  }
  return lastPem.key;
};
let lastPem = { pem: "", key: "" };

/** A signed checkpoint; `beside` names what else the object may hold. */
export const signedCheckpoint =
  (...beside: readonly string[]): Read<NonNullable<ReturnType<typeof signedCheckpointOf>>> =>
  (value) => {
    if (value === undefined) throw new Mismatch("is missing");
    const signed = signedCheckpointOf(value, beside);
    if (!signed) throw new Mismatch("is not a signed checkpoint");
    return signed;
  };
