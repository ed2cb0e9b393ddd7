import { fromHex, sha256Hex } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import type { SignedCheckpoint } from "@darkmatter/proof";

/** Ed25519 in signed notes (C2SP signed-note). */
const ED25519 = 1;
const KEY_ID_CHARACTERS = 8;

/**
 * A checkpoint as C2SP tlog-checkpoint has it: origin, size and root, signed by the log's key as a signed note. No
 * checkpoint of ours can be taken for one: theirs begin with a brace.
 */
export function signedNote(
  { tree_size, tree_root }: Pick<SignedCheckpoint, "tree_size" | "tree_root">,
  origin: string,
  logKey: Signer,
): string {
  const text = `${origin}\n${tree_size}\n${base64Of(tree_root)}\n`;
  const named = Buffer.concat([
    Buffer.from(`${origin}\n`),
    Uint8Array.of(ED25519),
    fromHex(logKey.agentId) ?? new Uint8Array(),
  ]);
  const keyId = sha256Hex(named).slice(0, KEY_ID_CHARACTERS);
  return `${text}\n\u2014 ${origin} ${base64Of(keyId + logKey.sign(text))}\n`;
}

const base64Of = (hex: string) => Buffer.from(hex, "hex").toString("base64");
