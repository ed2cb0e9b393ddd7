import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createFaults, type Faults, sqliteFault } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { checkpointMigrations } from "../checkpoints/checkpoints.store.ts";
import { signedAnew, type WitnessNode, witnessNode } from "../testing/witness-network.ts";
import { witnessMigrations } from "./witnesses.store.ts";

const DISK_FULL = 13;

/** A log and its witness, each on a disk that fails when it is told to. */
async function onFailingDisks(): Promise<
  { ana: WitnessNode; bo: WitnessNode; anaDisk: Faults; boDisk: Faults } & AsyncDisposable
> {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const make = async (name: string, at: number) => {
    const disk = createFaults();
    const db = await openSqlite({ path: ":memory:", onStatement: disk.onStatement });
    await migrate(db, [...storeMigrations, ...checkpointMigrations, ...witnessMigrations]);
    const host = internet.host({ address: `192.168.7.${at}` });
    return { disk, node: await witnessNode({ clock, host, name, seed: new Uint8Array(32).fill(at), db }) };
  };
  const [ana, bo] = [await make("ana", 10), await make("bo", 11)];
  ana.node.peers.push(bo.node.asPeer);
  bo.node.peers.push(ana.node.asPeer);
  return {
    ana: ana.node,
    bo: bo.node,
    anaDisk: ana.disk,
    boDisk: bo.disk,
    async [Symbol.asyncDispose]() {
      await ana.node.db.close();
      await bo.node.db.close();
    },
  };
}

async function signedBy(node: WitnessNode): Promise<(string | undefined)[]> {
  const checkpoint = await node.checkpoints.latest(node.db);
  const kept = checkpoint && (await node.checkpoints.witnessSignatures(node.db, checkpoint.checkpoint_id));
  return (kept ?? []).map(({ agentId }) => agentId);
}

test("a witness that cannot write down what it signs has not signed it, and may be asked again", async () => {
  await using both = await onFailingDisks();
  const { ana, bo, boDisk } = both;
  ana.log.grow(3);
  boDisk.failNext("COMMIT", sqliteFault(DISK_FULL));

  expect(await ana.witnesses.ask()).toEqual([{ agentId: bo.id, outcome: "unanswered", reason: "HTTP 507" }]);
  expect(await signedBy(ana)).toEqual([]);
  expect(await bo.witnesses.witnessed(bo.db, [ana.id])).toEqual([]);

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }]);
});

test("a signature that could not be kept is asked for again, and is the same one", async () => {
  await using both = await onFailingDisks();
  const { ana, bo, anaDisk } = both;
  await ana.checkpoint(3);
  // The first COMMIT is that of the checkpoint, which is there already.
  anaDisk.failNext("COMMIT", sqliteFault(DISK_FULL), 1);

  await expect(ana.witnesses.ask()).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(await signedBy(ana)).toEqual([]);
  expect(await bo.witnesses.witnessed(bo.db, [ana.id])).toHaveLength(1);

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }]);
  expect(await signedBy(ana)).toEqual([bo.id]);
});

test("evidence that cannot be written down is neither answered for nor told", async () => {
  await using both = await onFailingDisks();
  const { ana, bo, boDisk } = both;
  const first = await ana.checkpoint(3);
  const second = signedAnew(ana.signer, first, { tree_root: "ab".repeat(32) });
  boDisk.failNext("COMMIT", sqliteFault(DISK_FULL));

  const answer = await bo.post("evidence", { agent_id: ana.id, first, second });

  expect(answer.status).toBe(507);
  expect(await bo.witnesses.evidence(bo.db)).toEqual([]);
  expect(bo.reports.filter((one) => one.startsWith("ledger."))).toEqual([]);
  expect((await bo.post("evidence", { agent_id: ana.id, first, second })).status).toBe(200);
});
