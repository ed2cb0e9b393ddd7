import { expect, test } from "vitest";
import { keptPlans } from "./kept.ts";
import { planOf } from "./plan.ts";
import { simulate } from "./simulate.ts";

const MINUTES_MS = 120_000;

for (const { name, plan } of keptPlans()) {
  test(`what once went wrong goes well: ${name}`, { timeout: MINUTES_MS }, async () => {
    const { problems } = await simulate(plan);
    expect(problems).toEqual([]);
  });
}

test("a seed is the same every time it is run, and another is not", { timeout: MINUTES_MS }, async () => {
  const plan = planOf({ seed: 1, nodes: 3, minutes: 1 });
  const [one, again] = [await simulate(plan), await simulate(plan)];
  const other = await simulate({ ...plan, seed: 2 });
  expect(one.problems).toEqual([]);
  expect(again.hash).toBe(one.hash);
  expect(other.hash).not.toBe(one.hash);
});
