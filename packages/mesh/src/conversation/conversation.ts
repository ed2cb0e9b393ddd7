import { cutCodePoints } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { insertEntry } from "./conversation.store.ts";
import { CONVERSATION_CONTENT_CODE_POINTS_MAX, type ConversationEntry } from "./entry.ts";

/** Adds an entry; the content is cut to what is kept. Old entries go in the background. */
export function remember(tx: Write, entry: ConversationEntry): Promise<void> {
  return insertEntry(tx, {
    ...entry,
    content: cutCodePoints(entry.content, CONVERSATION_CONTENT_CODE_POINTS_MAX),
  });
}
