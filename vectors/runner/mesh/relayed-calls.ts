import { isJsonObject, type Json, type JsonObject, parseJson } from "@darkmatter/core";
import { createSigner, openEnvelope } from "@darkmatter/identity";
import type { Call } from "./world.ts";

export type Keys = Readonly<Record<string, { readonly private_key_hex: string; readonly agent_id: string }>>;

const RELAY = /\/message_relay\/([0-9a-f]{64})$/;

/** Calls to anchors, with what is sealed in them opened: each writes its JSON in a way of its own. */
export function opened(call: Call, keys: Keys): Call {
  const [, recipient] = RELAY.exec(call.url) ?? [];
  const key = Object.values(keys).find((one) => one.agent_id === recipient)?.private_key_hex;
  if (key === undefined || !isJsonObject(call.body)) return call;
  const plain: Json = openEnvelope(createSigner(key), call.body)?.plain ?? null;
  return { ...call, body: { ...call.body, encrypted_payload: plain } };
}

/** A poll as nodes of the first generation make it: that we have what was answered before is ours to say. */
export function withoutAfter(call: Call): Call {
  return { ...call, url: call.url.replace(/(_relay_poll\/[^?]*\?.*)&after=[^&]*$/, "$1") };
}

/** Whether a case is one where a peer's own URL leads nowhere. */
export function isCutOff(name: string, call: Call): boolean {
  return /when HTTP fails/.test(name) && /\/(message|peer_lookup\/\w+)$/.test(call.url);
}

/** What a relayed message says in the file, as text and opened, must be one thing. */
export function plaintextOf(one: JsonObject): Json | undefined {
  const text = one.relay_plaintext_exact;
  return typeof text === "string" ? parseJson(text) : undefined;
}
