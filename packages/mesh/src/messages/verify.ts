import { isAdmissibleKey, isFresh, type JsonObject, sha256Hex } from "@darkmatter/core";
import { messageDigestText, messageText, type SignedText, type Verifier } from "@darkmatter/identity";
import type { SignedMessage } from "@darkmatter/proof";
import type { Standing } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import { isControl } from "./message.ts";

/** The signed parts of a message as they arrived, each of the right type, none believed. */
export interface ArrivedMessage {
  readonly from: string;
  readonly messageId: string;
  readonly content: string;
  readonly webhook: string;
  readonly metadata: JsonObject;
  readonly timestamp: string | undefined;
  readonly publicKeyHex: string | undefined;
  readonly signatureHex: string | undefined;
  /** The signature over everything (mesh.md 22.1), and whom it names. */
  readonly digestSignatureHex: string | undefined;
  readonly to: string | undefined;
}

const refuse = (text: string) => meshError("FORBIDDEN", text);

/**
 * Decides whether a message is really its sender's (mesh.md 3); what the sender signed, for whoever checks it later.
 * Throws FORBIDDEN with the reason.
 * The presented key must be the sender's id: the reference lets anybody speak as anybody (S1).
 */
export async function verifyMessage(
  message: ArrivedMessage,
  sender: Standing | undefined,
  self: string,
  verifier: Verifier,
  nowMs: number,
): Promise<SignedMessage> {
  const presented = message.publicKeyHex?.toLowerCase();
  requireCredentials(message, sender, presented);
  if (presented !== undefined && presented !== message.from) {
    throw refuse("Public key mismatch — the sender's key must be its agent id.");
  }

  const { text, signature } = signedText(message, self);
  if (text === undefined || !(await verifier.verify(message.from, text, signature))) {
    // Asked only now: the verifier takes no other keys, and judging one costs more than all else here.
    if (!isAdmissibleKey(message.from)) throw refuse("The sender's id is not an admissible public key.");
    throw refuse("Invalid signature — message authenticity could not be verified.");
  }
  if (!isFresh(message.timestamp ?? "", nowMs)) throw refuse("Message timestamp too old — possible replay");

  const couldCover = sender?.features.includes('"digest/1"') ?? false;
  if (couldCover && isControl(message.metadata) && message.digestSignatureHex === undefined) {
    throw refuse("Control messages need dm_sig from an agent that announced digest/1.");
  }
  return whatWasSigned(message, text, signature.toLowerCase());
}

/** Hashes stand in the place of words: the field is shown where the words stay closed. */
function whatWasSigned(message: ArrivedMessage, text: string, signature: string): SignedMessage {
  const { from, webhook, content, timestamp = "", to = null } = message;
  if (message.digestSignatureHex === undefined) {
    const content_hash = sha256Hex(content);
    const uncovered = { to: null, webhook: null, metadata_hash: null };
    return { scheme: "signature_hex", from, timestamp, content_hash, signature, ...uncovered };
  }
  // Both hashes stand in the text already: taking them again of a long message costs as much as its verification.
  const [, , , , , content_hash = "", metadata_hash = ""] = text.split("\n");
  return { scheme: "dm_sig", from, to, timestamp, webhook, content_hash, metadata_hash, signature };
}

function requireCredentials(
  message: ArrivedMessage,
  sender: Standing | undefined,
  presented: string | undefined,
) {
  const signed = message.signatureHex !== undefined || message.digestSignatureHex !== undefined;
  const complete = signed && message.timestamp !== undefined;
  if (sender === undefined) {
    if (!complete || presented === undefined)
      throw refuse("Not connected — unsigned messages require a connection.");
  } else if (sender.publicKeyHex !== null) {
    if (presented !== undefined && presented !== sender.publicKeyHex) {
      throw refuse("Public key mismatch — sender key does not match stored key for this connection.");
    }
    if (!complete) throw refuse("Signature required — this connection has a known public key.");
  } else if (!complete || presented === undefined) {
    throw refuse("Signature required — unsigned messages are not accepted.");
  }
}

/** Where `dm_sig` is present it alone is verified: it covers more, and one verification is enough. */
function signedText(message: ArrivedMessage, self: string): { text: SignedText; signature: string } {
  const { from, messageId, content, webhook, metadata } = message;
  const timestamp = message.timestamp ?? "";
  if (message.digestSignatureHex === undefined) {
    return {
      text: messageText({ from, messageId, timestamp, content }),
      signature: message.signatureHex ?? "",
    };
  }
  if (message.to !== self) throw refuse("The message was signed for another recipient.");
  const text = messageDigestText({ from, messageId, timestamp, to: self, content, metadata, webhook });
  return { text, signature: message.digestSignatureHex };
}
