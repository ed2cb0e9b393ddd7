import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { checkpointJobs } from "../checkpoints/checkpoints.jobs.ts";
import { createCheckpoints } from "../checkpoints/checkpoints.ts";
import { createLedgerJournal } from "../commits/journal.ts";
import { createLog } from "../log/log.ts";
import { ledgerMigrations } from "../schema.ts";
import { witnessNetwork, witnessNode } from "../testing/witness-network.ts";
import { createWitnesses } from "./witnesses.ts";

test("a log of commits is signed and witnessed as it grows, from any size to any other", async () => {
  await using net = await witnessNetwork(["bo"]);
  const { bo } = net.nodes;
  await using db = await memoryDatabase(ledgerMigrations);
  const host = net.internet.host({ address: "192.168.7.50" });
  const ana = await witnessNode({
    clock: net.clock,
    host,
    name: "ana",
    seed: new Uint8Array(32).fill(5),
    db,
  });
  ana.peers.push(bo.asPeer);
  bo.peers.push(ana.asPeer);
  const log = createLog();
  const journal = createLedgerJournal(ana.ports);
  const checkpoints = createCheckpoints(ana.ports, log);
  const witnesses = createWitnesses(ana.ports, log, checkpoints);
  const [job] = checkpointJobs(db, checkpoints);

  for (const added of [1, 1, 2, 3, 7, 1, 64]) {
    await db.write(async (tx) => {
      for (let at = 0; at < added; at++) {
        await journal.append(tx, { act: "impression.set", trace: bo.id, peer: bo.id, fields: { score: at } });
      }
    });
    await job?.run();
    expect(await witnesses.ask()).toEqual([{ agentId: bo.id, outcome: "signed", reason: "" }]);
  }

  const all = await checkpoints.from(db, 0);
  expect(all.map(({ tree_size }) => tree_size)).toEqual([1, 2, 4, 7, 14, 15, 79]);
  expect(await log.head(db)).toMatchObject({ size: 79, treeRoot: all.at(-1)?.tree_root });
  // Not once did the witness have to ask for another proof.
  expect(bo.heard).toHaveLength(all.length);
});
