import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "@darkmatter/core";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { ledgerMigrations } from "../schema.ts";
import { expectSound } from "../testing/append-suite.ts";
import { testEvent, testLedger } from "../testing/test-ledger.ts";

test("of what was erased neither value nor salt is in the files, and its neighbours are untouched", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const db = await openSqlite({ path });
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  await using ledger = await testLedger({ db, random: systemRandom });
  const { journal, disclosures } = ledger;
  const secretOf = (at: number) => `secret-number-${at}-`;
  for (let group = 0; group < 10; group++) {
    await db.write(async (tx) => {
      for (let at = group * 30; at < (group + 1) * 30; at++) {
        // Some lie on a page with others, some on several of their own.
        const content = secretOf(at).repeat(at % 11 === 0 ? 1000 : 2);
        await journal.append(tx, testEvent({ trace: `msg-${at % 20}`, fields: { content, other: "kept" } }));
      }
    });
  }
  const files = () =>
    ["", "-wal"]
      .map((suffix) => (existsSync(path + suffix) ? readFileSync(path + suffix, "latin1") : ""))
      .join();
  const commits = await ledger.commits();
  const salts: string[] = [];
  const erased = commits.filter(({ position }) => position % 3 === 0);
  for (const { position } of erased)
    for (const { name, salt } of await disclosures.fieldsOf(db, position))
      if (name === "content") salts.push(salt);
  expect(files()).toContain(secretOf(0));
  expect(files()).toContain(salts[0]);

  for (const { id } of erased) await db.write((tx) => disclosures.erase(tx, id, ["content"]));
  expect(await db.purge()).toBe(true);

  const left = files();
  for (const { position } of erased) expect(left.includes(secretOf(position))).toBe(false);
  for (const salt of salts) expect(left.includes(salt)).toBe(false);
  expect(left).toContain(secretOf(1));
  await expectSound(ledger, 300);
  expect((await disclosures.fieldsOf(db, 0)).map(({ name }) => name)).toEqual(["other"]);
});
