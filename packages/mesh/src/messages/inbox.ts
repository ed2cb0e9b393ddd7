import type { Read } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import type { InboxMessage } from "./message.ts";
import { countInbox, readInbox, readInboxAll } from "./messages.store.ts";

/** What waits for our agent. */
export interface Inbox {
  /** Throws NOT_FOUND. */
  get(tx: Read, messageId: string): Promise<InboxMessage>;
  /** Unread ones first, each oldest first. */
  list(tx: Read, limit: number): Promise<InboxMessage[]>;
  count(tx: Read): Promise<number>;
}

/** Messages one list shows. */
export const INBOX_PAGE_MAX = 50;

export const inbox: Inbox = {
  async get(tx, messageId) {
    const message = await readInbox(tx, messageId);
    if (!message) throw meshError("NOT_FOUND", `No queued message with ID '${messageId.slice(0, 128)}'.`);
    return message;
  },
  list: readInboxAll,
  count: countInbox,
};
