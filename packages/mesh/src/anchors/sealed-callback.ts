import { isJsonObject, type JsonObject } from "@darkmatter/core";
import { openEnvelope, sealEnvelope } from "@darkmatter/identity";
import { type Connection, speaks } from "../connections/connection.ts";
import type { MeshPorts } from "../ports.ts";

const RELAYED = /^\/__darkmatter__\/webhook_relay\/([0-9a-f]{64})\/([A-Za-z0-9_-]{1,128})$/;

/**
 * A callback as it is left with an anchor: sealed for the message's author where that agent speaks `sealed/1`, so that
 * answers are not read on the way; as it is elsewhere.
 */
export async function callbackFor(
  { signer, random }: Pick<MeshPorts, "signer" | "random">,
  webhook: string,
  body: object,
  connectionOf: (agentId: string) => Promise<Connection | undefined>,
): Promise<object> {
  const [, owner, messageId] = RELAYED.exec(URL.parse(webhook)?.pathname ?? "") ?? [];
  if (owner === undefined || messageId === undefined) return body;
  if (!speaks(await connectionOf(owner), "sealed/1")) return body;
  const plain = { from_agent_id: signer.agentId, message_id: messageId, data: body as JsonObject };
  return sealEnvelope(signer, owner, plain, random);
}

/**
 * What an anchor held for the webhook of a message. `undefined` for one that is sealed and does not open, is about
 * another message, or speaks in another agent's name.
 */
export function openedCallback(
  { signer }: Pick<MeshPorts, "signer">,
  messageId: string,
  data: JsonObject,
): JsonObject | undefined {
  if (data.e2e_encrypted !== true) return data;
  const opened = openEnvelope(signer, data);
  if (!opened || opened.plain.message_id !== messageId || !isJsonObject(opened.plain.data)) return undefined;
  return opened.plain.data.agent_id === opened.from ? opened.plain.data : undefined;
}
