import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, real, typed } from "./testing/commands.ts";
import { type Program, testHome } from "./testing/program.ts";

async function stopped(node: Program): Promise<void> {
  node.child.kill("SIGTERM");
  await node.exited;
  await node[Symbol.asyncDispose]();
}

test("who puts an older state back is told so, and is not taken for one with two histories", {
  timeout: 180_000,
}, async () => {
  using ana = testHome();
  using bo = testHome();
  await using witness = real(bo, ["up", "--json"]);
  const { url } = await witness.firstLine();
  const backup = join(ana.temporary, "state.backup");

  const first = real(ana, ["up", "--json"]);
  await first.firstLine();
  await command(ana, "connect", url);
  expect(await command(ana, "checkpoint")).toMatchObject({ code: 0, said: { witnesses: [{}] } });
  await stopped(first);
  copyFileSync(ana.places.database, backup);

  const second = real(ana, ["up", "--json"]);
  await second.firstLine();
  await command(ana, "send", bo.agentId, "this will be lost");
  expect(await command(ana, "checkpoint")).toMatchObject({ code: 0, said: { witnesses: [{}] } });
  await stopped(second);

  copyFileSync(backup, ana.places.database);
  for (const beside of ["-wal", "-shm"]) rmSync(ana.places.database + beside, { force: true });
  await using _third = real(ana, ["up", "--json"]);
  await _third.firstLine();
  await command(ana, "send", bo.agentId, "and this is said instead");

  expect(await command(ana, "checkpoint")).toMatchObject({
    code: 1,
    said: {
      error: expect.stringContaining("older than its log"),
      hint: expect.stringContaining("newer state"),
    },
  });
  const status = await typed(ana, "status");
  expect(status.out).toContain("OLDER STATE: others hold");
  expect((await command(ana, "status")).said.ledger.newer_held_by_others.size).toBeGreaterThan(1);
  expect((await command(bo, "status")).said.ledger.split_histories).toEqual([]);
  // Erasing what was committed about an agent leaves the connection as it is, and says so.
  const asked = await typed(ana, "erase", bo.agentId);
  expect([asked.code, asked.out]).toEqual([
    1,
    expect.stringContaining("What the node goes by now stays, too"),
  ]);
});
