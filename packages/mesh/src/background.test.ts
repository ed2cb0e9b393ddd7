import { setImmediate as turn } from "node:timers/promises";
import { netError } from "@darkmatter/net";
import { expect, test } from "vitest";
import { createBackground, LANE_TASKS_MAX, TASKS_MAX } from "./background.ts";

/** Tasks that end when told to. */
function held() {
  const ends: (() => void)[] = [];
  let most = 0;
  let running = 0;
  return {
    work: async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    },
    running: () => running,
    most: () => most,
    async endAll() {
      for (let rounds = 0; ends.length > 0 && rounds < 10_000; rounds++) {
        for (const end of ends.splice(0)) end();
        await turn();
      }
    },
  };
}

test("a slow agent holds a few places, and another's work goes on", async () => {
  const background = createBackground(() => undefined);
  const slow = held();
  for (let task = 0; task < 200; task++) background.start("slow", slow.work, "ana");
  let done = 0;
  for (let task = 0; task < 20; task++) background.start("quick", async () => void done++, "bo");
  await turn();
  expect(slow.running()).toBe(LANE_TASKS_MAX);
  expect(done).toBe(20);
  await slow.endAll();
  await background.idle();
  expect(slow.most()).toBe(LANE_TASKS_MAX);
});

test("however many agents there are, so many tasks run at once and each runs in the end", async () => {
  const background = createBackground(() => undefined);
  const tasks = held();
  let started = 0;
  for (let task = 0; task < 500; task++) {
    background.start(
      "any",
      () => {
        started++;
        return tasks.work();
      },
      task % 3 === 0 ? undefined : `agent ${task % 50}`,
    );
  }
  await turn();
  expect(tasks.running()).toBe(TASKS_MAX);
  await tasks.endAll();
  await background.idle();
  expect(tasks.most()).toBe(TASKS_MAX);
  expect(started).toBe(500);
});

test("a task that fails is reported, keeps no place, and one that was stopped is not even reported", async () => {
  const reports: string[] = [];
  const background = createBackground((event, { task }) => void reports.push(`${event} ${task}`));
  for (let task = 0; task < 100; task++)
    background.start("failing", () => Promise.reject(new Error("no")), "ana");
  background.start("stopped", () => Promise.reject(netError("ABORTED")), "bo");
  await background.idle();
  expect(reports).toEqual(Array(100).fill("background.failed failing"));
});

test("beyond what may wait the oldest is dropped, and the drop is said", async () => {
  const reports: string[] = [];
  const background = createBackground((event) => void reports.push(event));
  const tasks = held();
  let last = false;
  for (let task = 0; task < LANE_TASKS_MAX + 20_001; task++) background.start("any", tasks.work, "ana");
  expect(reports).toEqual(["background.dropped"]);
  background.start(
    "last",
    async () => {
      last = true;
    },
    "ana",
  );
  expect(reports).toHaveLength(2);
  await tasks.endAll();
  await background.idle();
  expect(last).toBe(true);
});
