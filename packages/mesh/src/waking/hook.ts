import { SECOND_MS } from "@darkmatter/core";
import type { StartedProcess } from "../delegation/processes.ts";
import type { MeshPorts } from "../ports.ts";
import { isPlainId, type Summons, summonsText, type Way } from "./ways.ts";

const HOOK_WITHIN_MS = 20 * SECOND_MS;
const HOOK_REQUEST_MS = 10 * SECOND_MS;
/** A command may be the agent itself, started for this: it is ended when it has had as long as a helper. */
const END_GRACE_MS = 5 * SECOND_MS;

/** What the owner typed: a URL that is called, or a command that is started. */
export type Hook =
  | { readonly kind: "url"; readonly url: string; readonly token: string | undefined }
  | { readonly kind: "command"; readonly command: string; readonly args: readonly string[] };

/**
 * Reads `DARKMATTER_WAKE_HOOK`: an http(s) URL; a JSON array of a command and its arguments; or the same as words
 * between spaces. Nothing in it is read by a shell.
 */
export function hookOf(text: string | undefined, token: string | undefined): Hook | undefined {
  const trimmed = text?.trim() ?? "";
  if (trimmed === "") return undefined;
  if (/^https?:\/\//i.test(trimmed)) return { kind: "url", url: trimmed, token };
  const [command, ...args] = wordsOf(trimmed);
  return command === undefined ? undefined : { kind: "command", command, args };
}

function wordsOf(text: string): string[] {
  if (!text.startsWith("[")) return text.split(/\s+/);
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // No JSON: said below, as for JSON of another form.
  }
  return [];
}

type HookPorts = Pick<MeshPorts, "wire" | "clock" | "config" | "report" | "helpers">;

/** The hook of the owner's; `close` ends what it started. */
export function hookWay(ports: HookPorts): Way & { close(): Promise<void> } {
  const hook = hookOf(ports.config.wakeHook, ports.config.wakeHookToken);
  const running = new Set<StartedProcess>();

  return {
    name: "hook",
    withinMs: HOOK_WITHIN_MS,
    isThere: () => hook?.kind === "url" || (hook?.kind === "command" && ports.helpers !== undefined),

    async ask(summons, failed) {
      if (hook?.kind === "url") return called(ports, hook, summons);
      return hook?.kind === "command" && started(ports, hook, summons, running, failed);
    },

    async close() {
      await Promise.all([...running].map((process) => process.terminate(END_GRACE_MS)));
    },
  };
}

/** Whether whoever is called said yes. Its address may hold a secret: it stays out of reports. */
async function called(
  { wire, report }: HookPorts,
  { url, token }: Hook & { kind: "url" },
  summons: readonly [Summons, ...Summons[]],
): Promise<boolean> {
  const [first] = summons;
  const body = {
    event: first.kind,
    message_id: first.subject,
    from: first.from,
    count: summons.length,
    // What OpenClaw's own hook reads: words for its agent, and that it is to look now.
    text: summonsText(summons),
    mode: "now",
  };
  try {
    const { status } = await wire.request({
      method: "POST",
      url,
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      timeoutMs: HOOK_REQUEST_MS,
      // The owner typed it: its own machine and network are where such a hook is.
      reach: "private",
    });
    if (status < 300) return true;
    report("waking.hook-refused", { status });
  } catch (error) {
    report("waking.hook-failed", { reason: error instanceof Error ? error.name : "unknown" });
  }
  return false;
}

/** Whether the command was started; `failed` when it ends badly. */
async function started(
  { helpers, clock, config, report }: HookPorts,
  { command, args }: Hook & { kind: "command" },
  summons: readonly [Summons, ...Summons[]],
  running: Set<StartedProcess>,
  failed: () => void,
): Promise<boolean> {
  const [first] = summons;
  const path = await helpers?.processes.find(command);
  if (helpers === undefined || path === undefined) {
    report("waking.hook-missing", {});
    return false;
  }
  const env = {
    ...given(helpers.env),
    // Of its own messages it is not woken again.
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_EVENT: first.kind,
    DARKMATTER_MESSAGE_ID: isPlainId(first.subject) ? first.subject : "",
    DARKMATTER_FROM: isPlainId(first.from) ? first.from : "",
    DARKMATTER_COUNT: String(summons.length),
  };
  const process = helpers.processes.start({ command: path, args, cwd: helpers.cwd, env });
  running.add(process);
  const tooLong = clock.deadline(config.agent.timeoutMs);
  const stop = () => void process.terminate(END_GRACE_MS);
  tooLong.addEventListener("abort", stop, { once: true });
  void process.ended.then((end) => {
    tooLong.removeEventListener("abort", stop);
    running.delete(process);
    if (end.kind === "exited" && end.code === 0) return;
    report("waking.hook-ended", { how: end.kind });
    failed();
  });
  return true;
}

/** Settings of ours that a command needs to reach this node; the others may hold secrets. */
const KEPT = new Set(["DARKMATTER_HOME", "DARKMATTER_PASSPORT", "DARKMATTER_PORT"]);

const given = (env: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && (KEPT.has(entry[0]) || !entry[0].startsWith("DARKMATTER_")),
    ),
  );
