import { expect, test } from "vitest";
import { longChain, tamperServer } from "../../testing/server-chain-world.ts";
import { testServer } from "../../testing/test-server.ts";

const ENTRIES = 600;

test("a stretch of the log that is looked at in turns is judged as one", async () => {
  await using server = await testServer();
  await longChain(server, await server.account(), ENTRIES);
  const verified = async () => (await server.call({ path: "/api/log/verify" })).json;
  const whole = { entries_checked: ENTRIES, from: 0, to: ENTRIES - 1, next_from: null };
  expect(await verified()).toEqual({ consistent: true, broken_at: null, reason: null, ...whole });

  for (const position of [555, 300]) {
    const change = "UPDATE ledger_commits SET accepted_ms = 1 WHERE position = ?";
    await tamperServer(server, "ledger_commits", change, position);
    expect(await verified()).toMatchObject({ consistent: false, broken_at: position, ...whole });
  }
});
