import { DAY_MS, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createBackground } from "../background.ts";
import type { MeshPorts } from "../ports.ts";
import { fakeSolana, memoryNetwork, type Stranger, stranger, type TestNode } from "../testing.ts";
import { createSolanaWallet } from "../wallets/adapters/solana.ts";
import { toBase58 } from "../wallets/base58.ts";
import { SOL as COIN, type WalletProvider } from "../wallets/wallet.ts";
import { createWallets } from "../wallets/wallets.ts";
import { createChecking } from "./checking.ts";
import { noticeIn } from "./notice.ts";

const SOL = 1_000_000_000n;

/** A node with a wallet, and two connected agents driven by hand that pay it. */
async function paidNode() {
  const chain = fakeSolana();
  const net = await memoryNetwork({
    nodes: ["ana"],
    solana: chain,
    config: { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 },
  });
  const { ana } = net.nodes;
  const host = memoryInternet({ clock: virtualClock({ startMs: 0 }), random: seededRandom(1) }).host({
    address: "192.168.7.1",
  });
  host.listen(80, chain.handler);
  const walletOf = ({ signer }: Stranger) =>
    createSolanaWallet({ signer, wire: host.wire, rpcUrl: "http://192.168.7.1/" });

  async function payer(port: number, wallets?: JsonObject) {
    const agent = stranger(net.clock, net.hosts.ana, { port, seed: port % 250 });
    const wallet = walletOf(agent);
    chain.bank.lamports.set(wallet.address, 10n * SOL);
    const told = wallets ?? { solana: wallet.address };
    await agent.post(ana, "connection_request", agent.request({ wallets: told }));
    return { agent, wallet };
  }
  const bo = await payer(9000);
  const eve = await payer(9001);
  const { wallets } = (await ana.tool("get_identity")) as { wallets: { solana: string } };
  const own = wallets.solana;

  /** Moves money on the chain; the transaction's signature. */
  async function paid(wallet: WalletProvider, raw: bigint, to = own, token = COIN): Promise<string> {
    const decimals = token === COIN ? 9 : await wallet.decimals(token);
    const { bytes, signature } = await wallet.prepare({ to, token, raw, decimals });
    await wallet.submit(bytes);
    return signature;
  }
  /** Says that something was paid, and lets the node look. */
  async function tell({ agent }: { agent: Stranger }, signature: string, fields: JsonObject = {}) {
    const metadata = { type: "solana_payment", amount: 2, token: "SOL", tx_signature: signature, ...fields };
    const answer = await agent.post(ana, "message", agent.message({ content: "Sent 2 SOL", metadata }));
    await net.settle();
    return answer.status;
  }
  return { chain, net, ana, own, bo, eve, payer, paid, tell };
}

async function creditsOf({ db }: TestNode): Promise<string[]> {
  const rows = await db.all<{ peer: string; raw: string }>(
    "SELECT peer, raw FROM mesh_credits ORDER BY peer",
  );
  return rows.map(({ raw }) => raw);
}

async function effectsOf(node: TestNode) {
  const acts = await node.db.all("SELECT 1 FROM journal WHERE act = 'payment.received'");
  return { credits: await creditsOf(node), journalled: acts.length };
}

async function refusalsOf({ db }: TestNode): Promise<string[]> {
  const rows = await db.all<{ text: string }>("SELECT text FROM mesh_notes ORDER BY seq");
  return rows.map(({ text }) => /not believed: (.*)\. Nothing follows/.exec(text)?.[1] ?? text);
}

/** What spending stands on. */
function portsOf({ db }: TestNode): MeshPorts {
  return { db } as Partial<MeshPorts> as MeshPorts;
}
const background = createBackground(() => undefined);

const NOTHING = { credits: [], journalled: 0 };

test("a payment counts once, however often and by whomever it is named", async () => {
  const { net, ana, bo, eve, paid, tell } = await paidNode();
  await using _ = net;
  const signature = await paid(bo.wallet, 2n * SOL);
  await tell(bo, signature);
  const once = { credits: ["2000000000"], journalled: 1 };
  expect(await effectsOf(ana)).toEqual(once);

  await tell(bo, signature);
  await tell(eve, signature);
  await tell(bo, signature, { amount: 1 });
  expect(await effectsOf(ana)).toEqual(once);
  expect(await refusalsOf(ana)).toEqual([
    "its transaction was counted before",
    "its transaction is of another wallet than that agent's",
    "its transaction was counted before",
  ]);
});

test("notices of one transaction that are checked at once count once", async () => {
  const { chain, net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  const signature = await paid(bo.wallet, 2n * SOL);
  chain.isDown = true;
  for (let times = 0; times < 5; times++) await tell(bo, signature);
  chain.isDown = false;
  await net.clock.advance(2 * MINUTE_MS);
  await ana.job("payments.check");
  expect(await effectsOf(ana)).toEqual({ credits: ["2000000000"], journalled: 1 });
});

test("another agent's payment is nobody else's", async () => {
  const { net, ana, bo, eve, paid, tell } = await paidNode();
  await using _ = net;
  await tell(eve, await paid(bo.wallet, 2n * SOL));
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual(["its transaction is of another wallet than that agent's"]);
});

test("a payment to somebody else is not ours", async () => {
  const { net, ana, bo, eve, paid, tell } = await paidNode();
  await using _ = net;
  await tell(bo, await paid(bo.wallet, 2n * SOL, eve.wallet.address));
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual(["its transaction pays somebody else"]);
});

test("what moved less than is said counts for nothing, and what moved more for what is said", async () => {
  const { net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  await tell(bo, await paid(bo.wallet, 2n * SOL - 2n));
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual(["its transaction moves less"]);
  await tell(bo, await paid(bo.wallet, 3n * SOL));
  expect(await creditsOf(ana)).toEqual(["2000000000"]);
});

test("a sender that cut a float counts for what it moved", async () => {
  const { net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  await tell(bo, await paid(bo.wallet, 2n * SOL - 1n));
  expect(await creditsOf(ana)).toEqual(["1999999999"]);
  await tell(bo, await paid(bo.wallet, SOL - 1n), { amount: "1" });
  expect(await refusalsOf(ana)).toEqual(["its transaction moves less"]);
});

test("another token than is said counts for nothing, and so do other decimals", async () => {
  const { chain, net, ana, own, bo, paid, tell } = await paidNode();
  await using _ = net;
  const junk = chain.bank.mint("junk", 9);
  await chain.bank.give(bo.wallet.address, junk, 10n * SOL);
  await tell(bo, await paid(bo.wallet, 2n * SOL, own, junk));
  await tell(bo, await paid(bo.wallet, 2n * SOL), { token: junk, decimals: 9 });
  await tell(bo, await paid(bo.wallet, 2n * SOL, own, junk), { token: junk, decimals: 6 });
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual([
    "its transaction moves another token",
    "its transaction moves another token",
    "the token has other decimals",
  ]);
});

test("a transaction that failed counts for nothing", async () => {
  const { chain, net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  chain.next("fail");
  await tell(bo, await paid(bo.wallet, 2n * SOL));
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual(["its transaction failed on the chain"]);
});

test("a transaction that does not exist is looked for for three minutes, and then refused", async () => {
  const { chain, net, ana, own, bo, tell } = await paidNode();
  await using _ = net;
  const { signature } = await bo.wallet.prepare({ to: own, token: COIN, raw: 2n * SOL, decimals: 9 });
  await tell(bo, signature);
  const looks = () => chain.calls.filter((name) => name === "getTransaction").length;
  expect(await refusalsOf(ana)).toEqual([]);
  for (let seconds = 0; seconds < 200; seconds += 5) {
    await net.clock.advance(5000);
    await ana.job("payments.check");
  }
  expect(await refusalsOf(ana)).toEqual(["the chain knows no such transaction"]);
  expect(looks()).toBe(8);
  await net.clock.advance(DAY_MS);
  await ana.job("payments.check");
  expect(looks()).toBe(8);
  expect(await effectsOf(ana)).toEqual(NOTHING);
});

test("a payment that is told before it is there is believed once it is", async () => {
  const { net, ana, own, bo, tell } = await paidNode();
  await using _ = net;
  const { bytes, signature } = await bo.wallet.prepare({ to: own, token: COIN, raw: 2n * SOL, decimals: 9 });
  await tell(bo, signature);
  await bo.wallet.submit(bytes);
  await net.clock.advance(3000);
  await ana.job("payments.check");
  expect(await effectsOf(ana)).toEqual({ credits: ["2000000000"], journalled: 1 });
});

test("while the chain cannot be asked nothing is believed and nothing is refused", async () => {
  const { chain, net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  const signature = await paid(bo.wallet, 2n * SOL);
  chain.isDown = true;
  await tell(bo, signature);
  for (let minutes = 0; minutes < 30; minutes++) {
    await net.clock.advance(MINUTE_MS);
    await ana.job("payments.check");
  }
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toEqual([]);
  chain.isDown = false;
  await net.clock.advance(MINUTE_MS);
  await ana.job("payments.check");
  expect(await effectsOf(ana)).toEqual({ credits: ["2000000000"], journalled: 1 });
});

test("a wallet that two connected agents told counts for neither", async () => {
  const { net, ana, bo, payer, paid, tell } = await paidNode();
  await using _ = net;
  const mallory = await payer(9002, { solana: bo.wallet.address });
  await tell(mallory, await paid(bo.wallet, 2n * SOL));
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toMatchObject([expect.stringMatching(/told the same wallet/)]);
});

test("an agent that told no wallet, or that is not connected, has paid nothing", async () => {
  const { net, ana, bo, payer, paid, tell } = await paidNode();
  await using _ = net;
  const signature = await paid(bo.wallet, 2n * SOL);
  await tell(await payer(9003, {}), signature);
  expect(await refusalsOf(ana)).toEqual(["that agent told no wallet when it connected"]);
  await ana.tool("connection", { action: "disconnect", agent_id: bo.agent.id });
  expect(await tell(bo, signature)).toBe(200);
  expect(await ana.db.all("SELECT * FROM mesh_payment_notices")).toEqual([]);
  expect(await effectsOf(ana)).toEqual(NOTHING);
});

test("of a flood of notices only so many wait for the chain", async () => {
  const { chain, net, ana, bo, tell } = await paidNode();
  await using _ = net;
  chain.isDown = true;
  for (let at = 0; at < 25; at++) await tell(bo, toBase58(new Uint8Array(64).fill(at + 1)));
  expect(await ana.db.all("SELECT 1 FROM mesh_payment_notices")).toHaveLength(20);
  expect(await refusalsOf(ana)).toEqual(new Array(5).fill("too many wait to be checked"));
});

test("what was paid is spent once, exactly, and only by who paid it", async () => {
  const { net, ana, bo, eve, paid, tell } = await paidNode();
  await using _ = net;
  await tell(bo, await paid(bo.wallet, 2n * SOL));
  const payments = createChecking(portsOf(ana), {
    wallets: createWallets(),
    background,
    changed: () => undefined,
  });
  const spend = (amount: string, peer = bo.agent.id, token = COIN) =>
    ana.db.write((tx) => payments.spend(tx, { peer, token, amount }));

  expect(await spend("0.1", eve.agent.id)).toBe(false);
  expect(await spend("0.1", bo.agent.id, "USDC")).toBe(false);
  expect(await spend("2.000000001")).toBe(false);
  expect(await spend("nonsense")).toBe(false);
  expect(await spend("1.7")).toBe(true);
  expect(await spend("0.300000001")).toBe(false);
  expect(await spend("0.0000000001")).toBe(true);
  expect(await creditsOf(ana)).toEqual(["299999999"]);
  expect(await spend("0.299999999")).toBe(true);
  expect(await spend("0.000000001")).toBe(false);
  expect(await creditsOf(ana)).toEqual(["0"]);
});

test("a notice of any shape is read or refused, and never breaks the message", async () => {
  const { net, ana, bo, tell } = await paidNode();
  await using _ = net;
  const shapes: JsonObject[] = [
    { amount: -1 },
    { amount: 0 },
    { amount: "NaN" },
    { amount: [2] },
    { amount: 1e300 },
    { token: 7 },
    { token: "x".repeat(5000) },
    { tx_signature: "sig123" },
    { tx_signature: null },
    { tx_signature: "0OIl" },
    { amount: null, token: null, tx_signature: { a: 1 } },
  ];
  for (const shape of shapes) expect(await tell(bo, "x", shape)).toBe(200);
  expect(await effectsOf(ana)).toEqual(NOTHING);
  expect(await refusalsOf(ana)).toHaveLength(shapes.length);
});

test("an erased notice leaves no words of it, and what it paid stays counted", async () => {
  const { net, ana, bo, paid, tell } = await paidNode();
  await using _ = net;
  const signature = await paid(bo.wallet, 2n * SOL);
  await tell(bo, signature, { sender_superagent_wallet: "in the cellar" });
  const rows = () => ana.db.all<{ message_id: string }>("SELECT * FROM mesh_payment_notices");
  const [{ message_id: id } = { message_id: "" }, ...others] = await rows();
  expect(others).toEqual([]);
  expect(await ana.db.write((tx) => ana.mesh.erase(tx, id))).toBeGreaterThan(0);
  expect(JSON.stringify(await rows())).not.toContain("cellar");
  expect(await creditsOf(ana)).toEqual(["2000000000"]);
  await tell(bo, signature);
  expect(await creditsOf(ana)).toEqual(["2000000000"]);
});

test("reading a notice never throws", () => {
  const value = fc.oneof(fc.jsonValue(), fc.double(), fc.constantFrom("SOL", "usdc", "1e-9", "gas"));
  const keys = [
    "amount",
    "token",
    "decimals",
    "tx_signature",
    "antimatter_eligible",
    "gas_eligible",
    "gas_rate",
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value), (metadata) => {
      noticeIn(metadata as JsonObject);
    }),
  );
});

test("the fee's older names are understood", () => {
  const metadata = { amount: 2, token: "sol", tx_signature: "sig", gas_eligible: true, gas_rate: 0.02 };
  expect(noticeIn(metadata)).toMatchObject({ token: "SOL", amount: "2", eligible: true, rate: 0.02 });
});
