import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { heldBy } from "../evidence.ts";
import type { Machine } from "../machine.ts";
import { type Scenario, type Stage, scenario, stateOf } from "./stage.ts";

/** Or further: its reader may have looked at it. */
async function isStored(stage: Stage, from: Machine, id: string): Promise<boolean> {
  return /^(stored|read|acted)\b/.test(await stateOf(stage, from, id));
}

const pairOf = ({ machines }: Stage) => machines as unknown as [Machine, Machine, Machine];

/** Messages that wait, come twice, or lose their answer. */
export const DELIVERY: readonly Scenario[] = [
  scenario(
    "queue-over-restarts",
    "a queued message survives restarts of both ends and arrives once",
    async (stage) => {
      const [one, other] = pairOf(stage);
      other.kill();
      const id = await stage.send(one, other);
      await stage.pass(20 * SECOND_MS);
      one.kill();
      await stage.pass(10 * SECOND_MS);
      await stage.start(one);
      other.port += 50;
      await stage.start(other);
      await stage.mustArrive(other, id, MINUTE_MS);
      await stage.must("its sender is told", MINUTE_MS, () => isStored(stage, one, id));
    },
  ),

  scenario(
    "long-away",
    "a peer that was away for half an hour gets what waited, elsewhere",
    async (stage) => {
      const [one, other] = pairOf(stage);
      other.kill();
      const id = await stage.send(one, other);
      await stage.pass(30 * MINUTE_MS);
      other.host.move("5.6.7.99");
      other.port += 50;
      await stage.start(other);
      await stage.mustArrive(other, id, 30 * SECOND_MS);
    },
    true,
  ),

  scenario("asleep", "a peer that slept a minute has what waited within seconds of waking", async (stage) => {
    const [one, other] = pairOf(stage);
    const { world } = stage;
    const { life } = other.running ?? {};
    life?.freeze();
    const id = await stage.send(one, other);
    await stage.pass(MINUTE_MS);
    world.trace.note("thaw", other.name);
    life?.thaw();
    await stage.mustArrive(other, id, 10 * SECOND_MS);
  }),

  scenario(
    "answer-lost",
    "a message whose answer was lost is there once, and its sender is told",
    async (stage) => {
      const [one, other] = pairOf(stage);
      stage.world.internet.lose("answer", { from: one.host.name, to: other.host.name }, { times: 1 });
      const id = await stage.send(one, other);
      await stage.mustArrive(other, id, SECOND_MS);
      await stage.must("its sender is told", MINUTE_MS, () => isStored(stage, one, id));
      await stage.pass(2 * MINUTE_MS);
      await stage.mustArrive(other, id, SECOND_MS);
    },
  ),

  scenario("repeated", "requests that come twice are acted on once", async (stage) => {
    const [one, other] = pairOf(stage);
    using _twice = stage.world.internet.duplicate();
    for (let count = 0; count < 5; count++) {
      const id = await stage.send(one, other);
      await stage.mustArrive(other, id, 10 * SECOND_MS);
      await stage.call(other, "respond_message", { message_id: id, response: `answer ${count}` });
      await stage.pass(5 * SECOND_MS);
      const sent = await stage.call(one, "get_sent_message", { message_id: id });
      const { length } = sent.responses as unknown[];
      if (length !== 1) stage.problem(`${length} answers to ${id}`);
    }
  }),

  scenario("silent-peers", "peers that never answer hold up nobody", async (stage) => {
    const [one, ...others] = pairOf(stage);
    for (let count = 0; count < 4; count++) {
      const more = await stage.add();
      await stage.connect(one, more);
      stage.world.internet.partition(one.host.name, more.host.name, { silent: true });
    }
    const started = stage.world.clock.monotonic();
    const answer = await stage.call(one, "send_message", { content: "to all" });
    const tookMs = stage.world.clock.monotonic() - started;
    if (tookMs > 15 * SECOND_MS) stage.problem(`the call took ${tookMs} ms`);
    for (const other of others) await stage.mustArrive(other, String(answer.message_id), SECOND_MS);
  }),

  scenario(
    "one-way",
    "what one side cannot bring waits, and arrives when the way is open again",
    async (stage) => {
      const [one, other] = pairOf(stage);
      const cut = stage.world.internet.partition(one.host.name, other.host.name, { oneWay: true });
      const id = await stage.send(one, other);
      const back = await stage.send(other, one);
      await stage.mustArrive(one, back, 10 * SECOND_MS);
      await stage.pass(2 * MINUTE_MS);
      cut[Symbol.dispose]();
      await stage.mustArrive(other, id, MINUTE_MS);
    },
  ),

  scenario("wrong-clocks", "nodes whose clocks are four minutes apart talk", async (stage) => {
    const [one, other] = pairOf(stage);
    one.skewMs = -2 * MINUTE_MS;
    other.skewMs = 2 * MINUTE_MS;
    await stage.mustArrive(other, await stage.send(one, other), 5 * SECOND_MS);
    await stage.mustArrive(one, await stage.send(other, one), 5 * SECOND_MS);
    one.skewMs = 2 * MINUTE_MS;
    other.skewMs = -2 * MINUTE_MS;
    await stage.mustArrive(other, await stage.send(one, other), 5 * SECOND_MS);
  }),

  scenario("withdrawn", "a message withdrawn while it waits is not delivered", async (stage) => {
    const [one, other] = pairOf(stage);
    other.kill();
    const id = await stage.send(one, other);
    await stage.call(one, "expire_message", { message_id: id });
    await stage.start(other);
    await stage.pass(2 * MINUTE_MS);
    if ((await heldBy(other, id)) > 0) stage.problem("it was delivered");
  }),

  scenario(
    "given-up",
    "after 24 h a message that nobody took has expired, and its sender is told",
    async (stage) => {
      const [one, other] = pairOf(stage);
      other.kill();
      const id = await stage.send(one, other);
      await stage.pass(25 * 60 * MINUTE_MS);
      const state = await stateOf(stage, one, id);
      if (!state.startsWith("expired")) stage.problem(`its state is ${state}`);
    },
    true,
  ),
];
