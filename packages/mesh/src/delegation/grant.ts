import { canonicalJson, isoTime, type JsonObject, sha256Hex } from "@darkmatter/core";
import { grantText, type Signer, signText } from "@darkmatter/identity";
import { peerOf, type Work } from "./work.ts";

/** What a helper may do, for what, and how long (mesh.md 22.7). A type, so that it is a JSON object. */
export type GrantScope = {
  message_id?: string;
  request_id?: string;
  tools: string[];
  peers: string[];
};

export type Grant = {
  child_public_key: string;
  scope: GrantScope;
  not_before: string;
  not_after: string;
  sig: string;
};

/** The tools of each kind of work: enough to read what it is about and to answer it, and nothing else. */
const TOOLS = {
  message: [
    "darkmatter_get_identity",
    "darkmatter_list_inbox",
    "darkmatter_get_message",
    "darkmatter_send_message",
    "darkmatter_respond_message",
  ],
  request: ["darkmatter_get_identity", "darkmatter_list_pending_requests", "darkmatter_connection"],
} as const;

/** A signed grant for one helper and one piece of work, from now for `lifeMs`. */
export function grantFor(
  signer: Signer,
  childPublicKey: string,
  work: Work,
  nowMs: number,
  lifeMs: number,
): Grant {
  const scope: GrantScope = {
    ...(work.kind === "message"
      ? { message_id: work.message.messageId }
      : { request_id: work.request.requestId }),
    tools: [...TOOLS[work.kind]],
    peers: [peerOf(work)],
  };
  const [notBefore, notAfter] = [isoTime(nowMs), isoTime(nowMs + lifeMs)];
  const text = grantText({ agentId: signer.agentId, childPublicKey, scope, notBefore, notAfter });
  const sig = signText(signer, text);
  return { child_public_key: childPublicKey, scope, not_before: notBefore, not_after: notAfter, sig };
}

/** By which commits name a grant: the SHA-256 of its RFC 8785 text, hex. */
export const grantHash = (grant: Grant): string => sha256Hex(canonicalJson(grant as JsonObject));
