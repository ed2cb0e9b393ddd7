import { json, type Route, ready, refusal } from "@darkmatter/surface";
import { globalRate } from "../guards.ts";
import { readSent } from "../messages/sent.store.ts";
import type { Services } from "../services.ts";
import { readUpdates } from "./webhooks.store.ts";

export function webhookRoutes(services: Services): Route[] {
  const { db, webhooks } = services;
  const isReady = ready(services.isReady);
  const path = "/__darkmatter__/webhook/:message_id";

  return [
    {
      method: "POST",
      path,
      summary: "Tells the sender of a message what became of it, or answers it.",
      guards: [isReady, globalRate(services)],
      body: "json",
      async handle({ params, json: body }) {
        const { type, commit } = await webhooks.record(params.message_id ?? "", body);
        return json(200, { success: true, recorded: type, ...(commit !== undefined && { commit }) });
      },
    },
    {
      method: "GET",
      path,
      summary: "Whether a message is still open, and where it has been.",
      guards: [isReady],
      body: "none",
      async handle({ params }) {
        const messageId = params.message_id ?? "";
        const sent = await readSent(db, messageId);
        if (!sent) return refusal(404, `No sent message with ID '${messageId.slice(0, 128)}'`);
        return json(200, {
          message_id: sent.messageId,
          status: sent.status,
          initial_hops: sent.initialHops,
          created_at: sent.createdAt,
          updates: await readUpdates(db, messageId),
        });
      },
    },
  ];
}
