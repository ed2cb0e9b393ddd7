import { type JsonObject, reasonOf, SECOND_MS, systemClock } from "@darkmatter/core";
import { type DemoNode, startDemoNode } from "../adapters/demo-node.ts";
import { temporaryFolder } from "../adapters/temporary-folder.ts";
import { type Visit, visit } from "../adapters/visit.ts";
import { rows } from "../commands/context.ts";
import { nodeError } from "../errors.ts";

/** How long a test message may take to wake the agent: the push channel's and the hook's time, and a helper's start. */
export const WAKE_WITHIN_MS = 60 * SECOND_MS;
const LOOK_EVERY_MS = 500;

const NAME = "darkmatter doctor";
const CONTENT =
  "This is a test of your owner's (darkmatter doctor wake): it shows whether a message wakes you. Answer with one word.";

type Call = Visit["call"];

/** One rung of the test message's ladder, as our own node signed it. */
export interface WakeRung {
  readonly rung: string;
  /** The way that was asked, or that woke. */
  readonly detail: string | null;
  /** Milliseconds after the message was sent. */
  readonly afterMs: number;
}

export interface WakeReport {
  readonly rungs: readonly WakeRung[];
  /** Whether the agent looked at the message, and by which way it came to that; `null` when it was awake anyway. */
  readonly woke: boolean;
  readonly way: string | null;
}

/**
 * Sends the agent behind `call` a real message, by a second agent of this machine that lives as long as this takes, and
 * watches what becomes of it. Whatever happens, the second agent, its connection, the trust it was given and its
 * message are gone afterwards.
 */
export async function tryWaking(
  call: Call,
  at: { readonly url: string; readonly agentId: string },
  signal: AbortSignal,
  onRung: (rung: WakeRung) => void,
): Promise<WakeReport> {
  await using folder = await temporaryFolder();
  const tester = await startDemoNode(folder.path, NAME);
  const sent: { messageId?: string } = {};
  try {
    await makeKnown(call, tester, at.url, signal);
    return await watch(tester, at.agentId, sent, signal, onRung);
  } finally {
    await tidyUp(call, tester, sent.messageId);
  }
}

/** The second agent is connected, and trusted just enough for any way of waking. */
async function makeKnown(call: Call, tester: DemoNode, url: string, signal: AbortSignal): Promise<void> {
  const { status, message } = await as(tester, signal, (ask) =>
    ask("darkmatter_connection", { action: "request", target_url: url }),
  );
  if (status === "pending") {
    const requests = rows(await call("darkmatter_list_pending_requests"), "requests");
    const request = requests.find(({ from_agent_id }) => from_agent_id === tester.agentId);
    if (!request) throw nodeError("NODE_FAILED", `The test's request is not there: ${String(message)}`);
    await call("darkmatter_connection", { action: "accept", request_id: String(request.request_id) });
  }
  const { min_trust } = await call("darkmatter_owner_spawn_list");
  const score = Math.max(Number(min_trust) || 0, 0);
  await call("darkmatter_set_impression", { agent_id: tester.agentId, score, note: NAME });
}

async function watch(
  tester: DemoNode,
  agentId: string,
  sent: { messageId?: string },
  signal: AbortSignal,
  onRung: (rung: WakeRung) => void,
): Promise<WakeReport> {
  return as(tester, signal, async (ask) => {
    const startMs = systemClock.monotonic();
    const message = { content: CONTENT, target_agent_id: agentId };
    const { message_id: messageId } = await ask("darkmatter_send_message", message);
    sent.messageId = String(messageId);
    const rungs: WakeRung[] = [];
    while (systemClock.monotonic() - startMs < WAKE_WITHIN_MS) {
      for (const { rung, detail } of await signedRungs(ask, sent.messageId)) {
        if (rungs.some((known) => known.rung === rung)) continue;
        const seen = { rung, detail, afterMs: Math.round(systemClock.monotonic() - startMs) };
        rungs.push(seen);
        onRung(seen);
      }
      const last = rungs.findLast(({ rung }) => AWAKE.has(rung));
      if (last) return { rungs, woke: true, way: rungs.find(({ rung }) => rung === "woken")?.detail ?? null };
      await systemClock.sleep(LOOK_EVERY_MS, signal);
    }
    return { rungs, woke: false, way: null };
  });
}

/** Rungs that only an agent that started brings about. */
const AWAKE: ReadonlySet<string> = new Set(["woken", "read", "acted"]);

async function signedRungs(ask: Call, messageId: string): Promise<{ rung: string; detail: string | null }[]> {
  const { ladder } = await ask("darkmatter_get_sent_message", { message_id: messageId });
  const [first] = Array.isArray(ladder) ? (ladder as JsonObject[]) : [];
  return rows(first ?? {}, "rungs")
    .filter(({ signed }) => signed === true)
    .map(({ rung, detail }) => ({
      rung: String(rung),
      detail: typeof detail === "string" ? detail : null,
    }));
}

/** Each step by itself: what one cannot undo must not keep the others. */
async function tidyUp(call: Call, tester: DemoNode, messageId: string | undefined): Promise<void> {
  const agent_id = tester.agentId;
  const steps: (() => Promise<unknown>)[] = [
    // What was not answered leaves the inbox by an answer; nobody is woken for a message that is gone.
    async () =>
      messageId &&
      call("darkmatter_respond_message", { message_id: messageId, response: "The test is over." }),
    () => call("darkmatter_set_impression", { agent_id, impression: "" }),
    () => call("darkmatter_connection", { action: "disconnect", agent_id }),
    () => tester.stop(),
  ];
  for (const step of steps) {
    await step().catch((error: unknown) => {
      // It was answered already, or never got so far.
      if (process.env.DARKMATTER_DEBUG) process.stderr.write(`${reasonOf(error)}\n`);
    });
  }
}

/** Acts as the second agent, by a session of its own. */
function as<T>(
  { home, passport }: DemoNode,
  signal: AbortSignal,
  body: (call: Call) => Promise<T>,
): Promise<T> {
  return visit({ home, passport, signal }, "act", ({ call }) => body(call));
}
