import { createDecipheriv } from "node:crypto";
import type { Json } from "@darkmatter/core";
import { type Outcome, ran } from "../outcome.ts";

interface EncryptedCase {
  readonly byokKey: string;
  readonly plaintext_utf8: string;
  readonly ciphertext_b64: string;
  readonly iv_b64: string;
  readonly auth_tag_b64: string;
}

const base64 = (text: string) => Buffer.from(text, "base64");

function decrypted(one: EncryptedCase): string {
  const decipher = createDecipheriv("aes-256-gcm", Buffer.from(one.byokKey, "hex"), base64(one.iv_b64));
  decipher.setAuthTag(base64(one.auth_tag_b64));
  return Buffer.concat([decipher.update(base64(one.ciphertext_b64)), decipher.final()]).toString("utf8");
}

/** Payloads encrypted under a key of the customer's own (ledger.md 3.10): opened byte for byte, or not at all. */
export async function* byok(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: EncryptedCase[] };
  for (const [at, one] of cases.entries()) {
    yield ran(`case ${at}`, (found) => {
      found.equal("plaintext", decrypted(one), one.plaintext_utf8);
      const tag = base64(one.auth_tag_b64);
      tag[0] = (tag[0] ?? 0) ^ 1;
      const altered = { ...one, auth_tag_b64: tag.toString("base64") };
      found.holds(
        "an altered tag is refused",
        throws(() => decrypted(altered)),
      );
    });
  }
}

function throws(body: () => unknown): boolean {
  try {
    body();
    return false;
  } catch {
    return true;
  }
}
