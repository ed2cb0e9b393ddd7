import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { longChain } from "../testing/server-chain-world.ts";
import { share } from "../testing/server-shares-suite.ts";
import { testServer } from "../testing/test-server.ts";

const TURNS_STAYED = 2;

/** A server whose callers leave after so many turns of the act they wait for. */
async function openLeaving() {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  const reports: string[] = [];
  let turns = 0;
  let leave: AbortController | undefined;
  const server = await testServer({
    ports: {
      report: (event) => reports.push(event),
      clock: {
        ...clock,
        async turn() {
          if (++turns === TURNS_STAYED) leave?.abort();
          await clock.turn();
        },
      },
    },
  });
  const ana = await server.account();
  const tip = (await longChain(server, ana, 700)).at(-1) ?? "";
  const { shareId } = await share(server, ana, tip);
  /** Calls, and leaves; how many turns the act went on for. */
  async function turnsOf(path: string, body?: object, stays = true) {
    [turns, leave] = [0, new AbortController()];
    if (!stays) leave.abort();
    const { status } = await server.call({ path, signal: leave.signal, ...(body && { body }) }, ana);
    leave = undefined;
    return { path, status, turns };
  }
  return {
    server,
    turnsOf,
    paths: { tip, shareId },
    reports,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("a long act ends at the next turn after its caller has left; nothing is done and nothing reported", async () => {
  await using world = await openLeaving();
  const { tip, shareId } = world.paths;
  const asked: [string, object?][] = [
    [`/api/replay/${tip}`],
    [`/api/verify/${tip}`],
    [`/api/lineage/${tip}`],
    [`/api/diff/${tip}/${tip}`],
    [`/api/diff?a=${tip}&b=${tip}`],
    [`/api/export/${tip}`],
    [`/api/bundle/${tip}`],
    [`/api/share/${tip}`, {}],
    [`/api/share/${tip}/markdown`],
    [`/api/chain/${shareId}`],
    [`/api/og/${shareId}`],
    [`/chain/${shareId}`],
    [`/r/${tip}`],
    [`/verify/${tip}`],
    [`/api/fork/${tip}`, { payload: {} }],
    ["/api/log/verify"],
  ];
  for (const [path, body] of asked)
    expect(await world.turnsOf(path, body)).toEqual({ path, status: 500, turns: TURNS_STAYED });
  for (const [path, body] of asked)
    expect(await world.turnsOf(path, body, false)).toEqual({ path, status: 500, turns: 0 });
  const { db } = world.server;
  expect(await db.all("SELECT id FROM ledger_shares")).toEqual([{ id: shareId }]);
  expect(await db.all("SELECT id FROM ledger_commits WHERE event = 'fork'")).toEqual([]);
  expect(world.reports).not.toContain("route.failed");
});

test("what was given up for another reason than the caller's going is reported as any other failure", async () => {
  const reports: unknown[] = [];
  const givenUp = async () => {
    throw new DOMException("This operation was aborted", "AbortError");
  };
  await using server = await testServer({
    ports: { passwords: { hash: givenUp, verify: givenUp }, report: (...report) => reports.push(report) },
  });
  const body = { email: "ana@example.test", password: "a long password" };
  const { status } = await server.call({ path: "/auth/signup", body });
  const report = { method: "POST", route: "/auth/signup", reason: expect.stringContaining("aborted") };
  expect([status, reports]).toEqual([500, [["route.failed", report]]]);
});
