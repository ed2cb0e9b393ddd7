import type { Json, JsonObject } from "@darkmatter/core";
import { type Tool, type ToolCall, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, PEER_WORDS, shownMetadata } from "../answers.ts";
import { readConnection } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import { isQuoting, readLadders, shownLadders, stateOf } from "../receipts/ladder.ts";
import type { Services } from "../services.ts";
import { shownResponses } from "../webhooks/webhook.ts";
import { countUpdates, readResponses, readUpdates } from "../webhooks/webhooks.store.ts";
import { expireSent } from "../webhooks/webhooks.ts";
import type { QueuedCopy } from "./copy.ts";
import { inboxMessage, inboxPage, noteRead } from "./inbox-page.ts";
import { HOPS_DEFAULT, HOPS_MAX, listed, type SentMessage } from "./message.ts";
import type { SendOutcome } from "./send.ts";
import { readSent, readSentAll } from "./sent.store.ts";
import { waitForResponse } from "./wait.ts";

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const SENDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true };

const messageId = z.string().min(1).max(128);
const agentId = z.string().min(1).max(128);

const SendInput = z.object({
  content: z.string().optional().describe("What to say; up to 65,536 characters."),
  message_id: messageId.optional().describe("A message of your inbox to pass on as it is."),
  reply_to: messageId.optional().describe("The message of your inbox that content answers."),
  target_agent_id: agentId.optional().describe("A connected agent's full id."),
  target_agent_ids: z.array(agentId).max(50).optional().describe("Several at once."),
  metadata: z.record(z.string(), z.unknown()).optional().describe("Any JSON object for the receiver."),
  hops_remaining: z
    .int()
    .min(1)
    .max(HOPS_MAX)
    .default(HOPS_DEFAULT)
    .describe("How often it may be passed on."),
  note: z.string().max(1000).optional().describe("When forwarding: why, for the sender."),
  force: z.boolean().default(false).describe("Forward although the target had it before."),
  broadcast: z.boolean().default(false).describe("To all peers; no answer is expected."),
  trust_min: z
    .number()
    .min(-1)
    .max(1)
    .default(0)
    .describe("Broadcast only to peers you scored at least this."),
  message_type: z.enum(["direct", "broadcast"]).default("direct"),
});
type SendInput = z.output<typeof SendInput>;

const RespondMessageInput = z.object({ message_id: messageId, response: z.string().min(1) });
const NO_INPUT = z.object({});
const GetMessageInput = z.object({ message_id: messageId });
const GetSentMessageInput = z.object({ message_id: messageId });
const ExpireMessageInput = z.object({ message_id: messageId });
const WaitForResponseInput = z.object({
  message_id: messageId,
  timeout_seconds: z.number().positive().max(3600).default(50),
});

export function messageTools(services: Services): Tool[] {
  const { db, glance, ports } = services;
  const hasSent = () => glance.now().sent > 0;

  return [
    tool({
      name: "darkmatter_send_message",
      title: "Send, reply or forward",
      description:
        "Use this to talk. New message: content, with target_agent_id (or to every connection without). " +
        "Reply: reply_to and content. Forward: message_id and target_agent_id(s). " +
        "broadcast tells peers scored ≥ trust_min something that needs no answer.",
      input: SendInput,
      annotations: SENDS,
      visible: () => true,
      handle: (input, call) => answered(() => sendAct(services, input, call)),
    }),
    tool({
      name: "darkmatter_respond_message",
      title: "Reply to a message",
      description: "Use this to answer a message of your inbox. Its sender gets the answer, signed by you.",
      input: RespondMessageInput,
      annotations: SENDS,
      visible: () => true,
      handle: (input, call) => answered(() => replyAct(services, input.message_id, input.response, call)),
    }),
    tool({
      name: "darkmatter_list_inbox",
      title: "Messages waiting for me",
      description:
        "Use this to see what other agents sent you. Long contents are cut: get_message shows them whole.",
      input: NO_INPUT,
      annotations: READS,
      visible: () => true,
      handle: () => answered(() => inboxPage(services)),
    }),
    tool({
      name: "darkmatter_get_message",
      title: "Read one message",
      description: "Use this to read a message of your inbox whole.",
      input: GetMessageInput,
      annotations: READS,
      visible: () => true,
      handle: (input) =>
        answered(async () => {
          const message = await services.inbox.get(db, input.message_id);
          await db.write(async (tx) => {
            await noteRead(tx, message, ports.clock, services.giving);
            tx.afterCommit(services.changed);
          });
          return {
            ...inboxMessage(message, message.content),
            // @NOTE without the message's id: a peer chose it, and this is where an agent looks for orders.
            next_step:
              "Answer with darkmatter_send_message(reply_to=its message_id, content=…), or forward it.",
            peer_words: PEER_WORDS,
          };
        }),
    }),
    tool({
      name: "darkmatter_list_messages",
      title: "Messages I sent",
      description: "Use this to see what became of the messages you sent.",
      input: NO_INPUT,
      annotations: READS,
      visible: hasSent,
      handle: () =>
        answered(async () => {
          const all = await readSentAll(db);
          return {
            total: all.length,
            messages: await Promise.all(all.map((sent) => shownSent(services, sent))),
          };
        }),
    }),
    tool({
      name: "darkmatter_get_sent_message",
      title: "One message I sent",
      description: "Use this to see who has a message of yours, how it travelled and what was answered.",
      input: GetSentMessageInput,
      annotations: READS,
      visible: hasSent,
      handle: (input) =>
        answered(async () => {
          const sent = await requireSent(services, input.message_id);
          const responses = shownResponses(await readResponses(db, sent.messageId));
          const updates = await readUpdates(db, sent.messageId);
          const ladders = await readLadders(db, sent, ports.signer.agentId);
          const noted = updates.some((update) => "note" in update && update.note);
          const quotes = responses.length > 0 || noted || ladders.some(isQuoting);
          return {
            ...(await shownSent(services, sent)),
            content: sent.content,
            routed_to: [...sent.routedTo],
            ladder: shownLadders(ladders),
            updates: updates as unknown as Json,
            responses,
            ...(quotes && { peer_words: PEER_WORDS }),
          };
        }),
    }),
    tool({
      name: "darkmatter_expire_message",
      title: "Withdraw a message",
      description: "Use this when a message you sent needs no answer any more.",
      input: ExpireMessageInput,
      annotations: { ...SENDS, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      visible: hasSent,
      handle: (input) =>
        answered(async () => {
          const sent = await requireSent(services, input.message_id);
          const closed = await db.write((tx) => expireSent(tx, sent, services.waiting, ports.clock.now()));
          services.changed();
          const done = { success: true, message_id: sent.messageId, status: "expired" };
          return closed ? done : { ...done, message: "It had expired before." };
        }),
    }),
    tool({
      name: "darkmatter_wait_for_response",
      title: "Wait for an answer",
      description:
        "Use this after sending, to be handed the answer as soon as it comes instead of asking again.",
      input: WaitForResponseInput,
      annotations: READS,
      visible: () => true,
      handle: (input, call) =>
        answered(() => waitForResponse(services, input.message_id, input.timeout_seconds, call)),
    }),
  ];
}

async function sendAct(services: Services, input: SendInput, call: ToolCall): Promise<JsonObject> {
  const { content, message_id: forwarded, reply_to: replyTo } = input;
  if (replyTo && forwarded) {
    const use = "Use reply_to with content to reply, or message_id alone to forward.";
    throw meshError("BAD_REQUEST", `Cannot use both reply_to and message_id. ${use}`);
  }
  if (replyTo) {
    if (!content) throw meshError("BAD_REQUEST", "reply_to requires content (your response text).");
    return replyAct(services, replyTo, content, call);
  }
  if (forwarded) {
    if (content) throw meshError("BAD_REQUEST", "message_id forwards a message as it is: leave content out.");
    return forwardAct(services, forwarded, input, call);
  }
  if (!content)
    throw meshError("BAD_REQUEST", "Provide content (new message/reply) or message_id (forward).");
  return newMessage(services, content, input, call);
}

async function newMessage(
  services: Services,
  content: string,
  input: SendInput,
  call: ToolCall,
): Promise<JsonObject> {
  const broadcast =
    input.broadcast || input.message_type === "broadcast" || input.metadata?.type === "broadcast";
  const metadata = { ...(input.metadata as JsonObject | undefined), ...(broadcast && { type: "broadcast" }) };
  const message = {
    content,
    metadata,
    hopsRemaining: input.hops_remaining,
    targets: targetsOf(input),
    trustMin: input.trust_min,
  };
  const outcome = await services.sending.send(message, call.callId);
  const result = await sentResult(services, outcome);
  if (result.success !== true) return result;
  if (broadcast) return { ...result, next_step: "Broadcasts need no answer." };
  const wait = `darkmatter_wait_for_response(message_id="${outcome.sent.messageId}")`;
  return { ...result, next_step: `Call ${wait} to be handed the answer as soon as it comes.` };
}

/** What came of a message, target by target: who has it, for whom it waits, who did not take it. */
async function sentResult({ db }: Services, { sent, copies, full }: SendOutcome): Promise<JsonObject> {
  const waiting = copies.filter(({ nextAtMs }) => nextAtMs !== null);
  const over = copies.filter(({ nextAtMs, state }) => nextAtMs === null && state !== "stored");
  const named = async (agentId: string, error: string) => {
    const peer = await readConnection(db, agentId);
    return { agent_id: agentId, display_name: peer?.displayName ?? null, error };
  };
  const failed = await Promise.all([
    ...over.map(({ agentId, why }) => named(agentId, why ?? "not sent")),
    ...full.map((agentId) =>
      named(agentId, "Too many messages wait for it already: nothing was sent there."),
    ),
  ]);
  const unsure = waiting
    .filter(({ leftAtMs, trying }) => leftAtMs !== null || trying)
    .map(({ agentId }) => agentId);
  const result = {
    success: sent.routedTo.length + waiting.length > 0 || sent.targets.length === 0,
    message_id: sent.messageId,
    routed_to: [...sent.routedTo],
    ...(waiting.length > 0 && {
      queued_for: waiting.map(({ agentId }) => agentId),
      ...(unsure.length > 0 && { unconfirmed: unsure }),
      state: sent.routedTo.length > 0 ? "partly delivered" : "queued",
      note: queuedNote(waiting, unsure.length),
    }),
    hops_remaining: sent.initialHops,
    webhook: sent.webhook,
    ...(failed.length > 0 && { failed }),
    ...((failed.length > 0 || waiting.length > 0) && { peer_words: PEER_WORDS }),
  };
  if (result.success) return result;
  const error = `Message could not be delivered to any of ${sent.targets.length} target(s): ${failed[0]?.error || "see failed"}`;
  return {
    ...result,
    error,
    next_step: "Its answer says why; darkmatter_list_connections shows who is connected.",
  };
}

function queuedNote(waiting: readonly QueuedCopy[], unsure: number): string {
  const reasons = [...new Set(waiting.map(({ why }) => why ?? "no answer yet"))].slice(0, 3).join("; ");
  const arrived = unsure > 0 ? ` It may have arrived with ${unsure} of them; none acts on it twice.` : "";
  return (
    `Not delivered yet to ${waiting.length} agent(s) (${reasons}). It is kept and sent again by itself, at once when ` +
    `they are back, for at most 24 hours.${arrived} darkmatter_expire_message withdraws it.`
  );
}

const targetsOf = (input: SendInput): string[] => [
  ...(input.target_agent_id ? [input.target_agent_id] : []),
  ...(input.target_agent_ids ?? []),
];

async function replyAct(
  services: Services,
  replyTo: string,
  response: string,
  call: ToolCall,
): Promise<JsonObject> {
  const outcome = await services.replying.reply(replyTo, response, call.callId);
  return {
    success: outcome.error === undefined,
    message_id: outcome.messageId,
    webhook_called: outcome.webhook,
    response_time_ms: outcome.responseTimeMs,
    error: outcome.error ?? null,
    ...(outcome.error !== undefined && { peer_words: PEER_WORDS }),
  };
}

async function forwardAct(
  services: Services,
  id: string,
  input: SendInput,
  call: ToolCall,
): Promise<JsonObject> {
  const { note, force } = input;
  const options = { note: note ?? null, force, callId: call.callId };
  const outcome = await services.forwarding.forward(id, targetsOf(input), options);
  return {
    success: outcome.results.some(({ success }) => success),
    message_id: outcome.messageId,
    hops_remaining_for_targets: outcome.hopsRemaining,
    results: outcome.results,
    ...(outcome.results.some(({ error }) => error !== undefined) && { peer_words: PEER_WORDS }),
    ...(note !== undefined && { note }),
  };
}

async function requireSent({ db }: Services, id: string): Promise<SentMessage> {
  const sent = await readSent(db, id);
  if (!sent) throw meshError("NOT_FOUND", `No sent message with ID '${id}'.`);
  return sent;
}

async function shownSent({ db, ports }: Services, sent: SentMessage): Promise<JsonObject> {
  const { updates, forwarded } = await countUpdates(db, sent.messageId);
  return {
    message_id: sent.messageId,
    content: listed(sent.content),
    status: sent.status,
    state: stateOf(await readLadders(db, sent, ports.signer.agentId)),
    initial_hops: sent.initialHops,
    forwarding_count: forwarded,
    updates_count: updates,
    created_at: sent.createdAt,
    metadata: shownMetadata(sent.metadata),
  };
}
