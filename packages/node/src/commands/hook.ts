import { join } from "node:path";
import { hasCode, type JsonObject } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { readHookInput } from "../adapters/hook-input.ts";
import { readHookMarks, writeHookMarks } from "../adapters/hook-marks.ts";
import { look } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import { atSessionStart, beforeStop, type HookWords, withPrompt } from "../hook-words.ts";
import type { MainOptions } from "../main-options.ts";
import { owningOptions } from "./context.ts";

interface Hook {
  readonly name: string;
  readonly summary: string;
  readonly say: HookWords;
}

const HOOKS: readonly Hook[] = [
  {
    name: "session-start",
    summary: "for a client's hook: tell its agent, when a session begins, what waits",
    say: atSessionStart,
  },
  {
    name: "prompt",
    summary: "for a client's hook: tell its agent, with a prompt, of messages that are new",
    say: withPrompt,
  },
  {
    name: "stop",
    summary: "for a client's hook: before its agent stops, have it look at new messages, once for each",
    say: beforeStop,
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

async function saidBy(hook: Hook, given: JsonObject, input: CommandInput, main: MainOptions) {
  const { minTrust } = parseConfig(process.env).agent;
  const { readUnread } = await import("@darkmatter/mesh");
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
