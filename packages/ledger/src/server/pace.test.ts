import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { chainOf } from "../testing/server-shares-suite.ts";
import { testServer } from "../testing/test-server.ts";
import { createPace } from "./pace.ts";

test("other work has its turn after each quarter of a million characters", async () => {
  let turns = 0;
  const pace = createPace({ clock: { turn: async () => void turns++ } });
  for (let piece = 0; piece < 256; piece++) await pace(1000);
  expect(turns).toBe(0);
  await pace(1);
  expect(turns).toBe(1);
  for (let piece = 0; piece < 3; piece++) await pace(1_000_000);
  expect(turns).toBe(4);
});

test("whoever reads large payloads leaves others their turn between any two", async () => {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  let turns = 0;
  const turn = async () => {
    turns++;
    await clock.turn();
  };
  await using server = await testServer({ ports: { clock: { ...clock, turn } } });
  const ana = await server.account();
  const count = 8;
  const tip = (await chainOf(server, ana, count, { payload: { a: "x".repeat(300_000) } })).at(-1) ?? "";
  // An export looks at each twice, and writes it twice.
  for (const [path, atLeast] of [
    ["/api/pull", count],
    [`/api/verify/${tip}`, count],
    [`/api/replay/${tip}`, count],
    [`/api/diff/${tip}/${tip}`, 2 * count],
    [`/api/bundle/${tip}`, 2 * count],
    [`/api/export/${tip}`, 4 * count],
    ["/api/search?verified=true&limit=1", count],
    [`/api/fork/${tip}`, count],
  ] as const) {
    turns = 0;
    const { status } = await server.call(path.includes("fork") ? { path, body: {} } : { path }, ana);
    expect([path, status, turns >= atLeast]).toEqual([path, 200, true]);
  }
});
