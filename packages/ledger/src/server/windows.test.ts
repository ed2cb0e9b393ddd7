import { HOUR_MS, MINUTE_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { memoryDatabase } from "@darkmatter/store/testing";
import { WATCHED_KEYS_MAX } from "@darkmatter/surface";
import { expect, test } from "vitest";
import { windowsSuite } from "../testing/windows-suite.ts";
import { ledgerServerMigrations } from "./schema.ts";
import { databaseWindows, memoryWindows } from "./windows.ts";

windowsSuite("memory", async (_context, clock) => ({
  windows: memoryWindows(clock),
  close: async () => undefined,
}));
windowsSuite("SQLite", async (_context, clock) => {
  const db = await memoryDatabase(ledgerServerMigrations);
  return { windows: databaseWindows(db, clock), close: () => db.close() };
});

test("memory holds so many windows of a length; a flood of short ones pushes no long one out", async () => {
  const windows = memoryWindows(virtualClock());
  await windows.take("failures", 1, HOUR_MS);
  await windows.take("first", 1, MINUTE_MS);
  for (let at = 0; at < WATCHED_KEYS_MAX - 1; at++) await windows.take(`flood-${at}`, 1, MINUTE_MS);
  expect((await windows.take("first", 1, MINUTE_MS)).isAllowed).toBe(false);
  await windows.take("one more", 1, MINUTE_MS);
  expect((await windows.take("first", 1, MINUTE_MS)).isAllowed).toBe(true);
  expect((await windows.take("failures", 1, HOUR_MS)).isAllowed).toBe(false);
});
