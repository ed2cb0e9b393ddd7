import { isJsonObject, isoTime, type Json, type JsonObject } from "@darkmatter/core";
import { messageText, openEnvelope, sealEnvelope, signText } from "@darkmatter/identity";
import type { MeshPorts } from "../ports.ts";
import { pythonJson } from "./python-json.ts";

const PREFIX = "/__darkmatter__/";

/** What travels through an anchor as a message, and which field names the one it is from (mesh.md 9.5). */
const CARRIED: Readonly<Record<string, string | undefined>> = {
  message: "from_agent_id",
  peer_update: "agent_id",
  connection_accepted: "agent_id",
  // A shard is its author's by its own signature, whoever brings it.
  shard_push: undefined,
};

export function isCarried(path: string): boolean {
  return Object.hasOwn(CARRIED, path);
}

/** How much of a payload the wrapper signature covers, in characters. */
const COVERED_CHARACTERS = 256;

/** A request sealed for an agent, as it is left with an anchor (mesh.md 9.5). */
export function wrapped(
  { signer, clock, random }: Pick<MeshPorts, "signer" | "clock" | "random">,
  to: string,
  request: { readonly path: string; readonly payload: JsonObject },
): object {
  const timestamp = isoTime(clock.now());
  const { payload } = request;
  const plain = {
    path: `${PREFIX}${request.path}`,
    payload,
    from_agent_id: signer.agentId,
    timestamp,
    signature: signText(signer, wrapperText(signer.agentId, timestamp, payload)),
  };
  return { ...sealEnvelope(signer, to, plain, random), timestamp };
}

function wrapperText(from: string, timestamp: string, payload: JsonObject) {
  const messageId = typeof payload.message_id === "string" ? payload.message_id : "relay";
  const content = Array.from(pythonJson(payload)).slice(0, COVERED_CHARACTERS).join("");
  return messageText({ from, messageId, timestamp, content });
}

/** What an entry brings: a request of mesh endpoints, as its sender alone can have made it. */
export interface Brought {
  /** Below `/__darkmatter__/`. */
  readonly path: string;
  readonly body: JsonObject;
}

/**
 * Opens an entry; `undefined` for what is not encrypted, not for us, not of one sender inside and outside, or asks for
 * anything but what may travel so. The wrapper signature is not looked at: the box proves its sender.
 */
export function unwrapped({ signer }: Pick<MeshPorts, "signer">, entry: Json): Brought | undefined {
  const opened = openEnvelope(signer, entry);
  if (!opened || opened.from === signer.agentId) return undefined;
  const { path, payload } = opened.plain;
  if (typeof path !== "string" || !path.startsWith(PREFIX) || !isJsonObject(payload)) return undefined;
  const name = path.slice(PREFIX.length);
  if (!isCarried(name)) return undefined;
  const field = CARRIED[name];
  return field === undefined || payload[field] === opened.from ? { path: name, body: payload } : undefined;
}
