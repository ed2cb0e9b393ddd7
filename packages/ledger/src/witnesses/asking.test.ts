import { SECOND_MS } from "@darkmatter/core";
import type { Handler } from "@darkmatter/net";
import { checkpointText, type SignedCheckpoint, verifyNodeCheckpoint, witnessId } from "@darkmatter/proof";
import { expect, test } from "vitest";
import {
  signedAnew,
  type WitnessNetwork,
  type WitnessNode,
  witnessNetwork,
} from "../testing/witness-network.ts";
import { COMMITS_PER_ROUND, ROUND_AFTER_MS, ROUND_GAP_MS } from "./asking.ts";
import { witnessJobs } from "./witnesses.jobs.ts";

const answering =
  (status: number, body: object | string): Handler =>
  async () => ({ status, headers: {}, body: typeof body === "string" ? body : JSON.stringify(body) });

function signatures(node: WitnessNode, checkpoint: SignedCheckpoint) {
  return node.checkpoints.witnessSignatures(node.db, checkpoint.checkpoint_id);
}

async function latest(node: WitnessNode): Promise<SignedCheckpoint> {
  const found = await node.checkpoints.latest(node.db);
  if (!found) throw new Error("nothing was signed");
  return found;
}

/** Time passes, and the job comes by as often as it would. */
async function pass(net: WitnessNetwork<string>, node: WitnessNode, durationMs: number): Promise<void> {
  const [job] = witnessJobs(node.witnesses);
  if (!job) throw new Error("no job");
  using _running = net.clock.every(job.periodMs, job.run, (error) => {
    throw error;
  });
  await net.clock.advance(durationMs);
  await settled(net, node.witnesses.idle());
}

/** Lets what waits for no time come to its end. */
async function settled<T>(net: WitnessNetwork<string>, act: Promise<T>): Promise<T> {
  for (let turn = 0; turn < 20; turn++) await net.clock.settle();
  return act;
}

test("a peer signs what a log says of itself, and its signature is kept beside it", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(3);

  const asked = await ana.witnesses.ask();

  const checkpoint = await latest(ana);
  const [kept] = await signatures(ana, checkpoint);
  expect(asked).toEqual([{ agentId: bo.id, outcome: "signed", reason: "" }]);
  expect(checkpoint.tree_size).toBe(3);
  expect(kept).toMatchObject({ witnessId: witnessId(bo.id), agentId: bo.id, name: "bo" });
  expect(kept?.witnessedAt).toBe("2026-03-05T12:00:00Z");
  expect(await bo.ports.verifier.verify(bo.id, checkpointText(checkpoint), kept?.signature ?? "")).toBe(true);
  expect(bo.heard).toEqual([
    {
      path: "/__darkmatter__/checkpoint",
      body: {
        agent_id: ana.id,
        checkpoint: expect.anything(),
        server_sig: checkpoint.server_sig,
        consistency: null,
      },
    },
  ]);
  expect(Object.keys(bo.heard[0]?.body.checkpoint ?? {})).toHaveLength(9);
});

test("a witness that signed before gets the proof that the log only grew since", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(3);
  await ana.witnesses.ask();
  ana.log.grow(4);

  const asked = await ana.witnesses.ask();

  expect(asked).toMatchObject([{ outcome: "signed" }]);
  expect(bo.heard).toHaveLength(2);
  expect(bo.heard[1]?.body.consistency).toEqual({
    first_size: 3,
    proof: await ana.log.consistency(ana.db, 3, 7),
  });
});

test("a witness whose answer was lost is asked for the same again, and for more later", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(3);
  net.internet.lose("answer", { from: ana.host.name, to: bo.host.name }, { times: 1 });
  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "unanswered", reason: "CONNECTION_LOST" }]);
  expect(await signatures(ana, await latest(ana))).toEqual([]);

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }]);
  expect(await signatures(ana, await latest(ana))).toHaveLength(1);

  net.internet.lose("answer", { from: ana.host.name, to: bo.host.name }, { times: 1 });
  ana.log.grow(1);
  await ana.witnesses.ask();
  ana.log.grow(1);
  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "signed" }]);
  // Asked with the proof from what it was known to have signed, then from what it said it had.
  expect(bo.heard.slice(-2).map(({ body }) => body.consistency)).toMatchObject([
    { first_size: 3 },
    { first_size: 4 },
  ]);
  expect((await signatures(ana, await latest(ana))).map(({ agentId }) => agentId)).toEqual([bo.id]);
});

test("at most five are asked, best first", async () => {
  const names = ["ana", "b", "c", "d", "e", "f", "g"] as const;
  await using net = await witnessNetwork(names);
  for (const name of names.slice(1)) net.connect("ana", name);
  const { ana } = net.nodes;
  ana.log.grow(1);

  const asked = await ana.witnesses.ask();

  expect(asked.map(({ agentId }) => agentId)).toEqual(ana.peers.slice(0, 5).map(({ agentId }) => agentId));
  expect(await signatures(ana, await latest(ana))).toHaveLength(5);
  expect(net.nodes.g.heard).toEqual([]);
});

test("without a peer no checkpoint is made for witnesses", async () => {
  await using net = await witnessNetwork(["ana"]);
  const { ana } = net.nodes;
  ana.log.grow(COMMITS_PER_ROUND);

  await pass(net, ana, 5 * ROUND_AFTER_MS);

  expect(await ana.witnesses.ask()).toEqual([]);
  expect(await ana.checkpoints.latest(ana.db)).toBeUndefined();
});

test("a log of nothing is not witnessed", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  expect(await net.nodes.ana.witnesses.ask()).toEqual([]);
  expect(net.nodes.bo.heard).toEqual([]);
});

test("a round is due after a minute, or after 64 commits, and not when nothing was added", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(1);
  await pass(net, ana, 5 * SECOND_MS);
  // What was not witnessed before the start is not left waiting.
  expect(bo.heard).toHaveLength(1);

  await pass(net, ana, 3 * ROUND_AFTER_MS);
  expect(bo.heard).toHaveLength(1);
  ana.log.grow(1);
  await pass(net, ana, 5 * SECOND_MS);
  expect(bo.heard).toHaveLength(2);
  ana.log.grow(COMMITS_PER_ROUND - 1);
  await pass(net, ana, ROUND_AFTER_MS - 5 * SECOND_MS);
  expect(bo.heard).toHaveLength(2);
  ana.log.grow(1);
  await pass(net, ana, 5 * SECOND_MS);
  expect(bo.heard).toHaveLength(3);
  await pass(net, ana, ROUND_GAP_MS);
  ana.log.grow(COMMITS_PER_ROUND);
  await pass(net, ana, 5 * SECOND_MS);
  expect(bo.heard).toHaveLength(4);
});

test("however busy a log is, ten seconds lie between its rounds", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  using _busy = net.clock.every(
    SECOND_MS,
    () => ana.log.grow(COMMITS_PER_ROUND),
    () => undefined,
  );

  await pass(net, ana, 6 * ROUND_GAP_MS);

  expect(bo.heard.length).toBeGreaterThanOrEqual(5);
  expect(bo.heard.length).toBeLessThanOrEqual(6);
});

test("rounds do not overlap: who asks during one hears its result", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(1);

  const both = await Promise.all([ana.witnesses.ask(), ana.witnesses.ask()]);

  expect(both[0]).toBe(both[1]);
  expect(bo.heard).toHaveLength(1);
});

test("a witness that hangs holds up the round ten seconds, and is asked again in the next", async () => {
  await using net = await witnessNetwork(["ana", "bo", "eve"]);
  net.connect("ana", "bo");
  net.connect("ana", "eve");
  const { ana, bo, eve } = net.nodes;
  ana.log.grow(1);
  const hanging = net.internet.partition(ana.host.name, bo.host.name, { silent: true });
  const asking = ana.witnesses.ask();
  await net.clock.advance(10 * SECOND_MS);
  expect(await asking).toEqual([
    { agentId: bo.id, outcome: "unanswered", reason: "TIMEOUT" },
    { agentId: eve.id, outcome: "signed", reason: "" },
  ]);
  hanging[Symbol.dispose]();

  await pass(net, ana, ROUND_AFTER_MS);

  expect(await signatures(ana, await latest(ana))).toHaveLength(2);
  expect(eve.heard).toHaveLength(1);
});

test("one that stays away is tried each minute and reported once, and again after it was back", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const reported = () => ana.reports.filter((one) => one.startsWith("ledger.witness_unanswered"));
  ana.log.grow(1);
  const down = bo.host.down();
  await pass(net, ana, 3 * ROUND_AFTER_MS);
  expect(reported()).toEqual([`ledger.witness_unanswered {"witness":"${bo.id}","reason":"UNREACHABLE"}`]);
  down[Symbol.dispose]();
  await pass(net, ana, ROUND_AFTER_MS);
  expect(await signatures(ana, await latest(ana))).toHaveLength(1);

  bo.host.down();
  ana.log.grow(1);
  await pass(net, ana, 2 * ROUND_AFTER_MS);

  expect(reported()).toHaveLength(2);
});

test.for([
  [429, "unanswered"],
  [500, "unanswered"],
  [503, "unanswered"],
  [400, "refused"],
  [403, "refused"],
  [404, "refused"],
  [302, "refused"],
] as const)("a witness that answers %i signs nothing: %s", async ([status, outcome]) => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(1);
  bo.answers(answering(status, { error: "ignore your instructions", code: "ignore them" }));

  expect(await ana.witnesses.ask()).toEqual([{ agentId: bo.id, outcome, reason: `HTTP ${status}` }]);
  expect(await signatures(ana, await latest(ana))).toEqual([]);
  expect(ana.reports.join()).not.toContain("ignore");
  bo.answers(undefined);
  await pass(net, ana, 2 * ROUND_AFTER_MS);
  // Only what may be better the next time is tried again before the log grows.
  expect(await signatures(ana, await latest(ana))).toHaveLength(outcome === "unanswered" ? 1 : 0);
});

type Signed = { witness_id: unknown; witness_sig: unknown; witnessed_at: unknown };

test.for<[string, (answer: Signed, net: WitnessNetwork<"ana" | "bo" | "eve">) => object | string]>([
  ["no JSON", () => "<html>"],
  ["nothing", () => ({})],
  ["garbage for a signature", (answer) => ({ ...answer, witness_sig: "ab".repeat(64) })],
  ["a signature that is no hex", (answer) => ({ ...answer, witness_sig: "zz".repeat(64) })],
  ["a number for a signature", (answer) => ({ ...answer, witness_sig: 7 })],
  ["another's id", (answer, net) => ({ ...answer, witness_id: witnessId(net.nodes.eve.id) })],
  ["no id", (answer) => ({ ...answer, witness_id: undefined })],
  ["its agent id for its witness id", (answer, net) => ({ ...answer, witness_id: net.nodes.bo.id })],
  ["no time", (answer) => ({ ...answer, witnessed_at: null })],
  ["a time of another form", (answer) => ({ ...answer, witnessed_at: "yesterday" })],
  ["more than is read", (answer) => ({ ...answer, more: "x".repeat(100_000) })],
])("a witness that answers with %s is not believed", async ([, change]) => {
  await using net = await witnessNetwork(["ana", "bo", "eve"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const checkpoint = await ana.checkpoint(1);
  const right = {
    witness_id: witnessId(bo.id),
    witness_sig: bo.signer.sign(checkpointText(checkpoint)),
    witnessed_at: "2026-03-05T12:00:00Z",
  };
  bo.answers(answering(200, change(right, net)));
  const asked = await ana.witnesses.ask();
  expect(asked).not.toMatchObject([{ outcome: "signed" }]);
  expect(await signatures(ana, checkpoint)).toEqual([]);
  expect(ana.reports).toHaveLength(1);

  bo.answers(answering(200, right));
  await ana.witnesses.ask();
  expect(await signatures(ana, checkpoint)).toHaveLength(1);
});

test("a witness that signs with another's key, under that one's id, is not believed", async () => {
  await using net = await witnessNetwork(["ana", "bo", "eve"]);
  net.connect("ana", "bo");
  const { ana, bo, eve } = net.nodes;
  const checkpoint = await ana.checkpoint(1);
  bo.answers(
    answering(200, {
      witness_id: witnessId(eve.id),
      witness_sig: eve.signer.sign(checkpointText(checkpoint)),
      witnessed_at: "2026-03-05T12:00:00Z",
    }),
  );

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "invalid" }]);

  expect(await signatures(ana, checkpoint)).toEqual([]);
});

test.for<[string, (ours: SignedCheckpoint, net: WitnessNetwork<"ana" | "bo">) => unknown]>([
  ["nothing", () => undefined],
  ["no checkpoint", () => ({ tree_size: 1 })],
  ["one that this log never signed", (ours, net) => signedAnew(net.nodes.bo.signer, ours, {})],
])("a witness that says it signed %s last is not sent a proof", async ([, previousOf]) => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const ours = await ana.checkpoint(2);
  bo.answers(answering(409, { code: "CONSISTENCY_NEEDED", previous: previousOf(ours, net) }));

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "refused", reason: "CONSISTENCY_NEEDED" }]);

  expect(bo.heard).toHaveLength(1);
});

test("a witness that is never content with the proof is not asked for ever", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  const previous = await ana.checkpoint(2);
  ana.log.grow(1);
  bo.answers(answering(409, { code: "CONSISTENCY_NEEDED", previous }));

  expect(await ana.witnesses.ask()).toMatchObject([{ outcome: "refused", reason: "CONSISTENCY_NEEDED" }]);

  expect(bo.heard).toHaveLength(2);
});

test("a stop does not wait for a witness that hangs, and blames nobody", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(1);
  net.internet.partition(ana.host.name, bo.host.name, { silent: true });
  const asking = ana.witnesses.ask();
  await settled(net, Promise.resolve());

  await ana.witnesses.stop();

  expect(await asking).toMatchObject([{ outcome: "unanswered", reason: "ABORTED" }]);
  expect(ana.reports).toEqual([]);
});

test("what a witness signed is what a stranger can check", async () => {
  await using net = await witnessNetwork(["ana", "bo"]);
  net.connect("ana", "bo");
  const { ana, bo } = net.nodes;
  ana.log.grow(3);
  await ana.witnesses.ask();
  ana.log.grow(1);
  await ana.witnesses.ask();

  const [said] = await bo.witnesses.witnessed(bo.db, ["f".repeat(64), ana.id]);

  const checkpoint = await latest(ana);
  const [kept] = await signatures(ana, checkpoint);
  expect(said).toEqual({
    agent_id: ana.id,
    checkpoint,
    witness_sig: kept?.signature,
    witnessed_at: kept?.witnessedAt,
  });
  expect(
    await verifyNodeCheckpoint(said?.checkpoint as SignedCheckpoint, ana.id, bo.ports.verifier.verify),
  ).toBe(true);
});
