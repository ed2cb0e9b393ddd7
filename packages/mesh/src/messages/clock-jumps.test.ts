import { DAY_MS, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import { expect, test } from "vitest";
import { stranger, type TestNode, testNode } from "../testing.ts";

/** Ana on a machine whose clock somebody sets, and a peer that is driven by hand. */
async function wrongClock(features: readonly string[]) {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(3);
  const internet = memoryInternet({ clock, random });
  const host = internet.host({ address: "192.168.7.10" });
  let skewMs = 0;
  const own = { ...clock, now: () => clock.now() + skewMs };
  const ana = await testNode({
    clock: own,
    random,
    wire: host.wire,
    seed: new Uint8Array(32).fill(1),
    host: "127.0.0.1",
    port: 8100,
  });
  const bo = stranger(clock, host);
  await bo.post(ana, "connection_request", bo.request({ features: [...features] }));
  const wait = async (ms: number) => {
    for (let left = ms; left > 0; left -= SECOND_MS) {
      await clock.advance(Math.min(left, SECOND_MS));
      await ana.job("outbox.retry");
      await ana.job("messages.purge");
      await ana.mesh.idle();
    }
  };
  const set = (ms: number) => {
    skewMs = ms;
  };
  return { clock, internet, ana, bo, wait, set, tried: () => bo.heardAt("/message").length };
}
const send = (ana: TestNode, bo: { id: string }): Promise<JsonObject> =>
  ana.tool("send_message", { content: "hi", target_agent_id: bo.id });

test("a clock that is set back by a day delays nothing", async () => {
  const { internet, ana, bo, wait, set, tried } = await wrongClock(["ids25h/1"]);
  await using _ = ana;
  set(DAY_MS);
  const lost = internet.lose("answer");
  await send(ana, bo);
  lost[Symbol.dispose]();
  set(0);
  await wait(60 * SECOND_MS);
  expect(tried()).toBeGreaterThan(1);
});

test("a clock that is set back does not make a message that left repeated when its agent has forgotten it", async () => {
  const { internet, ana, bo, wait, set, tried } = await wrongClock([]);
  await using _ = ana;
  set(DAY_MS);
  const lost = internet.lose("answer");
  await send(ana, bo);
  await wait(30 * SECOND_MS);
  set(0);
  await wait(400 * SECOND_MS);
  lost[Symbol.dispose]();
  const then = tried();
  await wait(1200 * SECOND_MS);
  expect(tried()).toBe(then);
});

test("a clock that leaps a day ahead and is put right again loses nothing", async () => {
  const { internet, ana, bo, wait, set, tried } = await wrongClock(["ids25h/1"]);
  await using _ = ana;
  const lost = internet.lose("request");
  await send(ana, bo);
  await wait(40 * SECOND_MS);
  set(DAY_MS + 1000);
  await wait(60 * SECOND_MS);
  set(0);
  lost[Symbol.dispose]();
  await wait(120 * SECOND_MS);
  expect(tried()).toBe(1);
});
