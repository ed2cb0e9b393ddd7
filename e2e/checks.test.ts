import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { createChecks, within } from "./checks.ts";

function computeFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("what came in time is in time, even where this process was too busy to hear of it", async () => {
  const child = spawn("true");
  const exited = once(child, "exit");
  const answer = within(200, exited);
  computeFor(1500);
  await expect(answer).resolves.toEqual([0, null]);
});

test("what does not come is not waited for", async () => {
  await expect(within(20, new Promise(() => undefined))).rejects.toThrow("not done within 20 ms");
});

test("checks that only compute leave others their turn in between", async () => {
  const checks = createChecks(() => undefined);
  const turns: string[] = [];
  setImmediate(() => turns.push("another"));
  await checks.check("one", () => void turns.push("one"));
  await checks.check("two", () => void turns.push("two"));
  expect(turns).toEqual(["another", "one", "two"]);
});
