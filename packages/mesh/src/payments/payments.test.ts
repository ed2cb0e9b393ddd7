import { setTimeout as sleep } from "node:timers/promises";
import { SECOND_MS } from "@darkmatter/core";
import type { VirtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { fakeSolana, memoryNetwork, stranger, type TestNode } from "../testing.ts";

const SOL = 1_000_000_000n;

/** Two connected agents with wallets on one chain; the first has 10 SOL. */
async function paired() {
  const chain = fakeSolana();
  const net = await memoryNetwork({ nodes: ["ana", "bo"], solana: chain });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const [from, to] = [await addressOf(ana), await addressOf(bo)];
  chain.bank.lamports.set(from, 10n * SOL);
  const send = (fields = {}, callId?: string) =>
    ana.tool("send_sol", { agent_id: bo.id, amount: 0.29, ...fields }, callId ? { callId } : {});
  return { chain, net, ana, bo, from, to, send };
}

/** Lets virtual seconds pass until something is done; signing takes real time, which a virtual clock does not know of. */
async function passing<T>(doing: Promise<T>, { clock }: { clock: VirtualClock }): Promise<T> {
  let isDone = false;
  void doing.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await sleep(2);
    await clock.advance(SECOND_MS);
  }
  return doing;
}

async function addressOf(node: TestNode): Promise<string> {
  const { wallets } = (await node.tool("get_identity")) as { wallets: { solana: string } };
  return wallets.solana;
}

async function notesOf(node: TestNode): Promise<string[]> {
  return (await node.db.all<{ text: string }>("SELECT text FROM mesh_notes ORDER BY seq")).map(
    ({ text }) => text,
  );
}

async function noticesTo(node: TestNode) {
  const { messages } = (await node.tool("list_inbox")) as {
    messages?: Array<{ metadata: { type?: string } }>;
  };
  return (messages ?? []).map(({ metadata }) => metadata).filter(({ type }) => type === "solana_payment");
}

async function actsOf(node: TestNode): Promise<string[]> {
  const rows = await node.db.all<{ act: string }>("SELECT act FROM journal WHERE act LIKE 'payment.%'");
  return rows.map(({ act }) => act);
}

const creditOf = (node: TestNode) => node.db.all("SELECT peer, token, raw FROM mesh_credits");

test("a payment lands once, is announced as mesh.md 12 has it, and counts at the other side once the chain confirms it", async () => {
  const { chain, net, ana, bo, from, to, send } = await paired();
  await using _ = net;
  const sent = await send();
  await net.settle();

  expect(sent).toMatchObject({
    success: true,
    tx_signature: chain.landed[0]?.signature,
    amount: 0.29,
    from_wallet: from,
    to_wallet: to,
    to_agent_id: bo.id,
    state: "confirmed",
    notification_sent: true,
  });
  expect(chain.bank.lamports.get(to)).toBe(290_000_000n);
  const { created_at } = await ana.tool("get_identity");
  expect(await noticesTo(bo)).toMatchObject([
    {
      type: "solana_payment",
      amount: 0.29,
      token: "SOL",
      tx_signature: sent.tx_signature,
      from_wallet: from,
      to_wallet: to,
      antimatter_eligible: true,
      antimatter_rate: 0.01,
      sender_created_at: created_at,
      sender_superagent_wallet: "",
    },
  ]);
  expect(await actsOf(ana)).toEqual(["payment.sent"]);
  expect(await actsOf(bo)).toEqual(["payment.received"]);
  expect(await creditOf(bo)).toEqual([{ peer: ana.id, token: "SOL", raw: "290000000" }]);
  expect(await notesOf(bo)).toEqual([]);
});

test("a call that is repeated pays once, and hears of the same payment", async () => {
  const { chain, net, send, bo } = await paired();
  await using _ = net;
  const calls = [send({}, "call-1"), send({}, "call-1"), send({}, "call-1")];
  const [first, ...others] = await Promise.all(calls);
  expect(chain.landed).toHaveLength(1);
  for (const other of [...others, await send({}, "call-1")]) expect(other).toEqual(first);
  await net.settle();
  expect(chain.landed).toHaveLength(1);
  expect(await noticesTo(bo)).toHaveLength(1);
});

test("another amount under the same key is no payment", async () => {
  const { chain, net, send } = await paired();
  await using _ = net;
  await send({}, "call-1");
  expect(await send({ amount: 0.3 }, "call-1")).toMatchObject({ success: false });
  expect(chain.landed).toHaveLength(1);
});

test("two payments that are alike are two transactions, even in one block", async () => {
  const { chain, net, send } = await paired();
  await using _ = net;
  chain.blockhash = "7PQALYQSbcpwCwt5yLQZcb8trXrd5mXgNC14GaXKGvVB";
  await send({}, "call-1");
  const second = send({}, "call-2");
  while (chain.calls.filter((name) => name === "simulateTransaction").length < 2) await sleep(2);
  await sleep(20);
  expect(chain.landed).toHaveLength(1);
  chain.blockhash = "92yHHKRbs47EqLPipDKYuW6JKszDWFowCQ61cgJK1qrS";
  expect(await passing(second, net)).toMatchObject({ success: true });
  expect(chain.landed).toHaveLength(2);
});

test("what the chain lost is sent again, the same bytes, until it has it", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  chain.next("drop");
  chain.next("refuse");
  expect(await passing(send(), net)).toMatchObject({ success: true, state: "confirmed" });
  await net.settle();
  expect(new Set(chain.sent).size).toBe(1);
  expect(chain.landed).toHaveLength(1);
  expect(await noticesTo(bo)).toHaveLength(1);
  expect(ana.reports.join()).not.toMatch(/secret/);
});

test("a payment that hangs is said to, and its peer hears of it only once it is there", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  chain.next("hold");
  for (let times = 0; times < 20; times++) chain.next("drop");
  expect(await passing(send(), net)).toMatchObject({
    success: true,
    state: "pending",
    notification_sent: false,
  });
  expect(await noticesTo(bo)).toEqual([]);
  chain.release();
  await ana.job("payments.finish");
  await ana.job("payments.finish");
  await net.settle();
  expect(await noticesTo(bo)).toHaveLength(1);
  expect(chain.landed).toHaveLength(1);
});

test("a payment the chain never took is given up when it can land no more, and the agent is told", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  for (let times = 0; times < 50; times++) chain.next("drop");
  await passing(send({}, "call-1"), net);
  chain.advance(200);
  await ana.job("payments.finish");
  expect(await notesOf(ana)).toMatchObject([
    expect.stringMatching(/never taken by the chain and moved nothing/),
  ]);
  const sent = chain.sent.length;
  expect(await send({}, "call-1")).toMatchObject({ success: false });
  await ana.job("payments.finish");
  expect(chain.sent).toHaveLength(sent);
  expect(chain.landed).toHaveLength(0);
  expect(await noticesTo(bo)).toEqual([]);
});

test("a payment that fails on the chain is no payment, and is not announced", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  chain.next("fail");
  expect(await send()).toMatchObject({ success: false });
  await net.settle();
  expect(await noticesTo(bo)).toEqual([]);
  expect(await notesOf(ana)).toMatchObject([expect.stringMatching(/failed on the chain/)]);
});

test("what cannot be paid is refused, and nothing is signed or kept", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  expect(await send({ amount: 11 })).toMatchObject({
    success: false,
    error: expect.stringMatching(/enough/),
  });
  expect(await send({ amount: 1e-10 })).toMatchObject({ success: false });
  expect(await send({ amount: "1,5" })).toMatchObject({ success: false });
  expect(await send({ agent_id: "ff".repeat(32) })).toMatchObject({ success: false });
  const token = { agent_id: bo.id, mint: "USDC", amount: 1 };
  expect(await ana.tool("send_token", token)).toMatchObject({ success: false });
  await bo.db.write((tx) => tx.run("UPDATE mesh_connections SET wallets = '{}'"));
  await ana.db.write((tx) => tx.run("UPDATE mesh_connections SET wallets = '{}'"));
  expect(await send()).toMatchObject({
    success: false,
    error: expect.stringMatching(/told no Solana wallet/),
  });
  chain.isDown = true;
  expect(await send()).toMatchObject({ success: false });
  expect(chain.sent).toEqual([]);
  expect(await ana.db.all("SELECT * FROM mesh_payments")).toEqual([]);
});

test("an owner's limit holds for each payment, and a token it does not name is not paid", async () => {
  const { chain, net, ana, bo, from, send } = await paired();
  await using _ = net;
  const usdc = chain.bank.mint("USDC", 6, { address: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v" });
  const junk = chain.bank.mint("junk", 6);
  for (const mint of [usdc, junk]) await chain.bank.give(from, mint, 100_000_000n);
  ana.configure({ paymentMax: { SOL: "0.29", usdc: "20" } });
  const refused = { success: false, error: expect.stringMatching(/owner/) };
  expect(await send({ amount: "0.290000001" })).toMatchObject(refused);
  const token = (mint: string, amount: number) => ana.tool("send_token", { agent_id: bo.id, mint, amount });
  expect(await token("USDC", 20.1)).toMatchObject(refused);
  expect(await token(junk, 0.000001)).toMatchObject(refused);
  expect(chain.sent).toEqual([]);
  expect(await send()).toMatchObject({ success: true });
  expect(await token("USDC", 20)).toMatchObject({ success: true });
});

test("a token goes by its name, its decimals are the mint's, and the recipient gets an account for it", async () => {
  const { chain, net, ana, bo, from } = await paired();
  await using _ = net;
  const address = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
  chain.bank.mint("USDC", 6, { address });
  await chain.bank.give(from, address, 5_000_000n);
  const pay = (fields: object) =>
    ana.tool("send_token", { agent_id: bo.id, mint: "usdc", amount: 1.5, ...fields });
  expect(await pay({ decimals: 9 })).toMatchObject({
    success: false,
    error: expect.stringMatching(/6 decimals/),
  });
  expect(await pay({ decimals: 6 })).toMatchObject({
    success: true,
    token_mint: address,
    decimals: 6,
    created_recipient_ata: true,
    amount: 1.5,
  });
  await net.settle();
  expect(await noticesTo(bo)).toMatchObject([{ token: address, decimals: 6, amount: 1.5 }]);
  expect(await creditOf(bo)).toEqual([{ peer: ana.id, token: address, raw: "1500000" }]);
  expect(await ana.tool("get_balance", { mint: "USDC" })).toMatchObject({
    balance: 3.5,
    decimals: 6,
    raw: 3500000,
  });
});

test("balances are told, and a chain that cannot be asked is said so", async () => {
  const { chain, net, ana, from } = await paired();
  await using _ = net;
  expect(await ana.tool("wallet_balances")).toEqual({
    _hint: expect.anything(),
    success: true,
    wallets: [{ chain: "solana", address: from, balance: 10, unit: "SOL" }],
  });
  expect(await ana.tool("get_balance")).toMatchObject({
    success: true,
    token: "SOL",
    balance: 10,
    lamports: 10_000_000_000,
    wallet_address: from,
  });
  chain.isDown = true;
  expect(await ana.tool("wallet_balances")).toMatchObject({
    wallets: [{ balance: null, error: expect.any(String) }],
  });
});

test("without a chain there is no wallet to see, to tell or to pay from", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  expect(await ana.tool("get_identity")).not.toHaveProperty("wallets");
  expect((await ana.tool("network_info")).wallets).toEqual({});
  expect(await ana.tool("send_sol", { agent_id: bo.id, amount: 1 })).toMatchObject({ success: false });
  const shown = ana.mesh.tools.tools.filter((one) => one.visible()).map(({ name }) => name);
  expect(shown.filter((name) => /wallet|balance|send_sol|send_token|superagent/.test(name))).toEqual([]);
});

test("the superagent is who the agent chose, else the owner's, else the first anchor, and is told with a payment", async () => {
  const chain = fakeSolana();
  const net = await memoryNetwork({ nodes: ["ana", "bo", "old"], solana: chain });
  await using _ = net;
  const { ana, bo, old } = net.nodes;
  await net.connect("ana", "bo");
  chain.bank.lamports.set(await addressOf(ana), SOL);
  ana.configure({ anchors: [bo.url] });
  expect((await ana.tool("get_identity")).superagent_url).toBe(bo.url);
  expect(await ana.tool("set_superagent", { url: old.url })).toMatchObject({
    success: true,
    superagent_url: old.url,
    effective_url: old.url,
    reset_to_default: false,
  });
  await ana.tool("send_sol", { agent_id: bo.id, amount: 0.1 });
  await net.settle();
  expect(await noticesTo(bo)).toMatchObject([{ sender_superagent_wallet: await addressOf(old) }]);
  expect(await ana.tool("set_superagent", { url: null })).toMatchObject({
    superagent_url: null,
    effective_url: bo.url,
    reset_to_default: true,
  });
  expect(await ana.tool("set_superagent", { url: "file:///etc/passwd" })).toMatchObject({ success: false });
});

test("whoever names a peer in an unsigned request is not paid in its place", async () => {
  const { chain, net, ana, from } = await paired();
  await using _ = net;
  const cleo = stranger(net.clock, net.hosts.ana);
  await cleo.post(ana, "connection_request", cleo.request());
  const forged = cleo.request({ wallets: { solana: from.split("").reverse().join("") } });
  expect((await cleo.post(ana, "connection_request", forged)).status).toBe(200);
  expect(await ana.tool("send_sol", { agent_id: cleo.id, amount: 1 })).toMatchObject({
    success: false,
    error: expect.stringMatching(/told no Solana wallet/),
  });
  expect(chain.sent).toEqual([]);
});

test("a peer that left before the payment was there is not told, and nothing is tried for ever", async () => {
  const { chain, net, ana, bo, send } = await paired();
  await using _ = net;
  chain.next("hold");
  const paying = send();
  while (chain.sent.length === 0) await sleep(2);
  await ana.tool("connection", { action: "disconnect", agent_id: bo.id });
  chain.release();
  expect(await passing(paying, net)).toMatchObject({ success: true, notification_sent: false });
  expect(await ana.db.all("SELECT notice FROM mesh_payments")).toEqual([{ notice: "undeliverable" }]);
});
