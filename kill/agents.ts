import { setTimeout as sleep } from "node:timers/promises";
import { type Result, SessionEnded } from "../bench/lib/session.ts";
import type { Side } from "./side.ts";
import { onTheWay, waiting } from "./verdict.ts";

/** What was said and answered, as the two agents know it. */
export interface Account {
  /** Messages whose sending was answered with success: they must never be lost. */
  readonly acknowledged: Set<string>;
  /** Answers that the receiving agent was told it has given, by message: it must never see these again. */
  readonly answered: Map<string, string>;
  /** Messages shown to the agent after that. */
  readonly shownAgain: Set<string>;
  /** What the agents were answered that was neither success nor the end of a session, and how often. */
  readonly troubles: Map<string, number>;
}

export interface Agents {
  readonly account: Account;
  /** Sends no more, and goes on answering until nothing is left to answer, or the time is over. */
  finish(): Promise<void>;
}

const LANES = 4;
/**
 * A sender keeps its newest hundred messages, those that never left among them (mesh.md 4): it pauses when so many
 * were sent after one that has no answer yet.
 */
const WINDOW = 80;
const PAUSE_MS = 10;
const LOOK_MS = 100;
/** After a failure: what cannot be delivered now cannot be a moment later either. */
const BACK_OFF_MS = 150;
/** Answers held by a killed node go out by themselves within seconds. */
const FINISH_WITHIN_MS = 45_000;

interface Listed {
  readonly messages: readonly { readonly message_id: string }[];
}

/** Sets the sender's agent to send and the receiver's to answer, both as fast as they are served. */
export function startAgents(sender: Side, receiver: Side): Agents {
  const account: Account = {
    acknowledged: new Set(),
    answered: new Map(),
    shownAgain: new Set(),
    troubles: new Map(),
  };
  const { acknowledged, answered } = account;
  /** Messages without an answer, with the numbers of their calls, oldest first. */
  const open = new Map<string, number>();
  let sending = true;
  let working = true;
  let calls = 0;
  let answers = 0;

  const mayDrop = () => calls - (open.values().next().value ?? calls) >= WINDOW;

  async function send(): Promise<void> {
    while (sending) {
      if (mayDrop()) {
        await sleep(PAUSE_MS);
        continue;
      }
      const call = ++calls;
      const args = { content: `message ${call}`, target_agent_id: receiver.agentId };
      const result = await attempt(account, sender, "darkmatter_send_message", args);
      const routedTo = result?.routed_to as readonly string[] | undefined;
      if (result?.success === true && routedTo?.includes(receiver.agentId)) {
        const id = String(result.message_id);
        acknowledged.add(id);
        open.set(id, call);
      } else await sleep(BACK_OFF_MS);
    }
  }

  async function look(): Promise<void> {
    for (; working; await sleep(PAUSE_MS)) {
      await inLanes([...open.keys()], async (id) => {
        const sent = await attempt(account, sender, "darkmatter_get_sent_message", { message_id: id });
        if (sent?.status === "responded") open.delete(id);
      });
    }
  }

  async function answer(id: string): Promise<void> {
    // Never the same text twice: two answers to one message cannot be taken for a repeat.
    const response = `answer ${++answers}`;
    const args = { message_id: id, response };
    const result = await attempt(account, receiver, "darkmatter_respond_message", args);
    if (result?.success === true) answered.set(id, response);
    else await sleep(BACK_OFF_MS);
  }

  async function read(): Promise<void> {
    while (working) {
      const page = (await attempt(account, receiver, "darkmatter_list_inbox", {})) as Listed | undefined;
      const ids = page?.messages?.map(({ message_id }) => message_id) ?? [];
      for (const id of ids) if (answered.has(id)) account.shownAgain.add(id);
      if (ids.length === 0) await sleep(PAUSE_MS);
      await inLanes(ids, answer);
    }
  }

  const lanes = Array.from({ length: LANES }, send);
  const work = Promise.all([...lanes, look(), read()]);
  // Awaited at the end; until then a failure must not go unheard.
  work.catch(() => undefined);

  return {
    account,
    async finish() {
      sending = false;
      const end = performance.now() + FINISH_WITHIN_MS;
      await Promise.all(lanes);
      // What could not be brought while the receiver was away comes by itself, and waits for an answer then.
      const isSettled = () =>
        open.size === 0 && onTheWay(sender).length === 0 && waiting(account, sender, receiver).length === 0;
      while (performance.now() < end && !isSettled()) await sleep(LOOK_MS);
      working = false;
      await work;
    },
  };
}

async function inLanes(ids: readonly string[], act: (id: string) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) await act(id);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** A tool's result; `undefined` when nobody was left to answer, or the answer was an error. */
async function attempt(
  account: Account,
  side: Side,
  tool: string,
  args: object,
): Promise<Result | undefined> {
  try {
    const result = await side.call(tool, args);
    if (result.success === false) note(account, tool, String(result.error));
    return result;
  } catch (error) {
    if (!(error instanceof SessionEnded)) note(account, tool, (error as Error).message);
    await sleep(PAUSE_MS);
    return undefined;
  }
}

function note({ troubles }: Account, tool: string, text: string): void {
  const what = `${tool}: ${text.replaceAll(/'?(msg-)?[0-9a-f]{8,}'?/g, "…").slice(0, 120)}`;
  troubles.set(what, (troubles.get(what) ?? 0) + 1);
}
