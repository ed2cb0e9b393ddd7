import { seededRandom } from "@darkmatter/core/testing";
import { createSigner } from "@darkmatter/identity";
import { checkpointText, witnessId } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { insertWitnessSignature } from "../checkpoints/checkpoints.store.ts";
import { tamper } from "../testing/damage.ts";
import { type TestLedger, testEvent, testLedger } from "../testing/test-ledger.ts";

const COMMITS = 70;
const WITNESS = createSigner(new Uint8Array(32).fill(9));

/** Seventy commits of five traces, checkpoints after 20, 50 and 70, the second of them witnessed. */
async function wholeLedger(): Promise<TestLedger> {
  const ledger = await testLedger();
  const { db, checkpoints } = ledger;
  for (let at = 0; at < COMMITS; at++) {
    await ledger.append({ trace: `msg-${at % 5}` });
    if (![19, 49, 69].includes(at)) continue;
    const signed = await db.write((tx) => checkpoints.make(tx));
    if (at !== 49 || !signed) continue;
    await db.write((tx) =>
      insertWitnessSignature(tx, signed.tree_size, {
        witnessId: witnessId(WITNESS.agentId),
        agentId: WITNESS.agentId,
        name: "wit",
        signature: WITNESS.sign(checkpointText(signed)),
        witnessedAt: signed.timestamp,
      }),
    );
  }
  return ledger;
}

test("a whole ledger is sound, and everything in it was looked at", async () => {
  await using ledger = await wholeLedger();
  const seen: [number, number][] = [];
  const progress = (done: number, total: number) => void seen.push([done, total]);
  expect(await ledger.reader.fsck(ledger.db, { progress })).toEqual({
    isSound: true,
    commits: 70,
    badCommits: 0,
    checkpoints: 3,
    badCheckpoints: 0,
    values: 140,
    erased: 0,
    first: null,
    problems: {},
  });
  expect(seen.at(-1)).toEqual([70, 70]);
});

test("an empty ledger is sound", async () => {
  await using ledger = await testLedger();
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject({ isSound: true, commits: 0, checkpoints: 0 });
});

const FLIP = (column: string) => `UPDATE ledger_commits SET ${column} = zeroblob(32) WHERE position = 33`;

test.each([
  [
    "its payload",
    "UPDATE ledger_commits SET payload = replace(payload, 'sent', 'SENT') WHERE position = 33",
    ["payload_hash"],
  ],
  ["its payload hash", FLIP("payload_hash"), ["payload_hash"]],
  ["its scheme 1", FLIP("chain_hash"), ["chain_hash"]],
  ["its scheme 2", FLIP("integrity_hash"), ["integrity_hash", "log_root"]],
  ["its leaf", FLIP("leaf"), ["leaf", "node"]],
  ["its log root", FLIP("log_root"), ["log_root"]],
  ["a node it completes", FLIP("nodes"), ["node"]],
  [
    "its time",
    "UPDATE ledger_commits SET accepted_ms = accepted_ms + 1000 WHERE position = 33",
    ["integrity_hash", "leaf"],
  ],
  ["its id", "UPDATE ledger_commits SET id = 'ctx_1_abcdefabcdef' WHERE position = 33", ["leaf"]],
  ["its trace", "UPDATE ledger_commits SET trace = 'msg-x' WHERE position = 33", ["parent"]],
  ["its parent", "UPDATE ledger_commits SET parent = 27 WHERE position = 33", ["parent"]],
  ["its parent, taken away", "UPDATE ledger_commits SET parent = NULL WHERE position = 33", ["parent"]],
  ["its root", "UPDATE ledger_commits SET root = 30 WHERE position = 33", ["parent"]],
  ["a column's type", "UPDATE ledger_commits SET payload = x'00' WHERE position = 33", ["unreadable"]],
  [
    "a time beyond all times",
    "UPDATE ledger_commits SET accepted_ms = 9e15 WHERE position = 33",
    ["unreadable"],
  ],
  ["the row itself", "DELETE FROM ledger_commits WHERE position = 33", ["missing"]],
  [
    "a value",
    "UPDATE ledger_fields SET fields = replace(fields, 'green', 'grey') WHERE position = 33",
    ["value"],
  ],
  [
    "a salt",
    'UPDATE ledger_fields SET fields = replace(fields, \'"salt":"\', \'"salt":"0\') WHERE position = 33',
    ["value"],
  ],
  [
    "a value's name",
    "UPDATE ledger_fields SET fields = replace(fields, 'content', 'tent') WHERE position = 33",
    ["value", "value_lost"],
  ],
  ["its values", "DELETE FROM ledger_fields WHERE position = 33", ["value_lost"]],
  ["the text of its values", "UPDATE ledger_fields SET fields = '{' WHERE position = 33", ["unreadable"]],
  [
    "the shape of its values",
    "UPDATE ledger_fields SET fields = '{\"content\":3}' WHERE position = 33",
    ["unreadable"],
  ],
  [
    "the depth of its values",
    `UPDATE ledger_fields SET fields = '{"content":{"salt":"","value":${"[".repeat(300)}${"]".repeat(300)}}}' WHERE position = 33`,
    ["value"],
  ],
])("a commit with %s altered is the first bad one named", async (_, sql, kinds) => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, sql);
  const report = await ledger.reader.fsck(ledger.db);
  expect(report.first).toMatchObject({ position: 33 });
  expect(Object.keys(report.problems)).toEqual(expect.arrayContaining(kinds));
  expect(kinds).toContain(report.first?.kind);
  expect(report).toMatchObject({ isSound: false, commits: 70, checkpoints: 3 });
  // The next of its trace, and the one that completes a node above it, may be drawn in; nobody else.
  expect(report.badCommits).toBeGreaterThanOrEqual(1);
  expect(report.badCommits).toBeLessThanOrEqual(3);
});

test("a commit moved into a conversation of its own is found, though no hash covers where it lies", async () => {
  await using ledger = await testLedger();
  await ledger.append({ trace: "msg-a" });
  await ledger.append({ act: "impression.set", trace: "ab".repeat(32), messageId: undefined });
  await tamper(ledger.db, "UPDATE ledger_commits SET trace = 'x' WHERE position = 0");
  const moved = { badCommits: 1, first: { kind: "parent", position: 0 } };
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject(moved);
  await tamper(ledger.db, "UPDATE ledger_commits SET trace = 'y' WHERE position = 1");
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject({ ...moved, badCommits: 2 });
});

test("damage is named where it begins, and counted", async () => {
  await using ledger = await wholeLedger();
  await tamper(
    ledger.db,
    "UPDATE ledger_commits SET payload_hash = zeroblob(32) WHERE position IN (60, 12, 44)",
  );
  const report = await ledger.reader.fsck(ledger.db);
  expect(report.first).toMatchObject({
    kind: "payload_hash",
    position: 12,
    id: expect.stringMatching(/^ctx_/),
  });
  expect(report).toMatchObject({ badCommits: 3, problems: { payload_hash: 3 } });
});

test.each([
  ["size", "UPDATE ledger_tail SET size = 69"],
  ["log root", "UPDATE ledger_tail SET log_root = 'x'"],
  ["frontier", "UPDATE ledger_tail SET frontier = substr(frontier, 65)"],
  ["row", "DELETE FROM ledger_tail"],
  ["type", "UPDATE ledger_tail SET size = 'many'"],
])("the record of the end with another %s is found", async (_, sql) => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, sql);
  const report = await ledger.reader.fsck(ledger.db);
  expect(report).toMatchObject({ isSound: false, badCommits: 0, problems: { tail: 1 } });
});

test("commits cut off at the end are missed, one for each", async () => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, "DELETE FROM ledger_commits WHERE position >= 66");
  const report = await ledger.reader.fsck(ledger.db);
  expect(report).toMatchObject({
    commits: 70,
    badCommits: 4,
    badCheckpoints: 1,
    first: { kind: "missing", position: 66 },
    problems: { missing: 4, checkpoint_root: 1, tail: 1 },
  });
});

test("a position as far off as a damaged number can be is counted, not waited for", async () => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, "UPDATE ledger_commits SET position = 4503599627370496 WHERE position = 69");
  const report = await ledger.reader.fsck(ledger.db);
  expect(report.first).toMatchObject({ kind: "missing", position: 69 });
  expect(report.isSound).toBe(false);
});

const SIGNED = "UPDATE ledger_checkpoints SET";

test.each([
  ["tree root", `${SIGNED} tree_root = '${"0".repeat(64)}'`, ["checkpoint", "checkpoint_root"]],
  ["log root", `${SIGNED} log_root = '${"0".repeat(64)}'`, ["checkpoint", "checkpoint_root"]],
  ["size", `${SIGNED} tree_size = 48`, ["checkpoint", "checkpoint_root"]],
  ["signature", `${SIGNED} server_sig = '${"0".repeat(128)}'`, ["checkpoint"]],
  ["signature cut off", `${SIGNED} server_sig = ''`, ["checkpoint"]],
  ["time", `${SIGNED} timestamp = '2031-01-01T00:00:00Z'`, ["checkpoint"]],
  ["id", `${SIGNED} checkpoint_id = 'cp_1_00000000'`, ["checkpoint"]],
  ["link", `${SIGNED} previous_cp_id = NULL`, ["checkpoint"]],
])("a checkpoint with another %s is found", async (_, sql, kinds) => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, "DELETE FROM ledger_witness_signatures");
  await tamper(ledger.db, `${sql} WHERE tree_size = 50`);
  const report = await ledger.reader.fsck(ledger.db);
  expect(report).toMatchObject({ isSound: false, badCommits: 0 });
  expect(Object.keys(report.problems).sort()).toEqual(kinds);
});

test("a checkpoint taken out from between others is missed", async () => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, "DELETE FROM ledger_witness_signatures");
  await tamper(ledger.db, "DELETE FROM ledger_checkpoints WHERE tree_size = 50");
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject({
    checkpoints: 2,
    badCheckpoints: 1,
    first: { kind: "checkpoint", position: 69 },
  });
});

test.each([
  ["signature", `signature = '${"0".repeat(128)}'`],
  ["key", `agent_id = '${"ab".repeat(32)}'`],
  ["id", "witness_id = 'wit_0000000000000000'"],
])("a witness with another %s is found", async (_, change) => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, `UPDATE ledger_witness_signatures SET ${change}`);
  const report = await ledger.reader.fsck(ledger.db);
  expect(report).toMatchObject({
    isSound: false,
    badCheckpoints: 1,
    first: { kind: "witness_signature", position: 49 },
    problems: { witness_signature: 1 },
  });
});

test("a history written anew from one commit on is caught by the checkpoints signed before", async () => {
  await using ledger = await wholeLedger();
  await using other = await testLedger({ random: seededRandom(2) });
  // The same key makes other commits, all of them sound by themselves.
  for (let at = 0; at < COMMITS; at++) await other.append({ trace: `msg-${at % 5}` });
  const forged = await other.db.all("SELECT * FROM ledger_commits");
  const fields = await other.db.all<{ position: number; fields: string }>("SELECT * FROM ledger_fields");
  const tail = await other.db.get<{ log_root: string; frontier: string }>("SELECT * FROM ledger_tail");
  await tamper(ledger.db, "DELETE FROM ledger_commits");
  await ledger.db.write(async (tx) => {
    await tx.run("DELETE FROM ledger_fields");
    for (const row of forged) {
      const marks = Object.keys(row)
        .map(() => "?")
        .join();
      await tx.run(`INSERT INTO ledger_commits VALUES (${marks})`, ...Object.values(row));
    }
    for (const row of fields)
      await tx.run("INSERT INTO ledger_fields VALUES (?, ?)", row.position, row.fields);
    await tx.run(
      "UPDATE ledger_tail SET log_root = ?, frontier = ?",
      tail?.log_root ?? "",
      tail?.frontier ?? "",
    );
  });
  const report = await ledger.reader.fsck(ledger.db);
  expect(report).toMatchObject({ isSound: false, badCommits: 0, problems: { checkpoint_root: 3 } });
});

test("values of no commit are found", async () => {
  await using ledger = await wholeLedger();
  await tamper(ledger.db, "INSERT INTO ledger_fields VALUES (70, '{}')");
  expect(await ledger.reader.fsck(ledger.db)).toMatchObject({ isSound: false, problems: { value: 1 } });
});

test("a look through can be ended in the middle", async () => {
  await using ledger = await testLedger();
  const { db, journal } = ledger;
  await db.write(async (tx) => {
    for (let at = 0; at < 600; at++) await journal.append(tx, testEvent());
  });
  const stop = new AbortController();
  let last = 0;
  const progress = (done: number) => {
    last = done;
    stop.abort(new Error("enough"));
  };
  await expect(ledger.reader.fsck(db, { progress, signal: stop.signal })).rejects.toThrow("enough");
  expect(last).toBeGreaterThan(0);
  expect(last).toBeLessThan(600);
});

test("one commit is checked as the whole is", async () => {
  await using ledger = await wholeLedger();
  const check = async (position: number) => {
    const commit = (await ledger.commits())[position];
    return commit && ledger.reader.checkCommit(ledger.db, commit);
  };
  expect(await check(33)).toEqual([]);
  await tamper(ledger.db, "UPDATE ledger_commits SET chain_hash = zeroblob(32) WHERE position = 33");
  expect(await check(33)).toEqual(["chain_hash"]);
  expect(await check(38)).toEqual(["chain_hash"]);
  expect(await check(34)).toEqual([]);
});
