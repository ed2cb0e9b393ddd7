import { expect, test } from "vitest";
import { insertCheckpoint, insertWitnessSignature } from "../checkpoints/checkpoints.store.ts";
import { signedAnew, type WitnessNode, witnessNetwork, witnessNode } from "../testing/witness-network.ts";
import { ROUND_AFTER_MS } from "./asking.ts";

const SEED = new Uint8Array(32).fill(9);

/** Bo and cy, and ana as often as she is begun anew: with three commits, and the database that is given or none. */
async function witnessesOfAna() {
  const net = await witnessNetwork(["bo", "cy"]);
  const { bo, cy } = net.nodes;
  net.connect("bo", "cy");
  let begun = 0;
  const begin = async (db?: WitnessNode["db"]) => {
    const host = net.internet.host({ address: `192.168.7.${50 + begun++}` });
    const node = await witnessNode({ clock: net.clock, host, name: "ana", seed: SEED, ...(db && { db }) });
    node.peers.push(bo.asPeer, cy.asPeer);
    node.log.grow(3);
    return node;
  };
  const ana = await begin();
  for (const witness of [bo, cy]) witness.peers.push(ana.asPeer);
  return { net, ana, bo, cy, begin };
}

async function latest(node: WitnessNode) {
  const found = await node.checkpoints.latest(node.db);
  if (!found) throw new Error("nothing was signed");
  return found;
}

test("a state put back from a backup signs nothing that contradicts what others hold, and says why", async () => {
  const { net, ana: before, bo, cy, begin } = await witnessesOfAna();
  await using _ = net;
  await before.witnesses.ask();
  const backedUp = await latest(before);
  const signatures = await before.checkpoints.witnessSignatures(before.db, backedUp.checkpoint_id);
  before.log.grow(4);
  await before.witnesses.ask();
  const lost = await latest(before);
  const ana = await begin();
  await ana.db.write(async (tx) => {
    await insertCheckpoint(tx, backedUp);
    for (const signature of signatures) await insertWitnessSignature(tx, backedUp.tree_size, signature);
  });
  // As many commits as the witnesses signed for already, and others than those.
  ana.log.grow(4);
  ana.log.rewrite(3);
  // As the job does every ten minutes, and a stop: shown to nobody yet.
  await ana.db.write((tx) => ana.checkpoints.make(tx));

  const refusal = { code: "STATE_OLDER", message: expect.stringContaining("7 commits") };
  await expect(ana.witnesses.ask()).rejects.toMatchObject(refusal);

  expect(await ana.checkpoints.newer(ana.db)).toEqual(lost);
  expect(ana.reports).toEqual([`ledger.state_older {"checkpoint":"${lost.checkpoint_id}","size":7}`]);
  const heard = bo.heard.length;
  ana.log.grow(2);
  await net.clock.advance(ROUND_AFTER_MS);
  await ana.witnesses.poll();
  await expect(ana.db.write((tx) => ana.checkpoints.make(tx))).rejects.toMatchObject(refusal);
  await net.settle();
  expect(bo.heard).toHaveLength(heard);
  for (const witness of [bo, cy]) expect(await witness.witnesses.evidence(witness.db)).toEqual([]);
});

test("where nothing was signed before to be shown, the first refusal tells", async () => {
  const { net, ana: before, bo, cy, begin } = await witnessesOfAna();
  await using _ = net;
  before.log.grow(4);
  await before.witnesses.ask();
  const lost = await latest(before);
  const ana = await begin();

  expect(await ana.witnesses.ask()).toEqual(
    [bo, cy].map(({ id }) => ({ agentId: id, outcome: "refused", reason: "STATE_OLDER" })),
  );
  expect(await ana.checkpoints.newer(ana.db)).toEqual(lost);
});

test("a node that starts again with the state it had is witnessed on", async () => {
  const { net, ana: before, bo, begin } = await witnessesOfAna();
  await using _ = net;
  await before.witnesses.ask();
  const ana = await begin(before.db);
  ana.log.grow(1);

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }, { outcome: "signed" }]);
  ana.log.grow(1);
  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }, { outcome: "signed" }]);

  expect(await ana.checkpoints.newer(ana.db)).toBeUndefined();
  // What was signed before is shown once.
  expect(bo.heard.map(({ body }) => (body.checkpoint as { tree_size: number }).tree_size)).toEqual([
    3, 3, 4, 5,
  ]);
});

test("nobody but this log's key can say that its state is older", async () => {
  const { net, ana, bo } = await witnessesOfAna();
  await using _ = net;
  const ours = await ana.checkpoint(1);
  const body = {
    code: "INCONSISTENT",
    previous: signedAnew(bo.signer, ours, { tree_size: 9, log_position: 8 }),
  };
  bo.answers(async () => ({ status: 409, headers: {}, body: JSON.stringify(body) }));

  expect(await ana.witnesses.ask()).toMatchObject([
    { outcome: "refused", reason: "INCONSISTENT" },
    { outcome: "signed" },
  ]);
  expect(await ana.checkpoints.newer(ana.db)).toBeUndefined();
});
