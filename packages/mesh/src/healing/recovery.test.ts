import { SECOND_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { netError } from "@darkmatter/net";
import { expect, test } from "vitest";
import type { Asking, Candidate } from "./asking.ts";
import { createRecovery } from "./recovery.ts";

const AGENT = "ab".repeat(32);
const WEBHOOK = "http://10.9.9.9:8100/__darkmatter__/webhook/msg-1";
const at = (host: string): Candidate => ({ url: `http://${host}:8100`, reach: "private" });

/** Others that answer each look with the next place. */
function recovery(places: ReadonlyArray<readonly Candidate[]>, isThere = true, lookMs = 0) {
  const clock = virtualClock();
  let looks = 0;
  const asking: Asking = {
    async where() {
      if (lookMs > 0) await clock.sleep(lookMs);
      return places[looks++] ?? [];
    },
    confirms: async () => isThere,
  };
  const called: string[] = [];
  const run = (
    webhook: string,
    works: (url: string) => boolean,
    code: "UNREACHABLE" | "TIMEOUT" = "UNREACHABLE",
  ) =>
    createRecovery({ clock }, asking).recovering(webhook, AGENT, async (url) => {
      called.push(url);
      if (works(url)) return url;
      throw netError(code, `${called.length}`);
    });
  return { run, called, clock, looks: () => looks };
}

const never = () => false;

test("a callback follows an agent that has moved, with its path", async () => {
  const { run, called } = recovery([[at("10.0.0.2")]]);
  const reached = await run(WEBHOOK, (url) => url.includes("10.0.0.2"));
  expect(reached).toBe("http://10.0.0.2:8100/__darkmatter__/webhook/msg-1");
  expect(called).toHaveLength(2);
});

test("three looks and no more; then the first failure is told", async () => {
  const { run, called, looks } = recovery(["a", "b", "c", "d", "e"].map((name) => [at(name)]));
  await expect(run(WEBHOOK, never)).rejects.toThrow(/1/);
  expect([called.length, looks()]).toEqual([4, 3]);
});

test("thirty seconds in all and no more", async () => {
  const { run, called, clock } = recovery([[at("a")], [at("b")], [at("c")]], true, 16 * SECOND_MS);
  const ended = expect(run(WEBHOOK, never)).rejects.toThrow();
  await clock.advance(60 * SECOND_MS);
  await ended;
  expect(called).toHaveLength(2);
});

test("a place that was tried before ends it", async () => {
  const { run, called } = recovery([[at("10.0.0.2")], [at("10.9.9.9")], [at("10.0.0.3")]]);
  await expect(run(WEBHOOK, never)).rejects.toThrow();
  expect(called).toHaveLength(2);
});

test("a place where another agent answers is not called", async () => {
  const { run, called } = recovery([[at("10.0.0.2")]], false);
  await expect(run(WEBHOOK, never)).rejects.toThrow();
  expect(called).toEqual([WEBHOOK]);
});

test("what may have arrived is not sent elsewhere", async () => {
  const { run, called, looks } = recovery([[at("10.0.0.2")]]);
  await expect(run(WEBHOOK, never, "TIMEOUT")).rejects.toThrow();
  expect([called.length, looks()]).toEqual([1, 0]);
});

test.each([
  "http://10.9.9.9:8100/__darkmatter__/antimatter_result/msg-1",
  "http://10.9.9.9:8100/__darkmatter__/webhook",
  "http://10.9.9.9:8100/elsewhere/__darkmatter__/webhook/msg-1",
])("%s is called there or nowhere", async (webhook) => {
  const { run, called, looks } = recovery([[at("10.0.0.2")]]);
  await expect(run(webhook, never)).rejects.toThrow();
  expect([called.length, looks()]).toEqual([1, 0]);
});
