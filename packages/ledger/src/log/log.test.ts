import { seededRandom } from "@darkmatter/core/testing";
import { verifyConsistency, verifyInclusion } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { expectSound } from "../testing/append-suite.ts";
import { tamper } from "../testing/damage.ts";
import { testEvent, testLedger } from "../testing/test-ledger.ts";

const COMMITS = 20_000;
const SAMPLES = 60;

test("after twenty thousand appends every proof drawn holds, and costs few reads", {
  timeout: 120_000,
}, async () => {
  await using ledger = await testLedger();
  const { db, journal, log } = ledger;
  for (let at = 0; at < COMMITS; at += 500) {
    await db.write(async (tx) => {
      for (let within = at; within < at + 500; within++) {
        await journal.append(tx, testEvent({ trace: `msg-${within % 30_011}`, fields: { content: "c" } }));
      }
    });
  }
  const random = seededRandom(3);
  let reads = 0;
  const counted: typeof db = {
    ...db,
    get: (...query) => {
      reads++;
      return db.get(...query);
    },
    all: (...query) => {
      reads++;
      return db.all(...query);
    },
  };
  for (let sample = 0; sample < SAMPLES; sample++) {
    const size = 1 + random.integer(COMMITS);
    const index = random.integer(size);
    const first = 1 + random.integer(size);
    const { treeRoot: root } = await log.headAt(counted, size);
    const { treeRoot: firstRoot } = await log.headAt(counted, first);
    const commit = await db.get<{ leaf: Uint8Array }>(
      "SELECT leaf FROM ledger_commits WHERE position = ?",
      index,
    );
    const leaf = Buffer.from(commit?.leaf ?? []).toString("hex");
    const proof = await log.inclusion(counted, index, size);
    expect(verifyInclusion({ leaf, index, size, proof, root })).toBe(true);
    const hashes = await log.consistency(counted, first, size);
    expect(
      verifyConsistency({ firstSize: first, firstRoot, secondSize: size, secondRoot: root, proof: hashes }),
    ).toBe(true);
  }
  // Two roots, an inclusion and a consistency proof: each of them at most twice the height of the tree.
  expect(reads / SAMPLES).toBeLessThan(4 * 2 * 15);
  await expectSound(ledger, COMMITS);
});

test("a proof that needs a node which is gone is refused as damage, and others are still given", async () => {
  await using ledger = await testLedger();
  const { db, log } = ledger;
  for (let at = 0; at < 16; at++) await ledger.append();
  await tamper(db, "UPDATE ledger_commits SET nodes = x'' WHERE position = 7");
  await expect(log.inclusion(db, 12, 16)).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
  expect(await log.inclusion(db, 1, 4)).toHaveLength(2);
  await tamper(db, "DELETE FROM ledger_commits WHERE position = 3");
  await expect(log.headAt(db, 4)).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
  await tamper(db, "DELETE FROM ledger_tail");
  await expect(log.head(db)).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
});
