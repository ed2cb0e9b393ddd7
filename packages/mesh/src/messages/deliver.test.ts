import { FRESH_WITHIN_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner } from "@darkmatter/identity";
import { netError } from "@darkmatter/net";
import { expect, test } from "vitest";
import type { Connection } from "../connections/connection.ts";
import type { MeshPorts } from "../ports.ts";
import type { Outcome } from "../transports/transport.ts";
import { mayRepeat, PAUSE_LEAST_MS, PAUSE_MOST_MS, pauseAfter } from "./copy.ts";
import { createDeliverer } from "./deliver.ts";

const peerThat = (features: readonly string[]) =>
  ({ agentId: "ab".repeat(32), features }) as unknown as Connection;
const answered = (status: number, repeated = false): Outcome => {
  return {
    kind: "answered",
    way: "http",
    answer: { status, body: status < 400 ? {} : { error: "no" } },
    repeated,
  };
};
const failed = (left: boolean): Outcome => ({ kind: "failed", error: netError("TIMEOUT"), left });

test.each<[string, Outcome, { new?: string; old?: string; again?: string }]>([
  ["200", answered(200), { new: "took", old: "took" }],
  ["409 to a first attempt", answered(409), { new: "refused", old: "refused", again: "took" }],
  ["409 where another way was tried before", answered(409, true), { new: "took", old: "took" }],
  ["429", answered(429), { new: "later", old: "refused" }],
  ["503", answered(503), { new: "later", old: "refused" }],
  ["502 of a proxy", answered(502), { new: "later", old: "refused" }],
  [
    "400 of what is no node",
    { kind: "answered", way: "http", answer: { status: 400, body: {} }, repeated: false },
    { new: "unreached", old: "refused" },
  ],
  ["400", answered(400), { new: "refused", old: "refused" }],
  ["a relay that took it", { kind: "unconfirmed", way: "anchor" }, { new: "relayed", old: "relayed" }],
  ["no answer", failed(true), { new: "unreached", old: "unreached" }],
  ["nobody there", failed(false), { new: "unreached", old: "unreached" }],
])("what came of an attempt: %s", async (_title, outcome, expected) => {
  const ports = { signer: createSigner(new Uint8Array(32).fill(1)), clock: virtualClock() };
  const deliverer = createDeliverer(ports as unknown as MeshPorts, { call: async () => outcome });
  const message = { messageId: "m", content: "c", webhook: "http://a/", hopsRemaining: 1 };
  const kindOf = async (features: string[], repeated = false) =>
    (await deliverer.deliver(message, { peer: peerThat(features), metadata: {} }, repeated)).kind;
  expect(await kindOf(["ids25h/1"])).toBe(expected.new);
  expect(await kindOf([])).toBe(expected.old);
  if (expected.again) expect(await kindOf([], true)).toBe(expected.again);
});

test("pauses double from five seconds to ten minutes, and chance takes at most a fifth", () => {
  const random = seededRandom(3);
  for (let attempts = 1; attempts < 200; attempts++) {
    const longest = Math.min(PAUSE_LEAST_MS * 2 ** Math.min(attempts - 1, 20), PAUSE_MOST_MS);
    const pause = pauseAfter(attempts, random);
    expect(pause).toBeLessThanOrEqual(longest);
    expect(pause).toBeGreaterThanOrEqual(longest * 0.8 - 1);
  }
});

test("a copy that left is repeated while a repeat is known: for a day, or well within 300 s", () => {
  const [forgetful, lasting] = [peerThat([]), peerThat(["ids25h/1"])];
  expect(mayRepeat(null, forgetful, 1e12)).toBe(true);
  expect(mayRepeat(0, lasting, 1e12)).toBe(true);
  expect(mayRepeat(0, forgetful, 1000)).toBe(true);
  expect(mayRepeat(0, forgetful, FRESH_WITHIN_MS - 20_000)).toBe(false);
});
