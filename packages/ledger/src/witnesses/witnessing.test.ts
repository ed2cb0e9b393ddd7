import { type Json, MINUTE_MS } from "@darkmatter/core";
import { checkpointTag, checkpointText, type SignedCheckpoint, witnessId } from "@darkmatter/proof";
import fc from "fast-check";
import { expect, test } from "vitest";
import { alterations, altered } from "../testing/alterations.ts";
import {
  type CheckpointChanges,
  signedAnew,
  type WitnessNetwork,
  type WitnessNode,
  witnessNetwork,
} from "../testing/witness-network.ts";
import { witnessRequestBody } from "./witness.ts";
import { insertWitnessed, KEPT_PER_LOG_MAX, lastWitnessed } from "./witnesses.store.ts";
import { CHECKPOINTS_PER_MINUTE, LOGS_MAX } from "./witnessing.ts";

type Net = WitnessNetwork<"eve" | "bo">;

async function connected(): Promise<Net> {
  const net = await witnessNetwork(["eve", "bo"]);
  net.connect("eve", "bo");
  return net;
}

type RequestBody = {
  agent_id: Json;
  checkpoint: { [name: string]: Json };
  server_sig: Json;
  consistency: Json;
};

/** What a log asks, with the proof from `firstSize` when there is one. */
async function request(node: WitnessNode, signed: SignedCheckpoint, firstSize?: number) {
  const consistency =
    firstSize === undefined
      ? null
      : { first_size: firstSize, proof: await node.log.consistency(node.db, firstSize, signed.tree_size) };
  return witnessRequestBody(node.id, signed, consistency) as RequestBody;
}

/** Asks `bo` to sign what `eve` is given to say. */
async function ask({ nodes: { eve, bo } }: Net, signed: SignedCheckpoint, firstSize?: number) {
  return bo.post("checkpoint", await request(eve, signed, firstSize));
}

test("a witness signs the same bytes, by its own key", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const signed = await eve.checkpoint(3);

  const answer = await ask(net, signed);

  expect(answer.status).toBe(200);
  expect(answer.json).toEqual({
    witness_id: witnessId(bo.id),
    witness_sig: bo.signer.sign(checkpointText(signed)),
    witnessed_at: "2026-03-05T12:00:00Z",
  });
});

test("asked for the same again it answers the same, whenever that is", async () => {
  await using net = await connected();
  const signed = await net.nodes.eve.checkpoint(3);
  const first = await ask(net, signed);
  await net.clock.advance(MINUTE_MS);

  expect((await ask(net, signed)).json).toEqual(first.json);
  expect((await ask(net, signed, 3)).json).toEqual(first.json);
  expect(await heldCount(net.nodes.bo)).toBe(1);
});

async function heldCount({ db }: WitnessNode): Promise<number | undefined> {
  return (await db.get<{ count: number }>("SELECT count(*) AS count FROM ledger_witnessed"))?.count;
}

test("who asks is found by the signature, among those connected", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const { agent_id: _left, ...body } = await request(eve, await eve.checkpoint(3));

  expect((await bo.post("checkpoint", body)).status).toBe(200);
  bo.peers.length = 0;
  expect(await bo.post("checkpoint", body)).toMatchObject({ status: 403, json: { code: "NOT_CONNECTED" } });
});

test("an agent that is not connected is refused", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  const answer = await ask(net, await net.nodes.eve.checkpoint(3));

  expect(answer).toMatchObject({ status: 403, json: { code: "NOT_CONNECTED" } });
  expect(await heldCount(net.nodes.bo)).toBe(0);
});

test("a checkpoint that another key signed is refused", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const forged = signedAnew(bo.signer, await eve.checkpoint(3), {});

  expect(await ask(net, forged)).toMatchObject({ status: 403, json: { code: "BAD_SIGNATURE" } });
  expect(await heldCount(bo)).toBe(0);
});

test("a log that grew is signed with the proof from exactly what was signed last", async () => {
  await using net = await connected();
  const { eve } = net.nodes;
  const [three, five, eight] = [await eve.checkpoint(3), await eve.checkpoint(2), await eve.checkpoint(3)];
  await ask(net, three);
  await ask(net, five, 3);
  const needed = { status: 409, json: { code: "CONSISTENCY_NEEDED", previous: five } };

  expect(await ask(net, eight)).toMatchObject(needed);
  expect(await ask(net, eight, 3)).toMatchObject(needed);
  expect(await ask(net, eight, 8)).toMatchObject(needed);
  expect((await ask(net, eight, 5)).status).toBe(200);
});

test("a proof that does not hold is refused, and so is a history that was rewritten", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const five = await eve.checkpoint(5);
  await ask(net, five);
  eve.log.grow(3);
  eve.log.rewrite(2);
  const head = await eve.log.head(eve.db);
  if (!head) throw new Error("empty");
  const other = signedAnew(eve.signer, five, {
    idMs: 2,
    tree_size: 8,
    log_position: 7,
    tree_root: head.treeRoot,
    log_root: head.logRoot,
  });

  expect(await ask(net, other, 5)).toMatchObject({
    status: 409,
    json: { code: "INCONSISTENT", previous: five },
  });
  expect(await bo.witnesses.evidence(bo.db)).toEqual([]);
  expect((await lastWitnessed(bo.db, eve.id))?.checkpoint).toEqual(five);
});

test("a size that shrinks is refused, true as it may have been", async () => {
  await using net = await connected();
  const { eve } = net.nodes;
  const [three, five] = [await eve.checkpoint(3), await eve.checkpoint(2)];
  await ask(net, five);

  const answer = await ask(net, three);

  expect(answer).toMatchObject({ status: 409, json: { code: "INCONSISTENT", previous: five } });
});

test("a time before the last one's is refused", async () => {
  await using net = await connected();
  const { eve } = net.nodes;
  const three = await eve.checkpoint(3);
  await ask(net, three);
  const early = signedAnew(eve.signer, await eve.checkpoint(1), { timestamp: "2026-03-05T11:59:59Z" });

  expect(await ask(net, early, 3)).toMatchObject({
    status: 409,
    json: { code: "INCONSISTENT", previous: three },
  });
});

const OTHER_ROOT = "ab".repeat(32);

test.for<[string, (shown: SignedCheckpoint[]) => CheckpointChanges, number]>([
  ["another tree of the same size", () => ({ idMs: 2, tree_root: OTHER_ROOT }), 2],
  ["another log root of the same size", () => ({ idMs: 2, log_root: OTHER_ROOT }), 2],
  ["another time under the same name", () => ({ timestamp: "2026-03-05T12:00:09Z" }), 2],
  [
    "another tree of a size signed before the last one",
    ([, five]) => ({ idMs: 2, tree_size: five?.tree_size ?? 0, log_position: 4 }),
    1,
  ],
  [
    "another root of the one before it",
    ([, , eight]) => ({
      idMs: 2,
      previous_cp_id: eight?.checkpoint_id ?? null,
      previous_tree_root: OTHER_ROOT,
      tree_size: 9,
      log_position: 8,
    }),
    2,
  ],
])(
  "%s is evidence of a split history: kept, and the log is signed no more",
  async ([, change, contradicted]) => {
    await using net = await connected();
    const { eve, bo } = net.nodes;
    const shown = [await eve.checkpoint(3), await eve.checkpoint(2), await eve.checkpoint(3)];
    await ask(net, shown[0] as SignedCheckpoint);
    await ask(net, shown[1] as SignedCheckpoint, 3);
    await ask(net, shown[2] as SignedCheckpoint, 5);
    const other = signedAnew(eve.signer, shown[2] as SignedCheckpoint, change(shown));

    const answer = await ask(net, other);

    const previous = shown[contradicted] as SignedCheckpoint;
    expect(answer).toMatchObject({ status: 409, json: { code: "EQUIVOCATION", previous } });
    const found = { agent_id: eve.id, first: previous, second: other };
    expect(await bo.witnesses.evidenceAbout(bo.db, [bo.id, eve.id])).toEqual([found]);
    expect(await bo.witnesses.evidence(bo.db)).toMatchObject([
      { agentId: eve.id, from: bo.id, recordedAt: "2026-03-05T12:00:00Z" },
    ]);
    expect(bo.reports).toContain(`ledger.evidence {"agent":"${eve.id}","from":"${bo.id}"}`);
    for (const [signed, firstSize] of [[previous], [other], [await eve.checkpoint(5), 8]] as const) {
      expect(await ask(net, signed, firstSize)).toMatchObject({
        status: 403,
        json: { code: "SPLIT_HISTORY" },
      });
    }
    expect((await lastWitnessed(bo.db, eve.id))?.checkpoint).toEqual(shown[2]);
  },
);

test("what a held checkpoint says of the one before it counts against that one", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const [three, five] = [await eve.checkpoint(3), await eve.checkpoint(2)];
  await ask(net, five);
  const other = signedAnew(eve.signer, three, { tree_root: OTHER_ROOT });

  expect(await ask(net, other)).toMatchObject({
    status: 409,
    json: { code: "EQUIVOCATION", previous: five },
  });
  expect(await bo.witnesses.evidenceAbout(bo.db, [eve.id])).toMatchObject([{ first: other, second: five }]);
});

test("of two histories shown at once only one is signed", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const one = await eve.checkpoint(3);
  const others = Array.from({ length: CHECKPOINTS_PER_MINUTE - 1 }, (_, at) =>
    signedAnew(eve.signer, one, { tree_root: at.toString(16).padStart(64, "0") }),
  );

  const answers = await Promise.all([one, ...others].map((signed) => ask(net, signed)));

  const codes = answers.map(({ status, json }) =>
    status === 200 ? "signed" : (json as { code: string }).code,
  );
  expect(codes.filter((code) => code === "signed")).toHaveLength(1);
  expect(codes.filter((code) => code === "EQUIVOCATION")).toHaveLength(1);
  expect(codes.filter((code) => code === "SPLIT_HISTORY")).toHaveLength(CHECKPOINTS_PER_MINUTE - 2);
  expect(await heldCount(bo)).toBe(1);
});

test("a hundred of the same at once are one", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const signed = await eve.checkpoint(3);

  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(net, signed)));

  const signatures = answers.flatMap(({ status, text }) => (status === 200 ? [text] : []));
  expect(new Set(signatures).size).toBe(1);
  expect(signatures).toHaveLength(100);
  expect(await heldCount(bo)).toBe(1);
});

test("an agent's share of a minute is used up by what is signed for it alone", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const [three, four, five] = [await eve.checkpoint(3), await eve.checkpoint(1), await eve.checkpoint(1)];
  await ask(net, four);
  // Forged, shown again, or without its proof by somebody who saw it: each of them costs the log nothing.
  for (let at = 0; at < CHECKPOINTS_PER_MINUTE; at++) {
    expect((await ask(net, signedAnew(bo.signer, five, {}))).status).toBe(403);
    expect((await ask(net, four)).status).toBe(200);
    expect((await ask(net, three)).status).toBe(409);
    expect((await ask(net, five)).status).toBe(409);
  }
  expect((await ask(net, five, 4)).status).toBe(200);
  for (let size = 6; size < 4 + CHECKPOINTS_PER_MINUTE; size++)
    expect((await ask(net, await eve.checkpoint(1), size - 1)).status).toBe(200);

  const more = await eve.checkpoint(1);
  const before = 3 + CHECKPOINTS_PER_MINUTE;
  expect(await ask(net, more, before)).toMatchObject({ status: 429, json: { code: "TOO_MANY" } });
  await net.clock.advance(MINUTE_MS);
  expect((await ask(net, more, before)).status).toBe(200);
});

test("an address that keeps asking is told to wait, before anything is verified for it", async () => {
  await using net = await connected();
  const { bo } = net.nodes;
  const answers = [];
  for (let at = 0; at < 301; at++) answers.push(await bo.post("checkpoint", {}));

  expect(answers[299]?.status).toBe(400);
  expect(answers[300]).toMatchObject({ status: 429, json: { code: "TOO_MANY" } });
  expect((await bo.post("checkpoint", {}, "192.168.7.98")).status).toBe(400);
});

test.for<[string, string, number]>([
  ["no JSON", "{", 400],
  ["a list", "[]", 400],
  ["nothing", "", 400],
  ["a nest of brackets", "[".repeat(10_000), 400],
  ["more than a checkpoint and a proof can be", JSON.stringify({ more: "x".repeat(16 * 1024) }), 413],
])("a body of %s is refused", async ([, body, status]) => {
  await using net = await connected();
  expect((await net.nodes.bo.post("checkpoint", body)).status).toBe(status);
  expect(net.nodes.bo.reports).toEqual([]);
});

test("the longest proof that can be asked for is read, and a longer one is not", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  await ask(net, await eve.checkpoint(3));
  const body = await request(eve, await eve.checkpoint(2), 3);
  const proofOf = (length: number) => ({ first_size: 3, proof: Array(length).fill("ab".repeat(32)) });

  expect(await bo.post("checkpoint", { ...body, consistency: proofOf(106) })).toMatchObject({ status: 409 });
  expect(await bo.post("checkpoint", { ...body, consistency: proofOf(107) })).toMatchObject({ status: 400 });
});

test("a request with any member altered is refused, and leaves nothing behind", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  await ask(net, await eve.checkpoint(5));
  const right = await request(eve, await eve.checkpoint(6), 5);
  await fc.assert(
    fc.asyncProperty(alterations(right), async (alteration) => {
      // Not named, it is found by its signature.
      fc.pre(!(alteration.path[0] === "agent_id" && (alteration.value ?? null) === null));
      const body = altered(right, alteration);
      fc.pre(JSON.stringify(body) !== JSON.stringify(right));
      await net.clock.advance(MINUTE_MS);

      const answer = await bo.post("checkpoint", body);

      expect([400, 403, 409]).toContain(answer.status);
    }),
    { numRuns: 400 },
  );

  expect(bo.reports).toEqual([]);
  expect(await bo.witnesses.evidence(bo.db)).toEqual([]);
  expect(await heldCount(bo)).toBe(1);
  await net.clock.advance(MINUTE_MS);
  expect((await bo.post("checkpoint", right)).status).toBe(200);
});

test("a signed checkpoint with a member more or less is not one", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const body = await request(eve, await eve.checkpoint(3));
  for (const name of Object.keys(body.checkpoint)) {
    const { [name]: _left, ...rest } = body.checkpoint;
    expect((await bo.post("checkpoint", { ...body, checkpoint: rest })).status, name).toBe(400);
  }
  for (const more of [{ more: 1 }, { server_sig: body.server_sig }, { position: 2 }]) {
    const answer = await bo.post("checkpoint", { ...body, checkpoint: { ...body.checkpoint, ...more } });
    expect(answer.status).toBe(400);
  }
});

test("of each log the newest thousand are kept", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const signed = await eve.checkpoint(3);
  await bo.db.write(async (tx) => {
    for (let size = 1; size <= KEPT_PER_LOG_MAX + 5; size++) {
      const checkpoint = { ...signed, checkpoint_id: `cp_${size}_00000000`, tree_size: size };
      await insertWitnessed(tx, { agentId: eve.id, checkpoint, signature: "", witnessedAt: "" });
    }
    await insertWitnessed(tx, { agentId: bo.id, checkpoint: signed, signature: "", witnessedAt: "" });
  });

  const sizes = await bo.db.all(
    "SELECT tree_size FROM ledger_witnessed WHERE agent_id = ? ORDER BY 1",
    eve.id,
  );
  expect(sizes).toHaveLength(KEPT_PER_LOG_MAX);
  expect(sizes[0]).toEqual({ tree_size: 6 });
  expect((await lastWitnessed(bo.db, bo.id))?.checkpoint).toEqual(signed);
});

test("beyond a thousand logs no further one is signed for, and none is forgotten", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const signed = await eve.checkpoint(3);
  const agentId = (at: number) => at.toString(16).padStart(64, "0");
  await bo.db.write(async (tx) => {
    for (let at = 1; at < LOGS_MAX; at++) {
      await insertWitnessed(tx, { agentId: agentId(at), checkpoint: signed, signature: "", witnessedAt: "" });
    }
  });
  expect((await ask(net, signed)).status).toBe(200);
  await bo.db.write((tx) =>
    tx.run("UPDATE ledger_witnessed SET agent_id = ? WHERE agent_id = ?", agentId(LOGS_MAX), eve.id),
  );

  expect(await ask(net, signed)).toMatchObject({ status: 429, json: { code: "NO_ROOM" } });

  expect(await heldCount(bo)).toBe(LOGS_MAX);
});

test("what a witness signed for two logs passes for no history of its own", async () => {
  await using net = await witnessNetwork(["eve", "mal", "bo", "cy"]);
  const { eve, mal, bo, cy } = net.nodes;
  for (const name of ["eve", "mal", "cy"] as const) net.connect("bo", name);
  const signed: SignedCheckpoint[] = [];
  for (const [node, root] of [
    [eve, "ab"],
    [mal, "cd"],
  ] as const) {
    const own = signedAnew(node.signer, await node.checkpoint(3), { tree_root: root.repeat(32) });
    const { json } = await bo.post("checkpoint", witnessRequestBody(node.id, own, null));
    signed.push({ ...own, server_sig: (json as { witness_sig: string }).witness_sig });
  }

  const [first, second] = signed;
  const answer = await cy.post("evidence", { agent_id: bo.id, first, second } as object);

  expect(answer).toMatchObject({ status: 400, json: { code: "NO_EVIDENCE" } });
  expect(await cy.witnesses.evidence(cy.db)).toEqual([]);
});

test("a checkpoint that is not named after its log is not signed, whosever name it has", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  const signed = await eve.checkpoint(3);
  for (const tag of ["00000000", checkpointTag(bo.id)]) {
    const other = signedAnew(eve.signer, signed, { checkpoint_id: `cp_1_${tag}` });
    expect(await ask(net, other)).toMatchObject({ status: 403, json: { code: "BAD_SIGNATURE" } });
  }
});

test("a connected log that names its checkpoints otherwise is witnessed, and its two histories are found", async () => {
  await using net = await connected();
  const { eve, bo } = net.nodes;
  bo.peers.splice(0, bo.peers.length, { ...eve.asPeer, namesLog: false });
  const own = signedAnew(eve.signer, await eve.checkpoint(3), { checkpoint_id: "cp_1_00000000" });
  const other = signedAnew(eve.signer, own, {
    checkpoint_id: "cp_2_00000000",
    tree_root: "ab".repeat(32),
  });

  expect(await ask(net, own)).toMatchObject({ status: 200 });
  expect(await ask(net, other)).toMatchObject({ status: 409, json: { code: "EQUIVOCATION" } });
  expect(await bo.witnesses.evidence(bo.db)).toMatchObject([{ agentId: eve.id }]);
});
