import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { tempFolder } from "@darkmatter/store/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Commit, Field } from "../commits/commit.ts";
import { ledgerMigrations } from "../schema.ts";
import { testEvent, testLedger } from "../testing/test-ledger.ts";
import type { FsckReport } from "./report.ts";

const COMMITS = 120;
const FLIPS = 250;
const CUTS = 40;

let folder: ReturnType<typeof tempFolder>;
let whole: Buffer;
let path: string;
let expected: { commits: Commit[]; fields: Field[][] };

beforeAll(async () => {
  folder = tempFolder();
  path = join(folder.path, "state.db");
  const db = await openSqlite({ path });
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  const ledger = await testLedger({ db });
  await db.write(async (tx) => {
    for (let at = 0; at < COMMITS; at++) {
      const fields = { content: `words ${at} `.repeat(at % 10 === 0 ? 900 : 5), signed: { at } };
      await ledger.journal.append(tx, testEvent({ trace: `msg-${at % 9}`, fields }));
    }
  });
  await db.write((tx) => ledger.checkpoints.make(tx));
  expected = await contentOf(ledger);
  await db.close();
  whole = readFileSync(path);
});

afterAll(() => folder[Symbol.dispose]());

async function contentOf(ledger: Awaited<ReturnType<typeof testLedger>>) {
  const commits = await ledger.commits();
  const fields = [];
  for (const { position } of commits) fields.push(await ledger.disclosures.fieldsOf(ledger.db, position));
  return { commits, fields };
}

/** What fsck says of a file, opened as it is; `undefined` when not even that can be done. */
async function lookAt(bytes: Buffer): Promise<{ report: FsckReport; isUnchanged: boolean } | undefined> {
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  writeFileSync(path, bytes);
  const db = await openSqlite({ path, readOnly: true, evenDamaged: true });
  await using ledger = await testLedger({ db });
  const report = await ledger.reader.fsck(ledger.db);
  if (!report.isSound) return { report, isUnchanged: false };
  const content = await contentOf(ledger);
  return { report, isUnchanged: JSON.stringify(content) === JSON.stringify(expected) };
}

test("whatever byte is flipped, the look through ends, and never calls altered content sound", async () => {
  const random = seededRandom(7);
  let found = 0;
  for (let round = 0; round < FLIPS; round++) {
    const bytes = Buffer.from(whole);
    const at = random.integer(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
    const seen = await lookAt(bytes).catch((error: unknown) => {
      // Another format number: not a file that this SQLite opens.
      if (hasCode(error, "DATABASE_READ_ONLY") || hasCode(error, "DATABASE_DAMAGED")) return undefined;
      throw new Error(`byte ${at}`, { cause: error });
    });
    if (!seen?.report.isSound) found++;
    else expect(seen.isUnchanged, `byte ${at}`).toBe(true);
  }
  expect(found).toBeGreaterThan(FLIPS / 2);
});

test("a file cut anywhere is looked through as far as it goes", async () => {
  const random = seededRandom(8);
  let readable = 0;
  for (let round = 0; round < CUTS; round++) {
    const length = 4096 + random.integer(whole.length - 4096);
    const seen = await lookAt(whole.subarray(0, length));
    expect(seen?.report.isSound).toBe(false);
    readable = Math.max(readable, COMMITS - (seen?.report.badCommits ?? COMMITS));
  }
  expect(readable).toBeGreaterThan(0);
});

test("of a file with one bad page the commits on the others are still read, and the first lost one is named", async () => {
  const bytes = Buffer.from(whole);
  const marker = bytes.indexOf(expected.commits[60]?.id ?? "");
  const page = Math.floor(marker / 4096) * 4096;
  bytes.fill(0xa5, page, page + 4096);
  const seen = await lookAt(bytes);
  expect(seen?.report).toMatchObject({ isSound: false, commits: COMMITS, checkpoints: 1 });
  expect(seen?.report.first?.kind).toBe("unreadable");
  expect(seen?.report.first?.position).toBeGreaterThan(45);
  expect(seen?.report.first?.position).toBeLessThanOrEqual(60);
  expect(seen?.report.problems.unreadable).toBeLessThan(30);
});

test("a file that holds nothing any more is reported, not thrown", async () => {
  const seen = await lookAt(Buffer.concat([whole.subarray(0, 100), Buffer.alloc(8092)]));
  expect(seen?.report).toMatchObject({ isSound: false, first: { kind: "unreadable" } });
});
