import { type JsonObject, parseTime } from "@darkmatter/core";
import { meshError } from "../errors.ts";
import type { PeerAnswer } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { readAnswer, readTask, saveAnswer } from "./tasks.store.ts";

const SCHEME = "a2a:";

/** In the place of a webhook's URL: the answer to such a message goes to a task of this node, never over the network. */
export const webhookOfTask = (taskId: string, messageId: string): string => `${SCHEME}${taskId}/${messageId}`;

export const isTaskWebhook = (webhook: string): boolean => webhook.startsWith(SCHEME);

/** What a webhook of a caller answers, without a network: its side of the conversation is kept here. */
export interface LocalAnswers {
  /** Whether the message may still be answered. */
  ask(webhook: string): Promise<PeerAnswer>;
  /** Takes an update, or an answer: that is on disk when this resolves, and taken once however often it comes. */
  post(webhook: string, body: JsonObject): Promise<PeerAnswer>;
}

export function createLocalAnswers({ db, clock, signer }: MeshPorts, changed: () => void): LocalAnswers {
  const GONE: PeerAnswer = { status: 404, body: { error: "The task was withdrawn." } };
  const TAKEN: PeerAnswer = { status: 200, body: { success: true } };

  /** The reply as it was signed: what its reader needs to prove it. */
  function proofOf(messageId: string, reply: JsonObject): JsonObject {
    const { timestamp = "", signature_hex = "" } = reply;
    return {
      agent_id: signer.agentId,
      message_id: messageId,
      timestamp,
      signature_hex,
      signed_text: "agent_id LF message_id LF timestamp LF the answer's text",
    };
  }

  function take({ taskId, messageId }: Place, reply: JsonObject): Promise<PeerAnswer> {
    const { response: answer } = reply;
    if (typeof answer !== "string") throw meshError("BAD_REQUEST");
    return db.write(async (tx) => {
      const found = await readAnswer(tx, taskId, messageId);
      const task = await readTask(tx, taskId);
      if (!found || !task || task.canceledAtMs !== null) return GONE;
      // The first stays: a reply is sent again when a crash left open whether it had arrived.
      if (found.answer !== null) return TAKEN;
      const proof = JSON.stringify(proofOf(messageId, reply));
      const answeredAtMs = parseTime(String(reply.timestamp ?? "")) ?? clock.now();
      await saveAnswer(tx, messageId, { answer, proof, answeredAtMs: Math.ceil(answeredAtMs) });
      tx.afterCommit(changed);
      return TAKEN;
    });
  }

  return {
    async ask(webhook) {
      const task = await readTask(db, placeOf(webhook).taskId);
      const isOpen = task && task.canceledAtMs === null;
      return { status: 200, body: { status: isOpen ? "active" : "expired", updates: [] } };
    },

    async post(webhook, body) {
      return body.type === "response" ? take(placeOf(webhook), body) : TAKEN;
    },
  };
}

interface Place {
  readonly taskId: string;
  readonly messageId: string;
}

function placeOf(webhook: string): Place {
  const [taskId = "", messageId = ""] = webhook.slice(SCHEME.length).split("/");
  return { taskId, messageId };
}
