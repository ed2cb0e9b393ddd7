import {
  fromHex,
  isJsonObject,
  type Json,
  type JsonObject,
  parseJson,
  type Random,
  toHex,
  utf8,
} from "@darkmatter/core";
import { boxKey } from "./adapters/agreement.ts";
import { NONCE_BYTES, seal, unseal } from "./adapters/seal.ts";
import { identityError } from "./errors.ts";
import type { Signer } from "./signer.ts";

/** A text only its recipient and its sender can read (mesh.md 3.1); hex, as it travels. */
export interface SealedBox {
  readonly nonce: string;
  /** ChaCha20-Poly1305, the tag appended. */
  readonly ciphertext: string;
  readonly sender_public_key_hex: string;
}

/** A sealed JSON object as an anchor carries it. */
export interface SealedEnvelope {
  readonly e2e_encrypted: true;
  readonly encrypted_payload: SealedBox;
  readonly from_agent_id: string;
}

const TAG_BYTES = 16;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Seals a text for the holder of `to`. @throws RECIPIENT_REFUSED for a key nobody can hold */
export function sealBox(signer: Signer, to: string, plaintext: string, random: Random): SealedBox {
  const secret = signer.agree(to);
  if (!secret) throw identityError("RECIPIENT_REFUSED");
  const nonce = random.bytes(NONCE_BYTES);
  return {
    nonce: toHex(nonce),
    ciphertext: toHex(seal(utf8(plaintext), { key: boxKey(secret), nonce })),
    sender_public_key_hex: signer.agentId,
  };
}

/** The text in a box of `from`; `undefined` for anything else. */
export function openBox(signer: Signer, from: string, box: Json | undefined): string | undefined {
  if (!isJsonObject(box)) return undefined;
  const sender = textOf(box.sender_public_key_hex)?.toLowerCase();
  const nonce = fromHex(textOf(box.nonce) ?? "");
  const sealed = fromHex(textOf(box.ciphertext) ?? "");
  if (sender !== from || nonce?.length !== NONCE_BYTES || !sealed || sealed.length < TAG_BYTES)
    return undefined;
  const secret = signer.agree(from);
  const plain = secret && unseal(sealed, { key: boxKey(secret), nonce });
  return plain && decoded(plain);
}

export function sealEnvelope(signer: Signer, to: string, plain: JsonObject, random: Random): SealedEnvelope {
  return {
    e2e_encrypted: true,
    encrypted_payload: sealBox(signer, to, JSON.stringify(plain), random),
    from_agent_id: signer.agentId,
  };
}

/**
 * Who sealed an envelope for us, and the object in it. `undefined` for what is not encrypted, and unless the outer
 * sender, the box's key and the inner `from_agent_id` are one agent: a box proves its sender to us, and to nobody else.
 */
export function openEnvelope(
  signer: Signer,
  envelope: Json | undefined,
): { readonly from: string; readonly plain: JsonObject } | undefined {
  if (!isJsonObject(envelope) || envelope.e2e_encrypted !== true) return undefined;
  const from = textOf(envelope.from_agent_id);
  const text = from === undefined ? undefined : openBox(signer, from, envelope.encrypted_payload);
  const plain = text === undefined ? undefined : parseJson(text);
  if (from === undefined || !isJsonObject(plain) || plain.from_agent_id !== from) return undefined;
  return { from, plain };
}

const textOf = (value: Json | undefined) => (typeof value === "string" ? value : undefined);

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // The only error there is: not UTF-8.
    return undefined;
  }
}
