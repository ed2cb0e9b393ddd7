import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import {
  challengeText,
  createVerifier,
  messageText,
  peerUpdateText,
  replyText,
  type SignedText,
} from "@darkmatter/identity";
import type { Findings } from "../outcome.ts";
import type { Call } from "./world.ts";

const verifier = createVerifier({ threads: "never" });

/** Checks what a node signed in a call, with the node's key. `challengeHex`: what it was asked to prove with. */
export async function checkSignature(
  found: Findings,
  { url, body }: Call,
  agentId: string,
  challengeHex: string,
): Promise<void> {
  if (!isJsonObject(body)) return;
  const signature = body.signature_hex ?? body.signature ?? body.proof_hex;
  if (signature === undefined) return;
  const text = signedText(new URL(url).pathname, body, challengeHex);
  const verifies = text !== undefined && (await verifier.verify(agentId, text, String(signature)));
  found.holds(`the signature of the call to ${url} verifies`, verifies);
  const key = body.from_public_key_hex ?? body.public_key_hex;
  found.equal(`key beside the signature of the call to ${url}`, key, agentId);
}

function signedText(path: string, body: JsonObject, challengeHex: string): SignedText {
  const text = (name: string) => String(body[name] ?? "");
  const [timestamp, agentId] = [text("timestamp"), text("agent_id")];
  if (path.endsWith("/message")) {
    const from = text("from_agent_id");
    return messageText({ from, messageId: text("message_id"), timestamp, content: text("content") });
  }
  if (path.endsWith("/connection_proof")) return challengeText(challengeHex);
  if (path.endsWith("/peer_update")) return peerUpdateText({ agentId, newUrl: text("new_url"), timestamp });
  const [, messageId] = /\/webhook\/([^/]+)$/.exec(path) ?? [];
  if (messageId === undefined) return undefined;
  return replyText({ agentId, messageId, timestamp, response: text("response") });
}

/** A message as a receiver wants it, where the reference sent one that is refused everywhere. */
export function checkComplete(found: Findings, actual: Json, expected: JsonObject): void {
  const { content: _ours, ...kept } = expected;
  found.like("message", actual, kept);
  const body = isJsonObject(actual) ? actual : {};
  for (const name of ["content", "webhook", "timestamp", "from_public_key_hex", "signature_hex"]) {
    found.holds(`the message has ${name}`, typeof body[name] === "string" && body[name] !== "");
  }
  found.holds("its webhook is a URL", URL.canParse(String(body.webhook)));
}
