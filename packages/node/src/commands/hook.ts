import { join } from "node:path";
import { hasCode, type JsonObject } from "@darkmatter/core";
import { readUnread, type Unread } from "@darkmatter/mesh";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { readHookInput } from "../adapters/hook-input.ts";
import { readHookMarks, writeHookMarks } from "../adapters/hook-marks.ts";
import { look } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import type { MainOptions } from "../main-options.ts";
import { owningOptions } from "./context.ts";

/** What a hook says to its client, as Claude Code reads it; nothing where there is nothing to say. */
type Said = JsonObject | undefined;

interface Event {
  readonly unread: Unread;
  /** Until when this hook told of messages before. */
  readonly toldMs: number;
  readonly given: JsonObject;
}

interface Hook {
  readonly name: string;
  readonly summary: string;
  say(event: Event): Said;
}

const HOOKS: readonly Hook[] = [
  {
    name: "session-start",
    summary: "for a client's hook: tell its agent, when a session begins, what waits",
    say: ({ unread }) => told("SessionStart", unread, unread.messages + unread.requests > 0),
  },
  {
    name: "prompt",
    summary: "for a client's hook: tell its agent, with a prompt, of messages that are new",
    say: ({ unread, toldMs }) => told("UserPromptSubmit", unread, unread.newestAtMs > toldMs),
  },
  {
    name: "stop",
    summary: "for a client's hook: before its agent stops, have it look at new messages, once for each",
    say: ({ unread, toldMs, given }) => {
      // The client says so itself when this hook kept its agent from stopping: twice in a row would be a loop.
      if (given.stop_hook_active === true || unread.newestAtMs <= toldMs) return undefined;
      const reason = `${waiting(unread)} Look at them, answer what deserves an answer, then stop.`;
      return { decision: "block", reason };
    },
  },
];

/** `hook`: what clients call at points of a session. Never fails and says nothing when nothing waits. */
export function hookCommands(main: MainOptions): Command[] {
  return HOOKS.map((hook) => ({
    name: `hook ${hook.name}`,
    summary: hook.summary,
    arguments: [],
    options: [],
    run: (input) => run(hook, input, main),
  }));
}

async function run(hook: Hook, input: CommandInput, main: MainOptions): Promise<ExitCode> {
  // A helper was started for one message, and is not to be told of others.
  if (process.env.DARKMATTER_MCP_TOKEN) return EXIT_OK;
  const given = await readHookInput(process.stdin);
  try {
    const said = await saidBy(hook, given, input, main);
    if (said) input.out.result(JSON.stringify(said), said);
  } catch (error) {
    // A folder without an agent has nothing that waits; anything else a client's user should not stumble over either.
    if (!hasCode(error, "NO_NODE")) process.stderr.write("darkmatter hook: see darkmatter doctor\n");
  }
  return EXIT_OK;
}

async function saidBy(hook: Hook, given: JsonObject, input: CommandInput, main: MainOptions): Promise<Said> {
  const { minTrust } = parseConfig(process.env).agent;
  const { unread, folder } = await look(owningOptions(input, main), async ({ agent, db }) => ({
    unread: await readUnread(db, minTrust),
    folder: agent.places.folder,
  }));
  const path = join(folder, "hook.json");
  const marks = readHookMarks(path);
  const said = hook.say({ unread, toldMs: marks[hook.name] ?? 0, given });
  // Noted before it is said: what cannot be noted would be said for ever.
  if (said) writeHookMarks(path, { ...marks, [hook.name]: unread.newestAtMs });
  return said;
}

const told = (hookEventName: string, unread: Unread, isNews: boolean): Said =>
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
