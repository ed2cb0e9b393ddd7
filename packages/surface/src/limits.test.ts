import { MINUTE_MS, systemClock } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createWindowLimiter, UNLIMITED } from "./limits.ts";

function limiter(keysMax?: number) {
  const time = { now: 0 };
  const clock = { ...systemClock, monotonic: () => time.now };
  return { time, limits: createWindowLimiter(keysMax === undefined ? { clock } : { clock, keysMax }) };
}

test("a window holds as many acts as its limit, and the refused are not counted", () => {
  const { time, limits } = limiter();
  expect(limits.take("ana", 2)).toBe(true);
  time.now = 30_000;
  expect(limits.take("ana", 2)).toBe(true);
  for (let tries = 0; tries < 100; tries++) expect(limits.take("ana", 2)).toBe(false);
  expect(limits.take("bo", 2)).toBe(true);
  time.now = MINUTE_MS;
  expect(limits.take("ana", 2)).toBe(true);
  expect(limits.take("ana", 2)).toBe(false);
});

test("unlimited always passes and is remembered nowhere", () => {
  const { limits } = limiter();
  for (let acts = 0; acts < 1000; acts++) expect(limits.take("ana", UNLIMITED)).toBe(true);
  expect(limits.take("ana", 1)).toBe(true);
});

test("at the bound of keys the longest silent is forgotten first", () => {
  const { limits } = limiter(2);
  limits.take("old", 1);
  limits.take("busy", 2);
  limits.take("new", 1);
  expect(limits.take("old", 1)).toBe(true);
  expect(limits.take("new", 1)).toBe(false);
});

test("it agrees with counting the acts of the last minute one by one", () => {
  const step = fc.record({
    wait: fc.nat(40_000),
    key: fc.constantFrom("a", "b"),
    limit: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { time, limits } = limiter();
      const taken: { key: string; at: number }[] = [];
      for (const { wait, key, limit } of steps) {
        time.now += wait;
        const recent = taken.filter((act) => act.key === key && act.at > time.now - MINUTE_MS).length;
        expect(limits.take(key, limit)).toBe(recent < limit);
        if (recent < limit) taken.push({ key, at: time.now });
      }
    }),
  );
});
