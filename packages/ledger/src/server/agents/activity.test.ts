import { virtualClock } from "@darkmatter/core/testing";
import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { ledgerServerMigrations } from "../schema.ts";
import { createActivity } from "./activity.ts";

test("so many agents are remembered until they are written; the latest time of each counts", async () => {
  await using db = await memoryDatabase(ledgerServerMigrations);
  const clock = virtualClock({ startMs: 1000 });
  const ids = Array.from({ length: 10_001 }, (_, at) => `dm_${String(at).padStart(5, "0")}`);
  await db.write(async (tx) => {
    for (const id of ids)
      await tx.run(
        "INSERT INTO ledger_agents (id, account, name, key_hint, made_by, created_ms) VALUES (?, 1, 'a', '', 'x', 0)",
        id,
      );
  });
  const activity = createActivity({ db, clock });
  for (const id of ids) activity.saw(id);
  await clock.advance(1);
  activity.saw("dm_00007");
  await activity.flush();
  const seen = await db.all(
    "SELECT last_active_ms AS at, COUNT(*) AS agents FROM ledger_agents GROUP BY at ORDER BY at",
  );
  expect(seen).toEqual([
    { at: null, agents: 1 },
    { at: 1000, agents: 9999 },
    { at: 1001, agents: 1 },
  ]);
  activity.saw("dm_10000");
  await activity.flush();
  const last = await db.get("SELECT last_active_ms AS at FROM ledger_agents WHERE id = 'dm_10000'");
  expect(last).toEqual({ at: 1001 });
});
