import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";

/** DER in front of a raw Ed25519 public key. */
const SPKI_PREFIX = "302a300506032b6570032100";
const KEY_BYTES = 32;

export interface Key {
  readonly agentId: string;
  /** Signs lines joined by LF; hex. */
  sign(...lines: readonly string[]): string;
}

export function newKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    agentId: publicKey.export({ format: "der", type: "spki" }).subarray(-KEY_BYTES).toString("hex"),
    sign: (...lines) => sign(null, Buffer.from(lines.join("\n"), "utf8"), privateKey).toString("hex"),
  };
}

/** Whether a signature over LF-joined lines is that of the key an agent id is. */
export function isSignedBy(agentId: string, lines: readonly string[], signatureHex: unknown): boolean {
  if (!/^[0-9a-f]{64}$/.test(agentId) || typeof signatureHex !== "string") return false;
  const der = Buffer.from(SPKI_PREFIX + agentId, "hex");
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return verify(null, Buffer.from(lines.join("\n"), "utf8"), key, Buffer.from(signatureHex, "hex"));
}
