import { fromHex, type Json, type JsonObject, toHex } from "@darkmatter/core";
import {
  agreementKeyOf,
  boxKey,
  createSigner,
  openBox,
  openEnvelope,
  sealBox,
  sealEnvelope,
} from "@darkmatter/identity";
import { expanded } from "../expand.ts";
import { type Outcome, ran } from "../outcome.ts";

type Texts = Readonly<Record<string, string>>;

interface Document {
  readonly encrypt: ReadonlyArray<Texts & { readonly encrypted: JsonObject }>;
  readonly reject: ReadonlyArray<Texts & { readonly encrypted: JsonObject; readonly decrypts: boolean }>;
  readonly envelope: ReadonlyArray<
    Texts & {
      readonly plain: JsonObject;
      readonly encrypted: JsonObject;
      readonly plaintext_exact_utf8: string;
    }
  >;
}

const hex = (bytes: Uint8Array | undefined) => toHex(bytes ?? new Uint8Array());

/** Chance that brings one nonce. */
const nonceOf = (nonceHex = "") => ({
  bytes: () => fromHex(nonceHex) ?? new Uint8Array(),
  integer: () => 0,
});

/** Sealed boxes: keys, secrets, every byte of a box, and what must not open (mesh.md 3.1). */
export async function* sealed(document: Json): AsyncIterable<Outcome> {
  const { encrypt, reject, envelope } = expanded(document) as unknown as Document;
  for (const [at, one] of encrypt.entries()) {
    yield ran(`sealing ${at + 1}`, (found) => {
      const [sender, recipient] = [one.sender_private_key_hex, one.recipient_private_key_hex].map((seed) =>
        createSigner(seed ?? ""),
      );
      if (!sender || !recipient) return found.wrong("no keys");
      const secret = sender.agree(recipient.agentId);
      found.equal("X25519 key", hex(agreementKeyOf(recipient.agentId)), one.recipient_x25519_public_hex);
      found.equal("shared secret", hex(secret), one.shared_secret_hex);
      found.equal("key", hex(secret && boxKey(secret)), one.hkdf_key_hex);
      const text = one.plaintext_utf8 ?? "";
      const box = sealBox(sender, recipient.agentId, text, nonceOf(one.nonce_hex));
      found.like("box", { ...box }, one.encrypted, { extraKeys: [] });
      found.equal("opened", openBox(recipient, sender.agentId, one.encrypted), text);
    });
  }
  for (const one of reject) {
    yield ran(`refusing: ${one.label}`, (found) => {
      const recipient = createSigner(one.recipient_private_key_hex ?? "");
      const text = openBox(recipient, one.sender_public_key_hex ?? "", one.encrypted);
      found.equal("opens", text !== undefined, one.decrypts);
    });
  }
  for (const [at, one] of envelope.entries()) {
    yield ran(`envelope ${at + 1}`, (found) => {
      const [sender, recipient] = [one.private_key_hex, one.recipient_private_key_hex].map((seed) =>
        createSigner(seed ?? ""),
      );
      if (!sender || !recipient) return found.wrong("no keys");
      const opened = openEnvelope(recipient, one.encrypted);
      found.equal("from", opened?.from, sender.agentId);
      found.like("plain", opened?.plain, one.plain, { extraKeys: [] });
      const ours = sealEnvelope(sender, recipient.agentId, one.plain, nonceOf(one.nonce_hex));
      found.like("opened again", openEnvelope(recipient, { ...ours } as unknown as Json)?.plain, one.plain);
      const exact = sealBox(sender, recipient.agentId, one.plaintext_exact_utf8, nonceOf(one.nonce_hex));
      found.like("box", { ...exact }, one.encrypted.encrypted_payload ?? null, { extraKeys: [] });
    });
  }
}
