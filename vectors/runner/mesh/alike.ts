import type { JsonObject } from "@darkmatter/core";
import { createSigner, messageText, signText } from "@darkmatter/identity";
import type { Findings } from "../outcome.ts";
import { type Play, type Request, type Step, send } from "./scenario.ts";

/**
 * "request 31": of that many requests alike only this is listed, so the ones before it are made here. They are
 * broadcasts or messages, as the answers tell, of the first agent that has no limit of its own.
 */
export async function alikeRequest(found: Findings, step: Step, state: Play): Promise<Request | undefined> {
  const [, which] = /^request (\d+)$/.exec(step.label ?? "") ?? [];
  const sender = state.scenario.setup.connections.find((one) => !("rate_limit" in one));
  const peer = Object.values(state.peers).find(({ agent_id: id }) => id === sender?.agent_id);
  if (which === undefined || !sender || !peer) return undefined;
  const next = () => alikeMessage(++state.alike, peer.private_key_hex, sender, step.now);
  while (state.alike + 1 < Number(which)) {
    const { status } = await send(next(), state);
    found.equal(`status of request ${state.alike}`, status, 200);
  }
  return next();
}

function alikeMessage(count: number, key: string, sender: JsonObject, timestamp: string): Request {
  const signer = createSigner(key);
  const messageId = `msg-${count.toString(16).padStart(12, "0")}`;
  const message = { from: signer.agentId, messageId, timestamp, content: "x" };
  return {
    method: "POST",
    path: "/__darkmatter__/message",
    body: {
      message_id: messageId,
      content: "x",
      webhook: `${sender.agent_url}/__darkmatter__/webhook/${messageId}`,
      metadata: { type: "broadcast" },
      timestamp,
      from_agent_id: signer.agentId,
      from_public_key_hex: signer.agentId,
      signature_hex: signText(signer, messageText(message)),
    },
  };
}
