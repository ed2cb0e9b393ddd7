import type { Database } from "@darkmatter/store";
import type { OutboundRequest, PendingRequest } from "../connections/connection.ts";
import { saveOutbound, saveRequest } from "../connections/requests.store.ts";
import { type InboxMessage, SEEN_IDS_MS } from "../messages/message.ts";
import { insertInbox, takePlace } from "../messages/messages.store.ts";

/** What otherwise only the wire brings to a node, and no state file holds. */
export interface Given {
  readonly pendingRequests?: readonly PendingRequest[];
  readonly outboundRequests?: readonly OutboundRequest[];
  readonly inbox?: readonly InboxMessage[];
}

export async function give(db: Database, given: Given): Promise<void> {
  const { pendingRequests = [], outboundRequests = [], inbox = [] } = given;
  await db.write(async (tx) => {
    for (const request of pendingRequests) await saveRequest(tx, request);
    for (const request of outboundRequests) await saveOutbound(tx, request);
    for (const message of inbox) {
      await takePlace(tx, inbox.length);
      const { messageId: id, receivedAtMs: seenAtMs } = message;
      const seen = { id, seenAtMs, untilMs: seenAtMs + SEEN_IDS_MS, share: message.from };
      await insertInbox(tx, message, JSON.stringify(message.metadata), seen, null);
    }
  });
}
