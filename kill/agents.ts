import { setTimeout as sleep } from "node:timers/promises";
import { SessionEnded } from "../bench/lib/session.ts";
import type { Side } from "./side.ts";

/** What was said and answered, as the two agents know it. */
export interface Record {
  /** Messages whose sending was answered with success: they must never be lost. */
  readonly acknowledged: Set<string>;
  /** Messages the receiving agent was told it has answered: it must never see them again. */
  readonly answered: Set<string>;
  /** Messages shown to the agent after that. */
  readonly shownAgain: Set<string>;
  /** Messages the agent was told it cannot answer any more. */
  readonly refused: Set<string>;
  /** What the agents were answered that was neither success nor the end of a session, and how often. */
  readonly troubles: Map<string, number>;
}

export interface Agents {
  readonly record: Record;
  /** Sends no more, and answers what there is until nothing is left. */
  finish(): Promise<void>;
}

const LANES = 4;
/** Messages on their way without an answer: more would be dropped from the sender's hundred (mesh.md 4). */
const UNANSWERED_MAX = 60;
const PAUSE_MS = 5;
/** After a failure: what cannot be delivered now cannot be a moment later either. */
const BACK_OFF_MS = 150;
const FINISH_WITHIN_MS = 60_000;

interface Listed {
  readonly messages: readonly { readonly message_id: string }[];
}

/** Sets the sender's agent to send and the receiver's to answer, both as fast as they are served. */
export function startAgents(sender: Side, receiver: Side): Agents {
  const record: Record = {
    acknowledged: new Set(),
    answered: new Set(),
    shownAgain: new Set(),
    refused: new Set(),
    troubles: new Map(),
  };
  let sending = true;
  let answering = true;
  let number = 0;
  let idleLooks = 0;

  const open = () => record.acknowledged.difference(record.answered).difference(record.refused).size;

  async function send(): Promise<void> {
    while (sending) {
      if (open() >= UNANSWERED_MAX) await sleep(PAUSE_MS);
      else {
        const content = `message ${++number}`;
        const args = { content, target_agent_id: receiver.agentId };
        const result = await attempt(record, sender, "darkmatter_send_message", args);
        const routedTo = result?.routed_to as readonly string[] | undefined;
        if (result?.success === true && routedTo?.includes(receiver.agentId)) {
          record.acknowledged.add(String(result.message_id));
        } else await sleep(BACK_OFF_MS);
      }
    }
  }

  async function answer(id: string): Promise<void> {
    // Never the same text twice: two answers to one message cannot be taken for a repeat.
    const response = `answer ${++number}`;
    const args = { message_id: id, response };
    const result = await attempt(record, receiver, "darkmatter_respond_message", args);
    if (result?.success === true) record.answered.add(id);
    else if (/404/.test(String(result?.error))) record.refused.add(id);
  }

  async function read(): Promise<void> {
    while (answering) {
      const page = (await attempt(record, receiver, "darkmatter_list_inbox", {})) as Listed | undefined;
      const ids = page?.messages?.map(({ message_id }) => message_id) ?? [];
      for (const id of ids) if (record.answered.has(id)) record.shownAgain.add(id);
      const todo = ids.filter((id) => !record.refused.has(id));
      idleLooks = page && todo.length === 0 ? idleLooks + 1 : 0;
      if (todo.length === 0) await sleep(PAUSE_MS);
      await inLanes(todo, answer);
    }
  }

  const work = Promise.all([...Array.from({ length: LANES }, send), read()]);
  // Awaited at the end; until then a failure must not go unheard.
  work.catch(() => undefined);

  return {
    record,
    async finish() {
      sending = false;
      idleLooks = 0;
      const end = performance.now() + FINISH_WITHIN_MS;
      // Answers held by a killed node go out by themselves within seconds.
      const quiet = 7000 / PAUSE_MS;
      while (performance.now() < end && idleLooks * 2 < quiet) await sleep(100);
      answering = false;
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
async function attempt(record: Record, side: Side, tool: string, args: object) {
  try {
    const result = await side.call(tool, args);
    if (result.success === false) note(record, tool, String(result.error));
    return result;
  } catch (error) {
    if (!(error instanceof SessionEnded)) note(record, tool, (error as Error).message);
    await sleep(PAUSE_MS);
    return undefined;
  }
}

function note({ troubles }: Record, tool: string, text: string): void {
  const what = `${tool}: ${text.replaceAll(/'?(msg-)?[0-9a-f]{8,}'?/g, "…").slice(0, 120)}`;
  troubles.set(what, (troubles.get(what) ?? 0) + 1);
}
