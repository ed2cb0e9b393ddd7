import type { JsonObject } from "@darkmatter/core";
import { type Tool, type ToolCall, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, PEER_WORDS } from "../answers.ts";
import type { Services } from "../services.ts";
import { inboxMessage, inboxPage, noteRead } from "./inbox-page.ts";
import type { InboxMessage } from "./message.ts";
import type { OnStored } from "./stored.ts";
import { waitFor, waitForResponse } from "./wait.ts";
import type { Waiting } from "./waiting.ts";

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
/** New messages handed over at once. */
const HANDED_MAX = 10;
/** Of unread messages, those that are looked through for the senders that are waited for. */
const LOOKED_MAX = 200;
const TIMEOUT_SECONDS = 900;
/** What those wait for who wait for any message; no message is called so: its id is one line. */
const NEW_MESSAGE = "\nnew message";

const messageId = z.string().min(1).max(128);

/** Tells those who wait for any message that one came. */
export const wakesWaiting =
  (waiting: Waiting): OnStored =>
  (tx, { broadcast }) => {
    if (!broadcast) tx.afterCommit(() => waiting.wake(NEW_MESSAGE));
    return undefined;
  };

const InboxInput = z.object({ message_id: messageId.optional() });
const WaitForMessageInput = z.object({
  message_id: messageId.optional(),
  from_agents: z.array(z.string().min(1).max(128)).max(50).optional().describe("Only of these agents."),
  timeout_seconds: z.number().positive().max(3600).default(TIMEOUT_SECONDS),
});

/** Tools by the names some agents know them by (mesh.md 15): never shown to one that does not use them. */
export function olderTools(services: Services): Tool[] {
  return [
    tool({
      name: "darkmatter_inbox",
      title: "Inbox",
      description: "Use this like list_inbox, or with message_id like get_message.",
      input: InboxInput,
      annotations: READS,
      visible: () => false,
      handle: ({ message_id: id }) =>
        answered(async () => (id === undefined ? inboxPage(services) : readWhole(services, id))),
    }),
    tool({
      name: "darkmatter_wait_for_message",
      title: "Wait for a message",
      description:
        "Use this when you have nothing else to do: it hands you the answer to message_id, or any new message.",
      input: WaitForMessageInput,
      annotations: READS,
      visible: () => false,
      handle: (input, call) => answered(() => waitForMessage(services, input, call)),
    }),
  ];
}

async function readWhole(services: Services, id: string): Promise<JsonObject> {
  const message = await services.inbox.get(services.db, id);
  const [shown] = await handedOver(services, [message]);
  return { ...shown, peer_words: PEER_WORDS };
}

async function waitForMessage(
  services: Services,
  input: { message_id?: string | undefined; from_agents?: string[] | undefined; timeout_seconds: number },
  call: ToolCall,
): Promise<JsonObject> {
  const { clock } = services.ports;
  const { message_id: id, from_agents: from, timeout_seconds: seconds } = input;
  const startMs = clock.monotonic();
  const waited = () => Math.round(clock.monotonic() - startMs) / 1000;
  if (id !== undefined) {
    const outcome = await waitForResponse(services, id, seconds, call);
    return { ...outcome, mode: "reply", waited: waited() };
  }
  const look = async () => {
    const messages = await newMessages(services, from);
    return messages.length === 0 ? undefined : { messages: await handedOver(services, messages) };
  };
  const awaited = { key: NEW_MESSAGE, look, notice: "Waiting for a message" };
  const found = (await waitFor(services, awaited, seconds, call)) ?? (await look());
  if (!found) return { success: false, mode: "inbox", messages: [], reason: "timeout", waited: waited() };
  return { success: true, mode: "inbox", ...found, waited: waited(), peer_words: PEER_WORDS };
}

/** Unread ones, oldest first. */
async function newMessages({ db, inbox }: Services, from: readonly string[] | undefined) {
  const listed = await inbox.list(db, LOOKED_MAX);
  const wanted = listed.filter((message) => !message.read && (!from || from.includes(message.from)));
  return wanted.slice(0, HANDED_MAX);
}

/** Messages as an agent reads them whole; their authors may hear that they were read. */
async function handedOver(services: Services, messages: readonly InboxMessage[]): Promise<JsonObject[]> {
  const { db, ports, giving, changed } = services;
  await db.write(async (tx) => {
    for (const message of messages) await noteRead(tx, message, ports.clock, giving);
    tx.afterCommit(changed);
  });
  return messages.map((message) => inboxMessage(message, message.content));
}
