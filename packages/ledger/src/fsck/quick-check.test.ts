import { virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import { expect, test } from "vitest";
import { createLedger } from "../ledger.ts";
import { tamper } from "../testing/damage.ts";
import { type TestLedger, testEvent, testLedger } from "../testing/test-ledger.ts";
import { quickCheck } from "./quick-check.ts";

/** Forty commits, the first thirty of them under a checkpoint. */
async function fortyCommits(): Promise<TestLedger> {
  const ledger = await testLedger();
  for (let at = 0; at < 40; at++) {
    await ledger.append({ trace: `msg-${at % 3}` });
    if (at === 29) await ledger.db.write((tx) => ledger.checkpoints.make(tx));
  }
  return ledger;
}

const check = ({ db, signer, checkpoints }: TestLedger) =>
  quickCheck(db, { agentId: signer.agentId, checkpoints });

test("a ledger that is whole, or empty, passes", async () => {
  await using ledger = await fortyCommits();
  expect(await check(ledger)).toBeUndefined();
  await using empty = await testLedger();
  expect(await check(empty)).toBeUndefined();
  await ledger.db.write((tx) => ledger.checkpoints.make(tx));
  expect(await check(ledger)).toBeUndefined();
});

test.each([
  [
    "a commit since the last checkpoint",
    "UPDATE ledger_commits SET payload_hash = zeroblob(32) WHERE position = 35",
    { kind: "payload_hash", position: 35 },
  ],
  [
    "a commit that is gone",
    "DELETE FROM ledger_commits WHERE position = 38",
    { kind: "missing", position: 38 },
  ],
  [
    "the last commit gone",
    "DELETE FROM ledger_commits WHERE position = 39",
    { kind: "tail", position: null },
  ],
  [
    "an unreadable commit",
    "UPDATE ledger_commits SET trace = x'00' WHERE position = 31",
    { kind: "unreadable", position: 31 },
  ],
  [
    "the record of the end",
    `UPDATE ledger_tail SET log_root = '${"0".repeat(64)}'`,
    { kind: "tail", position: null },
  ],
  ["an end that is none", "UPDATE ledger_tail SET log_root = 'x'", { kind: "unreadable", position: null }],
  ["an end of another size", "UPDATE ledger_tail SET size = 41", { kind: "unreadable", position: null }],
  ["no record of the end", "DELETE FROM ledger_tail", { kind: "unreadable", position: null }],
  [
    "a node the checkpoint stands on",
    "UPDATE ledger_commits SET nodes = zeroblob(128) WHERE position = 15",
    { kind: "checkpoint_root", position: 29 },
  ],
  [
    "the log root under the checkpoint",
    "UPDATE ledger_commits SET log_root = zeroblob(32) WHERE position = 29",
    { kind: "checkpoint_root", position: 29 },
  ],
  [
    "less than was signed",
    "DELETE FROM ledger_commits WHERE position > 10",
    { kind: "checkpoint_root", position: 29 },
  ],
])("%s is found", async (_, sql, problem) => {
  await using ledger = await fortyCommits();
  await tamper(ledger.db, sql);
  expect(await check(ledger)).toMatchObject(problem);
});

test("of a long ledger without checkpoints only the last thousand are looked at", async () => {
  await using ledger = await testLedger();
  const { db, journal } = ledger;
  await db.write(async (tx) => {
    for (let at = 0; at < 1500; at++) await journal.append(tx, testEvent({ trace: `t${at % 50}` }));
  });
  await tamper(db, "UPDATE ledger_commits SET payload_hash = zeroblob(32) WHERE position = 499");
  expect(await check(ledger)).toBeUndefined();
  await tamper(db, "UPDATE ledger_commits SET payload_hash = zeroblob(32) WHERE position = 500");
  expect(await check(ledger)).toMatchObject({ kind: "payload_hash", position: 500 });
});

async function nodeLedger(ledger: TestLedger) {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  const reports: string[] = [];
  const host = memoryInternet({ clock, random: ledger.random }).host({ address: "192.168.7.50" });
  const node = createLedger({
    ...ledger,
    clock,
    wire: host.wire,
    peers: { witnesses: async () => [], all: async () => [] },
    report: (event, context) => void reports.push(`${event} ${JSON.stringify(context)}`),
  });
  return { node, reports };
}

test("a node whose ledger is damaged appends nothing, names the commit, and goes on reading", async () => {
  await using ledger = await fortyCommits();
  await tamper(ledger.db, "UPDATE ledger_commits SET chain_hash = zeroblob(32) WHERE position = 36");
  const id = (await ledger.commits())[36]?.id ?? "";
  const { node, reports } = await nodeLedger(ledger);
  await node.start();
  const append = ledger.db.write((tx) => node.journal.append(tx, testEvent()));
  await expect(append).rejects.toMatchObject({
    code: "LEDGER_DAMAGED",
    message: expect.stringContaining(id),
  });
  expect(reports).toEqual([expect.stringContaining(`"id":"${id}"`)]);
  expect(await node.read.commits.recent(ledger.db, 3)).toHaveLength(3);
  expect((await node.read.fsck(ledger.db)).first).toMatchObject({ id, kind: "chain_hash" });
  // Nothing is signed over it either, neither by a job nor at the stop.
  for (const job of node.jobs) await job.run();
  await node.stop();
  expect((await ledger.checkpoints.latest(ledger.db))?.tree_size).toBe(30);
  expect(await ledger.commits()).toHaveLength(40);
});

test("before its end was looked at, nothing is appended or signed: tools can be called while a node starts", async () => {
  await using ledger = await fortyCommits();
  const { node, reports } = await nodeLedger(ledger);
  const append = () => ledger.db.write((tx) => node.journal.append(tx, testEvent()));
  await expect(append()).rejects.toMatchObject({ code: "LEDGER_UNCHECKED", retryable: true });
  await node.stop();
  expect((await ledger.checkpoints.latest(ledger.db))?.tree_size).toBe(30);
  expect(reports).toEqual([]);
  await node.start();
  await append();
  expect(await ledger.commits()).toHaveLength(41);
});

test("a node whose ledger is whole appends, and signs what it has at the stop", async () => {
  await using ledger = await fortyCommits();
  const { node, reports } = await nodeLedger(ledger);
  await node.start();
  await ledger.db.write((tx) => node.journal.append(tx, testEvent()));
  await node.stop();
  expect((await ledger.checkpoints.latest(ledger.db))?.tree_size).toBe(41);
  expect(reports).toEqual([]);
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject({ isSound: true, commits: 41 });
});
