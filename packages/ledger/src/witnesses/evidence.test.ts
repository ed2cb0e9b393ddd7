import { type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import type { SignedCheckpoint } from "@darkmatter/proof";
import fc from "fast-check";
import { expect, test } from "vitest";
import { alterations, altered } from "../testing/alterations.ts";
import { signedAnew, type WitnessNode, witnessNetwork, witnessNode } from "../testing/witness-network.ts";
import { ACCUSATIONS_PER_ADDRESS, ACCUSATIONS_PER_MINUTE } from "./evidence.ts";
import { witnessRequestBody } from "./witness.ts";
import { ACCUSED_MAX, insertEvidence } from "./witnesses.store.ts";

const OTHER_ROOT = "ab".repeat(32);

/** What a node shows of a history it does not have, beside what it has. */
async function twoHistories(
  node: WitnessNode,
): Promise<{ first: SignedCheckpoint; second: SignedCheckpoint }> {
  const first = await node.checkpoint(3);
  const changes = { idMs: 2, tree_root: OTHER_ROOT };
  return { first, second: signedAnew(node.signer, first, changes) };
}

async function evidenceAgainst(node: WitnessNode): Promise<JsonObject> {
  return { agent_id: node.id, ...(await twoHistories(node)) } as unknown as JsonObject;
}

const accusers = (node: WitnessNode) =>
  node.heard.filter(({ path }) => path.endsWith("/evidence")).map(({ body }) => body.from_agent_id);

test("a peer that shows one witness two histories is told of to all, once, and all refuse it", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana", "cy"]);
  const { eve, bo, ana, cy } = net.nodes;
  for (const name of ["bo", "ana", "cy"] as const) net.connect("eve", name);
  net.connect("bo", "ana");
  net.connect("bo", "cy");
  net.connect("ana", "cy");
  const { first, second } = await twoHistories(eve);
  await bo.post("checkpoint", witnessRequestBody(eve.id, first, null));

  const answer = await bo.post("checkpoint", witnessRequestBody(eve.id, second, null));
  await net.settle();

  expect(answer).toMatchObject({ status: 409, json: { code: "EQUIVOCATION", previous: first } });
  for (const node of [bo, ana, cy]) {
    expect(await node.witnesses.evidenceAbout(node.db, [eve.id])).toEqual([
      { agent_id: eve.id, first, second },
    ]);
    const refusal = await node.post("checkpoint", witnessRequestBody(eve.id, first, null));
    expect(refusal).toMatchObject({ status: 403, json: { code: "SPLIT_HISTORY" } });
  }
  // Nobody hears it back from whom it told, and the accused hears nothing.
  expect(accusers(eve)).toEqual([]);
  expect(accusers(bo)).toEqual([]);
  expect(accusers(ana).sort()).toEqual([bo.id, cy.id].sort());
  expect(accusers(cy).sort()).toEqual([ana.id, bo.id].sort());
  expect(await ana.witnesses.evidence(ana.db)).toEqual([
    { agentId: eve.id, first, second, recordedAt: "2026-03-05T12:00:00Z", from: bo.id },
  ]);
  eve.log.grow(9);
  expect(await eve.witnesses.ask()).toMatchObject(
    [bo, ana, cy].map(({ id }) => ({ agentId: id, outcome: "refused", reason: "SPLIT_HISTORY" })),
  );
});

test("a peer that shows two witnesses different histories is found out when one hears the other's", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  const { eve, bo, ana } = net.nodes;
  net.connect("eve", "bo");
  net.connect("eve", "ana");
  net.connect("bo", "ana");
  const { first, second } = await twoHistories(eve);
  expect((await bo.post("checkpoint", witnessRequestBody(eve.id, first, null))).status).toBe(200);
  expect((await ana.post("checkpoint", witnessRequestBody(eve.id, second, null))).status).toBe(200);

  expect((await ana.post("checkpoint", witnessRequestBody(eve.id, first, null))).status).toBe(409);
  await net.settle();

  const grown = await eve.checkpoint(2);
  const proof = await eve.log.consistency(eve.db, 3, 5);
  const next = witnessRequestBody(eve.id, grown, { first_size: 3, proof });
  for (const node of [bo, ana]) {
    expect(await node.post("checkpoint", next)).toMatchObject({
      status: 403,
      json: { code: "SPLIT_HISTORY" },
    });
  }
});

test("the accused need not be connected, and is then named", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  const { eve, bo } = net.nodes;
  const { agent_id, ...unnamed } = await evidenceAgainst(eve);

  expect(await bo.post("evidence", unnamed)).toMatchObject({ status: 400, json: { code: "NO_EVIDENCE" } });
  expect(await bo.post("evidence", { agent_id: agent_id as string, ...unnamed })).toMatchObject({
    status: 200,
    json: { recorded: true },
  });

  expect(await bo.witnesses.evidence(bo.db)).toMatchObject([{ agentId: eve.id, from: null }]);
});

test("one that is connected is found by its signatures", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "ana");
  net.connect("bo", "eve");
  const { eve, bo } = net.nodes;
  const { agent_id: _left, ...unnamed } = await evidenceAgainst(eve);

  expect((await bo.post("evidence", unnamed)).status).toBe(200);
  expect(await bo.witnesses.evidence(bo.db)).toMatchObject([{ agentId: eve.id }]);
});

type Pair = { first: SignedCheckpoint; second: SignedCheckpoint };

test.for<[string, (eve: WitnessNode, bo: WitnessNode, pair: Pair) => object | Promise<object>]>([
  ["the same checkpoint twice", (_eve, _bo, { first }) => ({ first, second: first })],
  ["a log that only grew", async (eve, _bo, { first }) => ({ first, second: await eve.checkpoint(2) })],
  [
    "what only the other order would prove",
    (eve, _bo, { first }) => {
      const changes = {
        idMs: 3,
        previous_cp_id: first.checkpoint_id,
        previous_tree_root: OTHER_ROOT,
        tree_size: 9,
        log_position: 8,
      };
      return { first: signedAnew(eve.signer, first, changes), second: first };
    },
  ],
  [
    "a first one signed by somebody else",
    (_eve, bo, { first, second }) => ({ first: signedAnew(bo.signer, first, {}), second }),
  ],
  [
    "a second one signed by somebody else",
    (_eve, bo, { first, second }) => ({ first, second: signedAnew(bo.signer, second, {}) }),
  ],
  [
    "two signed by somebody else",
    (_eve, bo, { first, second }) => ({
      first: signedAnew(bo.signer, first, {}),
      second: signedAnew(bo.signer, second, {}),
    }),
  ],
  [
    "two without a signature",
    (_eve, _bo, { first, second }) => ({
      first: { ...first, server_sig: "00".repeat(64) },
      second: { ...second, server_sig: "00".repeat(64) },
    }),
  ],
])("%s is no evidence", async ([, claim]) => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "eve");
  net.connect("bo", "ana");
  const { eve, bo, ana } = net.nodes;
  const claimed = await claim(eve, bo, await twoHistories(eve));

  const answer = await bo.post("evidence", { agent_id: eve.id, ...claimed });
  await net.settle();

  expect(answer).toMatchObject({ status: 400, json: { code: "NO_EVIDENCE" } });
  expect(await bo.witnesses.evidence(bo.db)).toEqual([]);
  expect(accusers(ana)).toEqual([]);
});

test("an accusation with any member altered is refused, and leaves nothing behind", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  const { eve, bo } = net.nodes;
  const right = await evidenceAgainst(eve);
  await fc.assert(
    fc.asyncProperty(alterations(right), async (alteration) => {
      const body = altered(right, alteration);
      fc.pre(JSON.stringify(body) !== JSON.stringify(right));
      await net.clock.advance(MINUTE_MS);

      expect((await bo.post("evidence", body)).status).toBe(400);
    }),
    { numRuns: 400 },
  );

  expect(await bo.witnesses.evidence(bo.db)).toEqual([]);
  expect(bo.reports).toEqual([]);
  await net.clock.advance(MINUTE_MS);
  expect((await bo.post("evidence", right)).status).toBe(200);
});

test.for<[string, string, number]>([
  ["no JSON", "{", 400],
  ["a list", "[]", 400],
  ["a nest of brackets", "[".repeat(5_000), 400],
  ["more than two checkpoints can be", JSON.stringify({ more: "x".repeat(8 * 1024) }), 413],
])("an accusation of %s is refused", async ([, body, status]) => {
  await using net = await witnessNetwork(["bo"]);
  expect((await net.nodes.bo.post("evidence", body)).status).toBe(status);
  expect(net.nodes.bo.reports).toEqual([]);
});

test("ten accusations are taken in a minute, whoever brings them, and none takes the place of one against a peer", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  net.connect("eve", "bo");
  const { eve, bo } = net.nodes;
  const right = await evidenceAgainst(eve);
  const bring = (body: JsonObject, at = 0) => bo.post("evidence", body, `192.168.8.${at}`);
  // What could not be evidence whoever signed it costs nobody a place, and neither does what nobody signed.
  for (let at = 0; at < 50; at++) {
    expect((await bring({ ...right, second: right.first as JsonObject })).status).toBe(400);
    expect((await bring({ ...right, agent_id: bo.id }, at)).status).toBe(400);
  }
  for (let at = 0; at < ACCUSATIONS_PER_MINUTE; at++)
    expect((await bring(againstStranger(right, at), at)).status).toBe(200);

  const more = againstStranger(right, ACCUSATIONS_PER_MINUTE);
  expect(await bring(more)).toMatchObject({ status: 429, json: { code: "TOO_MANY" } });
  expect((await bring(againstStranger(right, 0))).status).toBe(200);
  expect((await bring(right)).status).toBe(200);
  await net.clock.advance(MINUTE_MS);
  expect((await bring(more)).status).toBe(200);
});

/** The same said of a key made for it. */
function againstStranger({ first, second }: JsonObject, at: number): JsonObject {
  const stranger = createSigner(new Uint8Array(32).fill(100 + at));
  const anew = (signed: unknown, idMs: number) => ({
    ...signedAnew(stranger, signed as SignedCheckpoint, { idMs }),
  });
  return { agent_id: stranger.agentId, first: anew(first, 1), second: anew(second, 2) };
}

test("an address that keeps accusing is told to wait, and no other with it", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  const { eve, bo } = net.nodes;
  const right = await evidenceAgainst(eve);
  const unsigned = { ...right, agent_id: bo.id };
  for (let at = 0; at < ACCUSATIONS_PER_ADDRESS; at++)
    expect((await bo.post("evidence", unsigned)).status).toBe(400);

  expect(await bo.post("evidence", right)).toMatchObject({ status: 429, json: { code: "TOO_MANY" } });
  expect((await bo.post("evidence", right, "192.168.7.98")).status).toBe(200);
});

test("of each agent one piece of evidence is kept, the first, and told once", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "ana");
  const { eve, bo, ana } = net.nodes;
  const right = await evidenceAgainst(eve);
  await Promise.all([bo.post("evidence", right), bo.post("evidence", right)]);
  await bo.post("evidence", await evidenceAgainst(eve));
  await net.settle();
  await bo.witnesses.poll();

  expect(await bo.witnesses.evidenceAbout(bo.db, [eve.id])).toEqual([right]);
  expect(accusers(ana)).toEqual([bo.id]);
  expect(bo.reports).toEqual([`ledger.evidence {"agent":"${eve.id}","from":"unknown"}`]);
});

test("a stranger cannot say that it speaks for somebody we do not know", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  const { eve, bo, ana } = net.nodes;
  const right = await evidenceAgainst(eve);
  await bo.post("evidence", { ...right, from_agent_id: ana.id });

  expect(await bo.witnesses.evidence(bo.db)).toMatchObject([{ from: null }]);
});

test("what a crash kept from being told is told after the next start, once", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "ana");
  const { eve, bo, ana } = net.nodes;
  const found = {
    agentId: eve.id,
    ...(await twoHistories(eve)),
    recordedAt: "2026-03-05T12:00:00Z",
    from: bo.id,
  };
  // As it lies on disk when the process ends between the COMMIT and what follows it.
  await bo.db.write((tx) => insertEvidence(tx, found, []));

  await bo.witnesses.poll();
  await bo.witnesses.poll();

  expect(accusers(ana)).toEqual([bo.id]);
});

test("a telling that a stop cuts short is finished after the next start", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "ana");
  const { eve, bo, ana } = net.nodes;
  const hanging = net.internet.partition(bo.host.name, ana.host.name, { silent: true });
  await bo.post("evidence", await evidenceAgainst(eve));
  await net.clock.settle();
  await bo.witnesses.stop();
  hanging[Symbol.dispose]();
  expect(accusers(ana)).toEqual([]);

  const host = net.internet.host({ address: "192.168.7.77" });
  const restarted = await witnessNode({
    clock: net.clock,
    host,
    name: "bo",
    seed: new Uint8Array(32).fill(7),
    db: bo.db,
  });
  restarted.peers.push(...bo.peers);
  await restarted.witnesses.poll();

  expect(accusers(ana)).toHaveLength(1);
  expect(await ana.witnesses.evidenceAbout(ana.db, [eve.id])).toHaveLength(1);
});

test("a peer that cannot be reached keeps nobody else from hearing it", async () => {
  await using net = await witnessNetwork(["eve", "bo", "ana", "cy"]);
  net.connect("bo", "ana");
  net.connect("bo", "cy");
  const { eve, bo, ana, cy } = net.nodes;
  ana.host.down();
  await bo.post("evidence", await evidenceAgainst(eve));
  await net.settle();

  expect(accusers(cy)).toEqual([bo.id]);
  expect(bo.reports).toContain(`ledger.evidence_missed {"agent":"${eve.id}","missed":1,"of":2}`);
});

test.for([429, 503])("a peer that answers %i did not hear it, and that is reported", async (status) => {
  await using net = await witnessNetwork(["eve", "bo", "ana"]);
  net.connect("bo", "ana");
  const { eve, bo, ana } = net.nodes;
  ana.answers(async () => ({ status, headers: {}, body: "{}" }));
  await bo.post("evidence", await evidenceAgainst(eve));
  await net.settle();

  expect(bo.reports).toContain(`ledger.evidence_missed {"agent":"${eve.id}","missed":1,"of":1}`);
});

test("evidence against strangers without number makes room for itself, never that against a peer", async () => {
  await using net = await witnessNetwork(["eve", "bo"]);
  net.connect("eve", "bo");
  const { eve, bo } = net.nodes;
  const pair = await twoHistories(eve);
  const stranger = (at: number) => at.toString(16).padStart(64, "0");
  const keep = (agentId: string, kept: readonly string[]) =>
    bo.db.write((tx) => insertEvidence(tx, { agentId, ...pair, recordedAt: "", from: null }, kept));
  await keep(eve.id, [eve.id]);
  for (let at = 1; at < ACCUSED_MAX; at++) await keep(stranger(at), [eve.id]);

  expect(await keep(stranger(ACCUSED_MAX), [eve.id])).toBe(true);

  const held = (await bo.witnesses.evidence(bo.db)).map(({ agentId }) => agentId);
  expect(held).toHaveLength(ACCUSED_MAX);
  expect(held).toContain(eve.id);
  expect(held).not.toContain(stranger(1));
  const everybody = held.concat(stranger(ACCUSED_MAX + 1));
  expect(await keep(stranger(ACCUSED_MAX + 1), held)).toBe(false);
  expect(await keep(stranger(ACCUSED_MAX + 1), everybody)).toBe(true);
  expect(await bo.witnesses.evidence(bo.db)).toHaveLength(ACCUSED_MAX);
});

test("where every place is taken by peers, a stranger's is refused", async () => {
  await using net = await witnessNetwork(["bo"]);
  const { bo } = net.nodes;
  const eve = createSigner(new Uint8Array(32).fill(9));
  const first = signedAnew(eve, await bo.checkpoint(3), { idMs: 1 });
  const second = signedAnew(eve, first, { tree_root: OTHER_ROOT });
  await bo.db.write(async (tx) => {
    for (let at = 0; at < ACCUSED_MAX; at++) {
      const agentId = at.toString(16).padStart(64, "0");
      bo.peers.push({ agentId, url: "http://192.168.9.9:1", name: null, namesLog: true });
      await insertEvidence(tx, { agentId, first, second, recordedAt: "", from: null }, []);
    }
    await tx.run("UPDATE ledger_evidence SET told = 1");
  });

  const answer = await bo.post("evidence", { agent_id: eve.agentId, first, second });

  expect(answer).toMatchObject({ status: 429, json: { code: "NO_ROOM" } });
  expect(bo.reports).toEqual([]);
});
