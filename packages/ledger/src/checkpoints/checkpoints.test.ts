import { checkpointTag, signedCheckpointOf, verifyNodeCheckpoint } from "@darkmatter/proof";
import { expect, test } from "vitest";
import type { MemoryLog } from "../testing/memory-log.ts";
import { witnessNetwork } from "../testing/witness-network.ts";
import { checkpointJobs } from "./checkpoints.jobs.ts";
import { insertCheckpoint, insertWitnessSignature } from "./checkpoints.store.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { tryLogKey } from "./log-key.ts";

const HOUR_MS = 3_600_000;

test("a checkpoint says what the log is, and is signed by its key", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;

  const made = await ana.checkpoint(5);

  const head = await ana.log.head(ana.db);
  expect(made).toEqual({
    checkpoint_id: `cp_1772712000000_${checkpointTag(ana.id)}`,
    log_position: 4,
    position: 4,
    tree_size: 5,
    tree_root: head?.treeRoot,
    log_root: head?.logRoot,
    previous_cp_id: null,
    previous_tree_root: null,
    schema_version: "3",
    timestamp: "2026-03-05T12:00:00Z",
    server_sig: expect.any(String),
  });
  expect(signedCheckpointOf({ ...made })).toEqual(made);
  expect(await verifyNodeCheckpoint(made, ana.id, ana.ports.verifier.verify)).toBe(true);
  expect(await ana.checkpoints.latest(ana.db)).toEqual(made);
});

test("checkpoints are chained, and a log that did not grow gets none", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const first = await ana.checkpoint(5);
  expect(await ana.checkpoint(0)).toEqual(first);

  const second = await ana.checkpoint(3);

  expect(second).toMatchObject({
    tree_size: 8,
    previous_cp_id: first.checkpoint_id,
    previous_tree_root: first.tree_root,
  });
});

test("an empty log has no checkpoint", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  expect(await ana.db.write((tx) => ana.checkpoints.make(tx))).toBeUndefined();
  expect(await ana.checkpoints.latest(ana.db)).toBeUndefined();
});

test("a checkpoint is never before the one it follows, though the clock is set back", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const first = await ana.checkpoint(1);
  const early = createCheckpoints({ ...ana.ports, clock: net.clock.skewed(-HOUR_MS) }, ana.log);

  ana.log.grow(1);
  const second = await ana.db.write((tx) => early.make(tx));
  await net.clock.advance(2000);
  const third = await ana.checkpoint(1);

  expect(second?.timestamp).toBe(first.timestamp);
  expect(second?.checkpoint_id).toBe(`cp_1772712000001_${checkpointTag(ana.id)}`);
  expect(third.timestamp).toBe("2026-03-05T12:00:02Z");
});

test("who covers a position is found, and all that cover it", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const [five, eight, nine] = [await ana.checkpoint(5), await ana.checkpoint(3), await ana.checkpoint(1)];

  expect(await ana.checkpoints.covering(ana.db, 0)).toEqual(five);
  expect(await ana.checkpoints.covering(ana.db, 4)).toEqual(five);
  expect(await ana.checkpoints.covering(ana.db, 5)).toEqual(eight);
  expect(await ana.checkpoints.covering(ana.db, 9)).toBeUndefined();
  expect(await ana.checkpoints.from(ana.db, 5)).toEqual([eight, nine]);
  expect(await ana.checkpoints.from(ana.db, 0)).toEqual([five, eight, nine]);
});

test.for<[string, (log: MemoryLog) => void]>([
  ["was rewritten", (log) => log.rewrite(2)],
  ["was rewritten and then grew", (log) => [log.rewrite(4), log.grow(9)]],
  ["was cut off", (log) => log.shrink(3)],
  ["lost everything", (log) => log.shrink(0)],
])("a log that %s is not signed again", async ([, damage]) => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const signed = await ana.checkpoint(5);
  damage(ana.log);

  await expect(ana.checkpoint(0)).rejects.toMatchObject({ code: "LOG_REWRITTEN" });

  expect(await ana.checkpoints.latest(ana.db)).toEqual(signed);
});

test("what was signed can be neither changed nor removed nor replaced", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const signed = await ana.checkpoint(5);
  const testimony = { witnessId: "wit_1", agentId: "w", name: null, signature: "s", witnessedAt: "t" };
  await ana.db.write((tx) => insertWitnessSignature(tx, 5, testimony));
  const attempt = (sql: string) => ana.db.write((tx) => tx.run(sql));

  for (const sql of [
    "UPDATE ledger_checkpoints SET tree_root = 'other'",
    "DELETE FROM ledger_checkpoints",
    "REPLACE INTO ledger_checkpoints SELECT tree_size, 'other', '', '', '', NULL, NULL, '' FROM ledger_checkpoints",
    "UPDATE ledger_witness_signatures SET signature = 'other'",
    "DELETE FROM ledger_witness_signatures",
  ]) {
    await expect(attempt(sql), sql).rejects.toThrow();
  }
  const smaller = { ...signed, checkpoint_id: "cp_1_00000000", tree_size: 4 };
  await expect(ana.db.write((tx) => insertCheckpoint(tx, smaller))).rejects.toThrow();

  expect(await ana.checkpoints.from(ana.db, 0)).toEqual([signed]);
  expect(await ana.checkpoints.witnessSignatures(ana.db, signed.checkpoint_id)).toEqual([testimony]);
});

test("a witness counts once for a checkpoint", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const { checkpoint_id } = await ana.checkpoint(5);
  const testimony = (witnessId: string, signature: string) => ({
    witnessId,
    agentId: witnessId,
    name: "bo",
    signature,
    witnessedAt: "2026-03-05T12:00:00Z",
  });
  for (const one of [testimony("wit_2", "b"), testimony("wit_1", "a"), testimony("wit_2", "c")]) {
    await ana.db.write((tx) => insertWitnessSignature(tx, 5, one));
  }

  const kept = await ana.checkpoints.witnessSignatures(ana.db, checkpoint_id);

  expect(kept).toEqual([testimony("wit_1", "a"), testimony("wit_2", "b")]);
});

test("a hundred at once make one checkpoint", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  ana.log.grow(7);
  const made = await Promise.all(
    Array.from({ length: 100 }, () => ana.db.write((tx) => ana.checkpoints.make(tx))),
  );

  expect(new Set(made.map((one) => one?.checkpoint_id)).size).toBe(1);
  expect(await ana.checkpoints.from(ana.db, 0)).toHaveLength(1);
});

test("an act that fails takes its checkpoint with it", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  ana.log.grow(1);
  const act = ana.db.write(async (tx) => {
    await ana.checkpoints.make(tx);
    throw new Error("no");
  });
  await expect(act).rejects.toThrow("no");

  expect(await ana.checkpoints.latest(ana.db)).toBeUndefined();
});

test("the job signs a log that grew, each ten minutes", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  const [job] = checkpointJobs(ana.db, ana.checkpoints);
  expect(job?.periodMs).toBe(600_000);
  ana.log.grow(2);

  await job?.run();
  await job?.run();

  expect(await ana.checkpoints.from(ana.db, 0)).toHaveLength(1);
});

test("a key whose signatures do not hold is found before anything is signed with it", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  const { ana, bo } = net.nodes;
  await expect(tryLogKey(ana.ports)).resolves.toBeUndefined();

  const signer = { ...bo.signer, agentId: ana.id };

  await expect(tryLogKey({ ...ana.ports, signer })).rejects.toMatchObject({ code: "LOG_KEY_BROKEN" });
});
