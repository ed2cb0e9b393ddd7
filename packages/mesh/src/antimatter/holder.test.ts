import { isoTime, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { readImpression } from "../impressions/impressions.store.ts";
import {
  feeWorld,
  giveFee,
  logOf,
  neverMatches,
  stepBy,
  walletNumber,
  walletOf,
} from "../testing/fee-world.ts";
import type { Stranger } from "../testing/stranger.ts";
import type { TestNode } from "../testing.ts";
import { appendLog } from "./antimatter.store.ts";

/** A node, and an agent connected to it that hands it a signal. */
async function holding(features: string[] = []) {
  const world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const bringer = await world.veteran(bo, 21, { features });
  const player = await world.veteran(bo, 22, { score: 0 });
  bringer.answers(neverMatches);
  player.answers(neverMatches);
  const signal = (fields: JsonObject = {}): JsonObject => ({
    signal_id: "am-9d81a6a769eb",
    original_tx: "tx1",
    sender_agent_id: "f".repeat(64),
    amount: 0.01,
    token: "SOL",
    token_decimals: 9,
    sender_superagent_wallet: "",
    callback_url: `${bringer.url}/__darkmatter__/antimatter_result`,
    hops: 1,
    max_hops: 10,
    created_at: isoTime(world.clock.now()),
    path: [bringer.id],
    ...fields,
  });
  const bring = async (body: JsonObject, by: Stranger = bringer) => {
    const answer = await by.post(bo, "antimatter_signal", body);
    await world.settle();
    return answer;
  };
  return { world, bo, bringer, player, signal, bring, close: () => world[Symbol.asyncDispose]() };
}

const report = (signalId: string, accused: string): JsonObject => ({
  metadata: { type: "antimatter_timeout_report", signal_id: signalId, agent_id: accused },
});
const scoreOf = async (node: TestNode, about: string) => (await readImpression(node.db, about))?.score ?? 0;

test("a signal is played for, and its end told to its originator, signed", async () => {
  const { bo, bringer, player, signal, bring, close } = await holding();
  expect((await bring(signal())).json).toEqual({ accepted: true });
  expect(player.heardAt("antimatter_match").map(({ n, phase }) => n ?? phase)).toEqual([1, "reveal"]);
  expect(bringer.heardAt("antimatter_result")).toEqual([
    {
      signal_id: "am-9d81a6a769eb",
      destination_wallet: "",
      resolved_by: bo.id,
      resolution: "terminal",
      timestamp: expect.any(String),
      from_public_key_hex: bo.id,
      signature_hex: expect.stringMatching(/^[0-9a-f]{128}$/),
    },
  ]);
  expect(await logOf(bo)).toEqual(["gas_signal_received", "antimatter_resolved_callback"]);
  await close();
});

test("the same signal again is taken and not played again", async () => {
  const { player, bringer, signal, bring, close } = await holding();
  for (let at = 0; at < 3; at++) expect((await bring(signal())).status).toBe(200);
  expect(player.heardAt("antimatter_match").length).toBe(2);
  expect(bringer.heardAt("antimatter_result").length).toBe(1);
  await close();
});

test("a signal from nobody we know makes us call none of our peers", async () => {
  const { player, bringer, signal, bring, close } = await holding();
  await bring(signal({ path: ["d".repeat(64)] }));
  expect(player.heard.filter(({ path }) => path.endsWith("_match"))).toEqual([]);
  expect(bringer.heardAt("antimatter_result")).toMatchObject([
    { resolution: "terminal", destination_wallet: "" },
  ]);
  await close();
});

test("an agent that signs its steps is not spoken for without a signature", async () => {
  const { bo, bringer, player, signal, bring, close } = await holding(["antimatter/1"]);
  const bare = signal();
  const own = stepBy(bringer, bare, bo.id);
  expect((await bring(bare)).status).toBe(403);
  const wrong: JsonObject[][] = [
    [{ ...own, signature_hex: "00".repeat(64) }],
    [stepBy(bringer, bare, player.id)],
    [{ ...stepBy(player, bare, bo.id), from: bringer.id }],
    [stepBy(player, bare, bo.id)],
    [stepBy(player, bare, player.id), own],
    [stepBy(bringer, { ...bare, callback_url: "http://8.8.8.8/__darkmatter__/antimatter_result" }, bo.id)],
  ];
  for (const handoffs of wrong) expect((await bring({ ...bare, handoffs })).status).toBe(403);
  for (const handoffs of [7, "x", [null], [{}], Array(11).fill(own)]) {
    expect((await bring({ ...bare, handoffs } as JsonObject)).status).toBe(400);
  }
  expect(player.heardAt("antimatter_match")).toEqual([]);
  expect((await bring({ ...bare, handoffs: [own] })).status).toBe(200);
  expect(bringer.heardAt("antimatter_result")).toMatchObject([
    { handoffs: [{ from: bringer.id, to: bo.id }] },
  ]);
  await close();
});

test("a signal that ended is forgotten once it is too old to be taken again", async () => {
  const { world, bo, bringer, signal, bring, close } = await holding();
  const made = signal({ created_at: isoTime(world.clock.now() + 290_000) });
  await bring(made);
  const kept = async () =>
    (await bo.db.all("SELECT key FROM mesh_antimatter_signals")).length +
    bringer.heardAt("antimatter_result").length;
  for (const minutes of [5, 4]) {
    await world.clock.advance(minutes * MINUTE_MS);
    await bo.job("antimatter.forget");
    expect((await bring(made)).status).toBe(200);
    expect(await kept()).toBe(2);
  }
  await world.clock.advance(3 * MINUTE_MS);
  await bo.job("antimatter.forget");
  expect(await kept()).toBe(1);
  expect((await bring(made)).status).toBe(400);
  await close();
});

test("signals that anybody may send do not push our own fees out of the log", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  await bo.db.write(async (tx) => {
    for (let at = 0; at < 60; at++) await appendLog(tx, { type: "antimatter_sent", at });
    for (let at = 0; at < 120; at++) await appendLog(tx, { type: "gas_signal_received", at });
  });
  const log = await logOf(bo);
  expect(log.length).toBe(100);
  expect(log.filter((type) => type === "antimatter_sent").length).toBe(50);
});

test("what ends here of others' signals cannot be told to us", async () => {
  const { bringer, signal, bring, bo, close } = await holding();
  await bring(signal());
  const body = { signal_id: "am-9d81a6a769eb", destination_wallet: walletNumber(66), resolution: "match" };
  expect((await bringer.post(bo, "antimatter_result", body)).status).toBe(404);
  await close();
});

test("a holder of the first generation is vouched for: it tells us, and we tell the originator", async () => {
  await using world = await feeWorld({ nodes: ["bo", "cy"], days: { bo: 10, cy: 300 } });
  const { bo, cy } = world.nodes;
  await world.net.connect("bo", "cy");
  await bo.tool("set_impression", { agent_id: cy.id, score: 0.5 });
  const old = await world.veteran(cy, 23, { features: [] });
  old.answers(neverMatches);
  // Several fees: some games match at the first holder, the others come to the old one.
  for (let at = 0; at < 12; at++) {
    const signal = { signal_id: `am-${at}`, original_tx: `tx${at}` } as never;
    await giveFee(bo, world.clock.now(), { key: `am-${at}`, signal });
    await world.settle();
  }
  const passed = old.heardAt("antimatter_signal");
  expect(passed.length).toBeGreaterThan(0);
  for (const { callback_url, handoffs, path } of passed) {
    expect({ callback_url, handoffs, path }).toEqual({
      callback_url: `${cy.url}/__darkmatter__/antimatter_result`,
      handoffs: undefined,
      path: [bo.id, cy.id],
    });
  }
  const before = world.balance(walletNumber(77));
  const told = { destination_wallet: walletNumber(77), resolved_by: "e".repeat(64), resolution: "match" };
  const signalId = passed[0]?.signal_id ?? "";
  expect((await old.post(cy, "antimatter_result", { signal_id: signalId, ...told })).json).toEqual({
    status: "resolved",
  });
  await world.settle();
  expect(world.balance(walletNumber(77)) - before).toBe(20_000_000n);
  expect(await walletOf(cy)).not.toBe(walletNumber(77));
});

test("between our own nodes the end of a signal is signed along its way, also for a winner the payee does not know", async () => {
  await using world = await feeWorld({ nodes: ["bo", "cy", "di"], days: { bo: 10, cy: 300, di: 700 } });
  const { bo, cy, di } = world.nodes;
  await world.net.connect("bo", "cy");
  await world.net.connect("cy", "di");
  await bo.tool("set_impression", { agent_id: cy.id, score: 0.5 });
  await cy.tool("set_impression", { agent_id: di.id, score: 0.5 });
  const wallets = [await walletOf(cy), await walletOf(di)];
  const before = wallets.map(world.balance);
  for (let at = 0; at < 12; at++) {
    const signal = { signal_id: `am-${at}`, original_tx: `tx${at}` } as never;
    await giveFee(bo, world.clock.now(), { key: `am-${at}`, signal });
    await world.settle();
  }
  // One node's work begins when another's has ended.
  for (let at = 0; at < 4; at++) await world.settle();
  const won = wallets.map((wallet, at) => (world.balance(wallet) - (before[at] ?? 0n)) / 20_000_000n);
  expect(won.every((count) => count > 0n)).toBe(true);
  const ended = (await logOf(bo)).filter((type) => type === "antimatter_sent" || type === "antimatter_kept");
  expect(ended.length).toBe(12);
  expect((await logOf(bo)).filter((type) => type === "antimatter_sent").length).toBe(
    Number(won[0]) + Number(won[1]),
  );
  expect([bo, cy, di].flatMap(({ reports }) => reports)).toEqual([]);
});

test("a report of a timeout counts as much as its reporter, once an hour, and never about us or itself", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const trusted = await world.veteran(bo, 31, { features: [], score: 0.8 });
  const doubtful = await world.veteran(bo, 32, { features: [], score: -0.5 });
  const accused = await world.veteran(bo, 33, { score: 0.5 });
  const send = async (by: Stranger, id: string, about: string) => {
    expect((await by.post(bo, "message", by.message(report(id, about)))).status).toBe(200);
    // Nothing for its agent to read or answer.
    expect(await bo.tool("list_inbox")).toMatchObject({ total: 0 });
  };
  await send(doubtful, "am-1", accused.id);
  expect(await scoreOf(bo, accused.id)).toBe(0.5);
  await send(trusted, "am-1", accused.id);
  // 0.5 − 0.05 × 0.8 × 1.5
  expect(await scoreOf(bo, accused.id)).toBe(0.44);
  await send(trusted, "am-2", accused.id);
  expect(await scoreOf(bo, accused.id)).toBe(0.44);
  await send(trusted, "am-3", trusted.id);
  await send(trusted, "am-3", bo.id);
  await send(trusted, "am-3", "d".repeat(64));
  expect(await scoreOf(bo, trusted.id)).toBe(0.8);
  expect(await scoreOf(bo, "d".repeat(64))).toBe(0);
  await world.clock.advance(3_600_001);
  await send(trusted, "am-4", accused.id);
  expect(await scoreOf(bo, accused.id)).toBeCloseTo(0.3824, 9);
});

test("signals and games come in limited numbers; games beyond the limit do not use up the signals'", async () => {
  const { world, bringer, bo, signal, close } = await holding();
  const statuses = new Map<number, number>();
  for (let at = 0; at < 70; at++) {
    const { status } = await bringer.post(bo, "antimatter_signal", signal({ signal_id: `am-${at}` }));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect(statuses.get(429)).toBe(10);
  let refused = 0;
  for (let at = 0; at < 610; at++) {
    const { status } = await bringer.post(bo, "gas_match", { n: 5 });
    if (status === 429) refused++;
  }
  expect(refused).toBe(10);
  expect((await bringer.post(bo, "antimatter_match", { n: 5 }, "8.8.8.8")).status).toBe(200);
  await world.settle();
  await close();
});
