import { type Clock, hasCode, isoTime, type JsonObject } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { PEER_WORDS, shownMetadata } from "../answers.ts";
import type { Giving } from "../receipts/giving.ts";
import type { Services } from "../services.ts";
import { INBOX_PAGE_MAX } from "./inbox.ts";
import { type InboxMessage, listed } from "./message.ts";
import { markRead } from "./messages.store.ts";
import { countNewNotes, markNotesShown, type Note, readNotes } from "./notes.store.ts";

/** The inbox as the tool shows it. A message shown whole counts as read (mesh.md 22.2). */
export async function inboxPage({ db, inbox, ports, giving, changed }: Services): Promise<JsonObject> {
  const messages = await inbox.list(db, INBOX_PAGE_MAX);
  const total = await inbox.count(db);
  const whole = messages.filter((message) => !message.read && listed(message.content) === message.content);
  const notes = await readNotes(db);
  if (whole.length > 0 || (await countNewNotes(db)) > 0) {
    const noted = db.write(async (tx) => {
      await markNotesShown(tx);
      for (const message of whole) await noteRead(tx, message, ports.clock, giving);
      tx.afterCommit(changed);
    });
    // A command that looks while no node runs changes nothing: the agent has still to be told of the messages.
    await noted.catch((error: unknown) => {
      if (!hasCode(error, "DATABASE_READ_ONLY")) throw error;
    });
  }
  return {
    total,
    messages: messages.map((message) => inboxMessage(message, listed(message.content))),
    // Beside the messages: these are our own node's words, and no agent's.
    ...(notes.length > 0 && { notes_of_this_node: notes.map(shownNote) }),
    ...(messages.length > 0 && {
      next_step:
        "Answer with darkmatter_send_message(reply_to=…, content=…); read cut ones with darkmatter_get_message.",
      peer_words: PEER_WORDS,
    }),
  };
}

const shownNote = ({ at, messageId, agentId, text }: Note): JsonObject => ({
  at,
  ...(messageId !== "" && { message_id: messageId }),
  agent_id: agentId,
  note: text,
});

/** Notes that our agent was shown a message whole; the first time its author may hear so. */
export async function noteRead(
  tx: Write,
  message: InboxMessage,
  clock: Clock,
  giving: Giving,
): Promise<void> {
  if (await markRead(tx, message.messageId, clock.now())) await giving.give(tx, message, "read", null);
}

export function inboxMessage(message: InboxMessage, content: string): JsonObject {
  return {
    message_id: message.messageId,
    content,
    webhook: message.webhook,
    hops_remaining: message.hopsRemaining,
    can_forward: message.hopsRemaining > 0,
    from_agent_id: message.from,
    verified: message.verified,
    metadata: shownMetadata(message.metadata),
    received_at: isoTime(message.receivedAtMs),
    read: message.read,
  };
}
