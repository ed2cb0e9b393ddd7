import { isAdmissibleKey, isFresh, type JsonObject } from "@darkmatter/core";
import { messageDigestText, messageText, type SignedText, type Verifier } from "@darkmatter/identity";
import type { Standing } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import { isControl } from "./message.ts";

/** The signed parts of a message as they arrived, each of the right type, none believed. */
export interface SignedMessage {
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
 * Decides whether a message is really its sender's (mesh.md 3). Throws FORBIDDEN with the reason.
 * The presented key must be the sender's id: the reference lets anybody speak as anybody (S1).
 */
export async function verifyMessage(
  message: SignedMessage,
  sender: Standing | undefined,
  self: string,
  verifier: Verifier,
  nowMs: number,
): Promise<void> {
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
}

function requireCredentials(
  message: SignedMessage,
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
function signedText(message: SignedMessage, self: string): { text: SignedText; signature: string } {
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
