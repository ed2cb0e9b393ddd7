import { type JsonObject, type Random, SECOND_MS } from "@darkmatter/core";
import type { Account } from "./account.ts";
import type { Machine } from "./machine.ts";
import { oneOf } from "./plan.ts";
import type { World } from "./world.ts";

/** An agent as it works: it sends, reads, answers, passes on, changes its mind and falls silent. */
export interface Agent {
  readonly machine: Machine;
  /** Works until it is told to stop. */
  work(): Promise<void>;
  stop(): void;
  /** Looks at its inbox and answers what is there; how many messages it saw. */
  readInbox(): Promise<number>;
  /** Sends one message and keeps account of what it was told. */
  send(to: readonly string[], content?: string): Promise<JsonObject | undefined>;
}

export interface AgentOptions {
  /** Milliseconds between two acts, at most; half as many at least. */
  readonly pauseMs?: number;
}

const PAUSE_MS = 12 * SECOND_MS;
/** A session repeats a call whose node died under it, under the same id, once another node serves. */
const REPEATS_MAX = 5;
const REPEAT_AFTER_MS = 10 * SECOND_MS;
const FILLING_MAX = 40;

export function createAgent(
  world: World,
  machine: Machine,
  account: Account,
  { pauseMs = PAUSE_MS }: AgentOptions = {},
): Agent {
  const random = world.random(`agent ${machine.name}`);
  const { id: self } = machine;
  let isStopped = false;
  let calls = 0;
  const sentIds: string[] = [];

  /** Insists like a session does that takes over, or lets the outcome be. */
  async function call(tool: string, input: object): Promise<JsonObject | undefined> {
    const callId = `${machine.name}-${++calls}`;
    const insists = random.integer(4) > 0;
    for (let turn = 0; turn < (insists ? REPEATS_MAX : 1); turn++) {
      const answer = await machine.call(tool, input, callId);
      if (answer) return answer;
      await world.clock.sleep(REPEAT_AFTER_MS);
    }
    return undefined;
  }

  async function peers(): Promise<string[]> {
    const answer = await machine.call("list_connections");
    return rows(answer?.connections).map(({ agent_id: id }) => String(id));
  }

  async function send(to: readonly string[], content = words(random, `${machine.name} ${calls}`)) {
    account.saying(self, content);
    const answer = await call("send_message", { content, target_agent_ids: to });
    note(content, answer);
    return answer;
  }

  function note(content: string, answer: JsonObject | undefined): void {
    if (typeof answer?.message_id !== "string") return;
    const messageId = answer.message_id;
    sentIds.push(messageId);
    const from = self;
    const atMs = world.clock.monotonic();
    for (const to of ids(answer.routed_to))
      account.told({ messageId, content, from, to, state: "stored", atMs });
    for (const to of ids(answer.queued_for))
      account.told({ messageId, content, from, to, state: "queued", atMs });
  }

  async function broadcast() {
    const content = words(random, `${machine.name} tells all ${calls}`);
    account.saying(self, content);
    note(content, await call("send_message", { content, broadcast: true, trust_min: -1 }));
  }

  async function readInbox(): Promise<number> {
    const page = await machine.call("list_inbox");
    const messages = rows(page?.messages);
    for (const message of messages) account.showed(self, String(message.message_id));
    for (const message of messages) await decide(message);
    return messages.length;
  }

  async function decide(message: JsonObject): Promise<void> {
    const messageId = String(message.message_id);
    const choice = random.integer(10);
    if (choice < 7) await reply(messageId, String(message.from_agent_id));
    else if (choice < 8) await forward(messageId, String(message.content));
  }

  async function reply(messageId: string, to: string): Promise<void> {
    const text = words(random, `answer of ${machine.name} to ${messageId}`);
    account.answering(self, messageId, text);
    const answer = await call("respond_message", { message_id: messageId, response: text });
    if (answer?.success === true) account.answered({ messageId, from: self, to, text });
  }

  async function forward(messageId: string, content: string): Promise<void> {
    const others = await peers();
    if (others.length === 0) return;
    const target = oneOf(random, others);
    account.passing(self, messageId);
    const answer = await call("send_message", { message_id: messageId, target_agent_id: target });
    for (const { agent_id: to, success, queued } of rows(answer?.results)) {
      if (success !== true) continue;
      const state = queued === true ? "queued" : "stored";
      const atMs = world.clock.monotonic();
      account.told({ messageId, content, from: self, to: String(to), state, atMs });
    }
  }

  async function act(): Promise<void> {
    const choice = random.integer(100);
    if (choice < 55) {
      const all = await peers();
      if (all.length > 0) await send([oneOf(random, all)]);
    } else if (choice < 85) await readInbox();
    else if (choice < 88) await broadcast();
    else if (choice < 91) await call("update_bio", { bio: words(random, `bio of ${machine.name}`) });
    else if (choice < 94) await impress();
    else if (choice < 96) await withdraw();
    else if (choice < 97) await machine.call("set_status", { status: "inactive", duration_minutes: 1 });
    else await machine.call("list_messages");
  }

  async function impress(): Promise<void> {
    const all = await peers();
    if (all.length === 0) return;
    const score = random.integer(11) / 10;
    await call("set_impression", { agent_id: oneOf(random, all), score, note: words(random, "note") });
  }

  async function withdraw(): Promise<void> {
    const messageId = sentIds.at(-1);
    if (messageId === undefined) return;
    account.withdrew(messageId);
    await call("expire_message", { message_id: messageId });
  }

  return {
    machine,
    async work() {
      while (!isStopped) {
        await world.clock.sleep(pauseMs / 2 + random.integer(pauseMs / 2));
        if (machine.running && !isStopped) await act();
      }
    },
    stop() {
      isStopped = true;
    },
    readInbox,
    send,
  };
}

export const rows = (value: unknown): readonly JsonObject[] =>
  Array.isArray(value) ? (value as JsonObject[]) : [];

const ids = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

/** Something to say that nobody else says. */
function words(random: Random, about: string): string {
  const filling = "lorem ipsum ".repeat(random.integer(FILLING_MAX));
  return `${about} ${filling}${random.integer(2 ** 32).toString(36)}`;
}
