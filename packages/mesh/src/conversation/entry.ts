import type { JsonObject } from "@darkmatter/core";

export const CONVERSATION_ENTRIES_MAX = 500;
export const CONVERSATION_CONTENT_CODE_POINTS_MAX = 2000;

export type EntryType = "direct" | "broadcast" | "reply" | "forward";

/** One line of what was said, by us or to us: the agent's memory (mesh.md 14). */
export interface ConversationEntry {
  readonly messageId: string;
  readonly content: string;
  readonly from: string;
  readonly to: readonly string[];
  /** ISO 8601. */
  readonly at: string;
  readonly entryType: EntryType;
  readonly direction: "inbound" | "outbound";
  /** For what came in: our score of the sender at that time. 0 for our own words. */
  readonly trust: number;
  readonly metadata: JsonObject;
}

/** What decides how much an entry matters to an agent. */
export type Ranked = {
  readonly messageId: string;
  readonly at: string;
  readonly trust: number;
  readonly entryType: string;
  readonly direction: string;
};

/** An entry as a feed shows it. */
export interface Said extends Ranked, Pick<ConversationEntry, "content" | "from" | "to"> {}
