import { joined, joinedLines } from "./signed-lines.ts";

/** How the sender of a message or a reply signed it (docs/proof.md section 1). */
export type SignedScheme = "dm_sig" | "signature_hex" | "reply";

/** The field `signed` of a commit: what a message's sender signed, with hashes in the place of its words. */
export interface SignedMessage {
  readonly scheme: SignedScheme;
  readonly from: string;
  /** This and the next two are `null` where the scheme does not cover them. */
  readonly to: string | null;
  readonly webhook: string | null;
  readonly metadata_hash: string | null;
  readonly timestamp: string;
  /** H(content), for a reply H(response). */
  readonly content_hash: string;
  readonly signature: string;
}

/**
 * The text that was signed. `content`, of a reply the response, is not looked at for `dm_sig`, which covers its hash.
 * `undefined` when a line would hold an LF, the scheme's members are not all there, or a text is not well-formed.
 */
export function signedMessageText(
  signed: Omit<SignedMessage, "signature">,
  messageId: string,
  content: string | undefined,
): string | undefined {
  const { content_hash, from, metadata_hash, scheme, timestamp, to, webhook } = signed;
  if (scheme === "dm_sig") {
    if (to === null || webhook === null || metadata_hash === null) return undefined;
    const fields = [from, messageId, timestamp, to, content_hash, metadata_hash, webhook];
    return joinedLines("darkmatter.message.v1", ...fields);
  }
  return content === undefined ? undefined : joined([from, messageId, timestamp], content);
}
