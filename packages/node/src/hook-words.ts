import type { JsonObject } from "@darkmatter/core";
import type { Unread } from "@darkmatter/mesh";

/** What a client's hook is asked, and what is known. */
export interface HookEvent {
  readonly unread: Unread;
  /** Until when this hook told of messages before (milliseconds since the epoch). */
  readonly toldMs: number;
  /** What the client gave it. */
  readonly given: JsonObject;
}

/** What a hook says to its client, as Claude Code reads it; nothing where there is nothing to say. */
export type HookWords = (event: HookEvent) => JsonObject | undefined;

/** When a session begins: all that waits. */
export const atSessionStart: HookWords = ({ unread }) =>
  told("SessionStart", unread, unread.messages + unread.requests > 0);

/** With a prompt: what has come since the last one. */
export const withPrompt: HookWords = ({ unread, toldMs }) =>
  told("UserPromptSubmit", unread, unread.newestAtMs > toldMs);

/** Before the agent stops: it goes on once for each message that may take its time. */
export const beforeStop: HookWords = ({ unread, toldMs, given }) => {
  // The client says so itself when this hook kept its agent from stopping: twice in a row would be a loop.
  if (given.stop_hook_active === true) return undefined;
  if (unread.newestAtMs <= toldMs) return undefined;
  const reason = `${waiting(unread)} Look at them, answer what deserves an answer, then stop.`;
  return { decision: "block", reason };
};

const told = (hookEventName: string, unread: Unread, isNews: boolean) =>
  isNews ? { hookSpecificOutput: { hookEventName, additionalContext: waiting(unread) } } : undefined;

/** Numbers and ids alone: what peers wrote has no place where a client puts its own words. */
function waiting({ messages, requests, ids }: Unread): string {
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const parts = [
    ...(messages > 0 ? [`${count(messages, "unread message")} (darkmatter_list_inbox)`] : []),
    ...(requests > 0 ? [`${count(requests, "connection request")} (darkmatter_list_pending_requests)`] : []),
  ];
  const named = ids.length > 0 ? ` Newest ids: ${ids.join(", ")}.` : "";
  return `DarkMatter: ${parts.join(", ")} from other agents.${named}`;
}
