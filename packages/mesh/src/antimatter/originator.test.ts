import { type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { readImpression } from "../impressions/impressions.store.ts";
import {
  feeWorld,
  giveFee,
  logOf,
  neverMatches,
  resultBy,
  stepBy,
  walletNumber,
  walletOf,
} from "../testing/fee-world.ts";
import type { Stranger } from "../testing/stranger.ts";
import { type TestNode, testNode } from "../testing.ts";
import { readLog, readSignal } from "./antimatter.store.ts";
import { WATCHDOG_MS } from "./signal.ts";

const WINNER = walletNumber(77);
const FEE = 20_000_000n;

/** A node that has handed its signal to an agent of our kind, or of the first generation. */
async function handed(features?: string[]) {
  const world = await feeWorld({ nodes: ["bo", "eve"] });
  const { bo } = world.nodes;
  const cy = await world.veteran(bo, 11, features ? { features } : {});
  cy.answers(neverMatches);
  const id = await giveFee(bo, world.clock.now());
  await world.settle();
  const [signal] = cy.heardAt("antimatter_signal") as [JsonObject];
  const tell = (body: JsonObject, by: Stranger = cy) => by.post(bo, "antimatter_result", body);
  const result = (fields: JsonObject = {}, by: Stranger = cy) =>
    resultBy(by, signal, fields, world.clock.now());
  return { world, bo, cy, id, signal, tell, result, close: () => world[Symbol.asyncDispose]() };
}

const scoreOf = async (node: TestNode, about: string) => (await readImpression(node.db, about))?.score;

const unsigned = ({ signal_id, destination_wallet, resolved_by, resolution }: JsonObject): JsonObject => ({
  signal_id: signal_id ?? "",
  destination_wallet: destination_wallet ?? "",
  resolved_by: resolved_by ?? "",
  resolution: resolution ?? "",
});

test("a payment's fee is played for, and the winner has it exactly once", async () => {
  // With this seed the first game is a match.
  await using world = await feeWorld({ nodes: ["ana", "bo", "cy"], seed: 2, days: { bo: 10, cy: 300 } });
  const { ana, bo, cy } = world.nodes;
  await world.net.connect("ana", "bo");
  await world.net.connect("bo", "cy");
  await bo.tool("set_impression", { agent_id: cy.id, score: 0.5 });
  const wallet = await walletOf(cy);
  const before = world.balance(wallet);

  expect(await ana.tool("send_sol", { agent_id: bo.id, amount: 2 })).toMatchObject({ success: true });
  await world.settle();
  for (let at = 0; at < 5; at++) {
    await world.clock.advance(5000);
    for (const job of ["payments.finish", "payments.check", "antimatter.attend"]) await bo.job(job);
    await world.settle();
  }

  expect(await logOf(bo)).toEqual(["antimatter_initiated", "antimatter_sent"]);
  expect(world.balance(wallet) - before).toBe(FEE);
  expect(await scoreOf(bo, cy.id)).toBe(0.505);
  expect(await scoreOf(bo, ana.id)).toBe(0.01);
  expect(bo.reports).toEqual([]);
});

test("a payer that means another fee costs itself trust, and the fee is the network's", async () => {
  await using world = await feeWorld({ nodes: ["ana", "bo"] });
  const { ana, bo } = world.nodes;
  await world.net.connect("ana", "bo");
  const metadata = {
    type: "solana_payment",
    amount: 2,
    token: "SOL",
    from_wallet: await walletOf(ana),
    to_wallet: await walletOf(bo),
    antimatter_eligible: true,
    antimatter_rate: 0.5,
    sender_superagent_wallet: "no\nwallet",
  };
  const paid = await ana.tool("send_sol", { agent_id: bo.id, amount: 2, notify: false });
  const notice = { ...metadata, tx_signature: paid.tx_signature };
  await ana.tool("send_message", { content: "paid", target_agent_id: bo.id, metadata: notice });
  await world.settle();
  for (const job of ["payments.check", "antimatter.attend"]) await bo.job(job);
  await world.settle();

  expect(await logOf(bo)).toEqual(["rate_disagreement", "antimatter_initiated", "antimatter_kept"]);
  expect((await readLog(bo.db))[1]).toMatchObject({
    amount: 0.02,
    original_tx: paid.tx_signature,
    sender_superagent_wallet: "",
  });
  expect(await scoreOf(bo, ana.id)).toBe(-0.02);
});

test("an agent of our kind is handed the signal with a signed step, and may tell its end", async () => {
  const { world, bo, cy, id, signal, tell, result, close } = await handed();
  expect(signal).toMatchObject({ hops: 1, path: [bo.id], handoffs: [{ from: bo.id, to: cy.id }] });

  expect((await tell(result())).json).toEqual({ status: "resolved" });
  await world.settle();

  expect(world.balance(WINNER)).toBe(FEE);
  expect(await readSignal(bo.db, id)).toMatchObject({ state: "ended", resolution: "match", due: null });
  expect((await tell(result({ destination_wallet: walletNumber(78) }))).json).toEqual({
    status: "already_resolved",
  });
  await world.settle();
  expect(world.balance(walletNumber(78))).toBe(0n);
  await close();
});

test("a fee opens no token account at our cost: it waits until its taker has one", async () => {
  const world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const cy = await world.veteran(bo, 11);
  cy.answers(neverMatches);
  const own = await walletOf(bo);
  const mint = world.solana.bank.mint("credits", 6);
  await world.solana.bank.give(own, mint, 5_000_000n);
  await giveFee(bo, world.clock.now(), { signal: { token: mint, token_decimals: 6 } as never });
  await world.settle();
  const [signal] = cy.heardAt("antimatter_signal") as [JsonObject];
  const before = world.balance(own);
  await cy.post(bo, "antimatter_result", resultBy(cy, signal, {}, world.clock.now()));
  await world.settle();
  expect(world.balance(own)).toBe(before);
  expect(await logOf(bo)).toContain("antimatter_send_failed");

  await world.solana.bank.give(WINNER, mint, 1n);
  for (let at = 0; at < 5; at++) {
    await world.clock.advance(MINUTE_MS);
    await bo.job("antimatter.attend");
    await world.settle();
  }
  expect(await logOf(bo)).toContain("antimatter_sent");
  await world[Symbol.asyncDispose]();
});

test("two that tell the end at once: one is heard, and one fee is paid", async () => {
  const { world, tell, result, close } = await handed();
  const both = [result(), result({ destination_wallet: walletNumber(78) })].map((body) => tell(body));
  const said = (await Promise.all(both)).map(({ json }) => (json as JsonObject).status);
  await world.settle();
  expect(said.sort()).toEqual(["already_resolved", "resolved"]);
  expect(world.balance(WINNER) + world.balance(walletNumber(78))).toBe(FEE);
  await close();
});

test("what an agent of our kind was handed ends by its chain's signatures alone", async () => {
  const { world, bo, cy, id, signal, tell, result, close } = await handed();
  const mallory = await world.veteran(bo, 66, { score: 0 });
  const own = signal.handoffs as JsonObject[];
  const forged: Array<[string, JsonObject]> = [
    ["unsigned", unsigned(result())],
    ["another wallet under the signature", { ...result(), destination_wallet: walletNumber(66) }],
    ["signed by a stranger", result({}, mallory)],
    ["signed by a stranger in the holder's name", { ...result({}, mallory), from_public_key_hex: cy.id }],
    ["without the way", { ...result(), handoffs: [] }],
    ["a way that ends elsewhere", { ...result({}, mallory), handoffs: own }],
    [
      "a way begun by a stranger",
      { ...result({}, mallory), handoffs: [stepBy(mallory, signal, mallory.id)] },
    ],
    [
      "a step nobody signed",
      { ...result({}, mallory), handoffs: [...own, { ...stepBy(mallory, signal, mallory.id), from: cy.id }] },
    ],
    ["a way that others began", { ...result(), handoffs: [stepBy(mallory, signal, cy.id)] }],
    ["of another signal", { ...result(), handoffs: [stepBy(cy, { ...signal, signal_id: "am-1" }, cy.id)] }],
  ];
  for (const [what, body] of forged) expect((await tell(body)).status, what).toBe(403);
  const stale = resultBy(cy, signal, {}, world.clock.now() - 301_000);
  expect((await tell(stale)).status).toBe(403);
  await world.settle();
  expect(await readSignal(bo.db, id)).toMatchObject({ state: "handed" });

  const passedOn = { ...signal, handoffs: [...own, stepBy(cy, signal, mallory.id)] };
  expect((await tell(resultBy(mallory, passedOn, {}, world.clock.now()))).json).toEqual({
    status: "resolved",
  });
  await close();
});

test("an agent of the first generation is believed without a signature, and no wrong address is", async () => {
  const { world, bo, signal, tell, result, close } = await handed([]);
  expect(signal).not.toHaveProperty("handoffs");
  const plain = unsigned(result());
  const refused: Array<[string, JsonObject, number]> = [
    ["of no signal", { ...plain, signal_id: "am-ffffffffffff" }, 404],
    ["without an id", { ...plain, signal_id: "" }, 400],
    ["no address", { ...plain, destination_wallet: "0OIl" }, 400],
    ["31 bytes", { ...plain, destination_wallet: "1".repeat(31) }, 400],
    ["the payee's own wallet", { ...plain, destination_wallet: await walletOf(bo) }, 400],
    ["the payer's wallet", { ...plain, destination_wallet: walletNumber(98) }, 400],
    ["an unknown end", { ...plain, resolution: "mine" }, 400],
    ["an id of two lines", { ...plain, resolved_by: "a\nb" }, 400],
    ["a false signature", { ...result(), signature_hex: "00".repeat(64) }, 403],
  ];
  for (const [what, body, status] of refused) expect((await tell(body)).status, what).toBe(status);
  expect((await tell(plain)).json).toEqual({ status: "resolved" });
  await world.settle();
  expect(world.balance(WINNER)).toBe(FEE);
  await close();
});

test("while the fee is still ours to play for nobody tells its end", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const cy = await world.veteran(bo, 11, { features: [] });
  let told: number | undefined;
  cy.answers((request) => {
    if (request.body.phase !== "reveal") return neverMatches(request);
    const body = {
      signal_id: "am-0123456789ab",
      destination_wallet: WINNER,
      resolved_by: "x",
      resolution: "match",
    };
    void cy.post(bo, "antimatter_result", body).then(({ status }) => {
      told = status;
    });
    return neverMatches(request);
  });
  await giveFee(bo, world.clock.now());
  await world.settle();
  expect(told).toBe(403);
});

test("nobody to play with, or nobody older that is trusted: the fee is kept", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  await giveFee(bo, world.clock.now());
  await world.settle();
  expect(await logOf(bo)).toEqual(["antimatter_kept"]);
  const unloved = await world.veteran(bo, 12, { score: 0 });
  unloved.answers(neverMatches);
  await giveFee(bo, world.clock.now(), {
    key: "am-2",
    signal: { signal_id: "am-2", original_tx: "tx2" } as never,
  });
  await world.settle();
  expect(await logOf(bo)).toEqual(["antimatter_kept", "antimatter_kept"]);
  expect(unloved.heardAt("antimatter_signal")).toEqual([]);
});

test("the payer never decides about its own fee, however old and trusted", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const payer = await world.veteran(bo, 13, { score: 1 });
  payer.answers(neverMatches);
  await giveFee(bo, world.clock.now(), { signal: { sender_agent_id: payer.id } as never });
  await world.settle();
  expect(payer.heardAt("antimatter_match").length).toBe(2);
  expect(payer.heardAt("antimatter_signal")).toEqual([]);
});

test("a holder that is silent for 305 s costs itself trust, and the payer's superagent has the fee", async () => {
  const { world, bo, cy, close } = await handed();
  const dee = await world.veteran(bo, 14, { score: 0, features: ["antimatter/1", "digest/1"] });
  const old = await world.veteran(bo, 15, { score: 0, features: [] });
  await world.clock.advance(WATCHDOG_MS);
  await bo.job("antimatter.attend");
  await world.settle();
  expect(world.balance(walletNumber(99))).toBe(FEE);
  expect(await logOf(bo)).toEqual(["forwarded", "antimatter_timeout", "antimatter_sent"]);
  expect(await scoreOf(bo, cy.id)).toBe(0.425);
  const report = { type: "antimatter_timeout_report", agent_id: cy.id };
  expect(dee.heardAt("/message")).toMatchObject([{ metadata: report, dm_sig: expect.any(String) }]);
  expect([...cy.heardAt("/message"), ...old.heardAt("/message")]).toEqual([]);
  await close();
});

test("a fee whose chain cannot be asked is paid later, once, also by the next process", async () => {
  const seed = "21".repeat(32);
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  world.solana.isDown = true;
  const cy = await world.veteran(bo, 11);
  cy.answers(neverMatches);
  const id = await giveFee(bo, world.clock.now());
  await world.settle();
  const [signal] = cy.heardAt("antimatter_signal") as [JsonObject];
  await cy.post(bo, "antimatter_result", resultBy(cy, signal, {}, world.clock.now()));
  await world.settle();
  expect(await readSignal(bo.db, id)).toMatchObject({ state: "ended", due: "pay", attempts: 1 });

  world.solana.isDown = false;
  await world.clock.advance(10 * MINUTE_MS);
  const { clock } = world;
  const { wire } = world.net.hosts.bo;
  const place = { host: "127.0.0.1", port: 8100, solanaRpc: "http://5.6.7.9/" };
  await using next = await testNode({ clock, random: seededRandom(3), wire, seed, ...place, db: bo.db });
  world.solana.bank.lamports.set(await walletOf(next), 1_000_000_000n);
  await Promise.all([next.job("antimatter.attend"), next.job("antimatter.attend")]);
  await world.settle();
  await next.mesh.idle();
  await next.job("antimatter.attend");
  expect(world.balance(WINNER)).toBe(FEE);
  expect(await readSignal(bo.db, id)).toMatchObject({ due: null });
});

test("a fee whose transaction failed on the chain is paid by another, and once", async () => {
  const { world, bo, tell, result, close } = await handed();
  world.solana.next("fail");
  expect((await tell(result())).json).toEqual({ status: "resolved" });
  await world.settle();
  for (let at = 0; at < 3; at++) await bo.job("antimatter.attend");
  await world.settle();
  expect(world.balance(WINNER)).toBe(FEE);
  expect(world.solana.landed.length).toBe(2);
  await close();
});

test("a node that knows only the old names is asked by them", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const old = await world.veteran(bo, 16, { features: [] });
  old.answers((request) => (request.path.includes("/antimatter_") ? [404, {}] : neverMatches(request)));
  await giveFee(bo, world.clock.now());
  await world.settle();
  expect(old.heardAt("gas_match").map(({ phase }) => phase)).toEqual(["commit", "reveal"]);
  expect(old.heardAt("gas_signal")).toMatchObject([{ hops: 1 }]);
});

test("a peer that breaks its commitment loses a tenth", async () => {
  await using world = await feeWorld({ nodes: ["bo"] });
  const { bo } = world.nodes;
  const liar = await world.veteran(bo, 17);
  liar.answers((request) => {
    const answer = neverMatches(request);
    return request.body.phase === "reveal" ? [200, { peer_pick: 0, peer_nonce: "00" }] : answer;
  });
  await giveFee(bo, world.clock.now());
  await world.settle();
  expect(await scoreOf(bo, liar.id)).toBe(0.35);
});
