import { cutCodePoints, isoTime } from "@darkmatter/core";
import { json, type Route, ready, refusal } from "@darkmatter/surface";
import { meshError } from "../errors.ts";
import { textField } from "../fields.ts";
import { local } from "../guards.ts";
import type { Services } from "../services.ts";
import { countUpdates, readResponses, readUpdates } from "../webhooks/webhooks.store.ts";
import { expireSent } from "../webhooks/webhooks.ts";
import { INBOX_PAGE_MAX } from "./inbox.ts";
import { LISTED_CONTENT_CODE_POINTS } from "./message.ts";
import { readSent, readSentAll } from "./sent.store.ts";

/** How much of a content the local inbox shows. */
const INBOX_CONTENT_CODE_POINTS = 500;

export function messageRoutes(services: Services): Route[] {
  const { db, receiving, presence, inbox, waiting } = services;
  const isReady = ready(services.isReady);

  return [
    {
      method: "POST",
      path: "/__darkmatter__/message",
      summary: "Brings this agent a message.",
      guards: [
        isReady,
        presence.guard,
        async () => ((await receiving.isFull()) ? refusal(429, "Message queue full") : undefined),
      ],
      body: "json",
      async handle({ json: body }) {
        const { status, body: answer } = await receiving.receive(body);
        return json(status, answer);
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/inbox",
      summary: "Messages that wait for the agent. This machine only.",
      guards: [isReady, local()],
      body: "none",
      async handle() {
        services.alertness.looked();
        const messages = await inbox.list(db, INBOX_PAGE_MAX);
        return json(200, {
          count: await inbox.count(db),
          messages: messages.map((message) => ({
            message_id: message.messageId,
            content: cutCodePoints(message.content, INBOX_CONTENT_CODE_POINTS),
            from_agent_id: message.from,
            webhook_url: message.webhook,
            hops_remaining: message.hopsRemaining,
            verified: message.verified,
            received_at: isoTime(message.receivedAtMs),
          })),
        });
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/sent_messages",
      summary: "Messages this agent sent; with ?id= one of them whole. This machine only.",
      guards: [isReady, local()],
      body: "none",
      handle: ({ search }) => sentMessages(search.get("id")),
    },
    {
      method: "POST",
      path: "/__darkmatter__/expire_message",
      summary: "Withdraws a message. This machine only.",
      guards: [isReady, local()],
      body: "json",
      async handle({ json: body }) {
        const sent = await readSent(db, textField(body, "message_id") ?? "");
        if (!sent) throw meshError("NOT_FOUND", "Message not found");
        await db.write((tx) => expireSent(tx, sent, waiting, services.ports.clock.now()));
        services.changed();
        return json(200, { success: true, message_id: sent.messageId, status: "expired" });
      },
    },
  ];

  async function sentMessages(id: string | null) {
    if (id === null) {
      const all = await readSentAll(db);
      const messages = await Promise.all(
        all.map(async (sent) => ({
          message_id: sent.messageId,
          content: cutCodePoints(sent.content, LISTED_CONTENT_CODE_POINTS),
          status: sent.status,
          created_at: sent.createdAt,
          updates_count: (await countUpdates(db, sent.messageId)).updates,
        })),
      );
      return json(200, { count: messages.length, messages });
    }
    const sent = await readSent(db, id);
    if (!sent) return refusal(404, "Message not found");
    return json(200, {
      message_id: sent.messageId,
      content: sent.content,
      status: sent.status,
      created_at: sent.createdAt,
      updates: await readUpdates(db, id),
      responses: await readResponses(db, id),
    });
  }
}
