import { expect, test } from "vitest";
import { atSessionStart, beforeStop, type HookEvent, withPrompt } from "./hook-words.ts";

const NONE = { messages: 0, requests: 0, wanted: 0, newestAtMs: 0, ids: [] };
const TWO = { messages: 2, requests: 1, wanted: 1, newestAtMs: 100, ids: ["msg-0123456789ab"] };

const event = (over: Partial<HookEvent> = {}): HookEvent => ({ unread: TWO, toldMs: 0, given: {}, ...over });

test("a hook says nothing when nothing waits", () => {
  for (const hook of [atSessionStart, withPrompt, beforeStop])
    expect(hook(event({ unread: NONE }))).toBeUndefined();
});

test("a session begins with all that waits, in numbers and ids", () => {
  expect(atSessionStart(event({ toldMs: 100 }))).toEqual({
    hookSpecificOutput: {
      hookEventName: "SessionStart",
      additionalContext:
        "DarkMatter: 2 unread messages (darkmatter_list_inbox), 1 connection request " +
        "(darkmatter_list_pending_requests) from other agents. Newest ids: msg-0123456789ab.",
    },
  });
});

test("a prompt is told only of what has come since", () => {
  expect(withPrompt(event({ toldMs: 99 }))).toMatchObject({
    hookSpecificOutput: { hookEventName: "UserPromptSubmit" },
  });
  expect(withPrompt(event({ toldMs: 100 }))).toBeUndefined();
});

test("an agent is kept from stopping once for each message", () => {
  expect(beforeStop(event())).toMatchObject({
    decision: "block",
    reason: expect.stringContaining("2 unread messages"),
  });
  expect(beforeStop(event({ toldMs: 100 }))).toBeUndefined();
});

test("an agent that goes on because of the hook is let stop", () => {
  expect(beforeStop(event({ given: { stop_hook_active: true } }))).toBeUndefined();
});

test("a message that may not take the agent's time keeps it from nothing", () => {
  expect(beforeStop(event({ unread: { ...TWO, wanted: 0, newestAtMs: 0, ids: [] } }))).toBeUndefined();
});
