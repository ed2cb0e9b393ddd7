import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FakeSolana } from "@darkmatter/mesh/testing";
import type { Answer } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import type { World } from "../world.ts";
import type { Caller } from "./calling.ts";
import { commanded } from "./commanded.ts";
import { type Member, type Members, member } from "./members.ts";

const SOL = 1_000_000_000n;
export const USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const USDC_DECIMALS = 6;
/** A fee needs luck to find a taker: the chance that not one of so many does is below 1 in 100. */
const PAYMENTS_MAX = 8;
const PAID_WITHIN_MS = 30_000;

const walletOf = async ({ agent }: Member): Promise<string> =>
  (await agent.ask("get_identity")).wallets.solana;

/** Everybody owns something on a chain of our own. */
export async function fund(chain: FakeSolana, members: Members): Promise<void> {
  chain.bank.mint("usdc", USDC_DECIMALS, { address: USDC });
  for (const one of members) {
    const wallet = await walletOf(one);
    chain.bank.lamports.set(wallet, 10n * SOL);
    await chain.bank.give(wallet, USDC, 500_000_000n);
  }
}

export async function checkShards({ check }: Checks, members: Members, caller: Caller): Promise<void> {
  const [ana, bo, cy] = [member(members, "ana"), member(members, "bo"), member(members, "cy")];
  await check("society: a shard reaches those whom its author trusts, and nobody else", async () => {
    await cy.agent.ask("set_impression", { agent_id: ana.node.agentId, score: 0.9 });
    await ana.agent.ask("set_impression", { agent_id: cy.node.agentId, score: 0.2 });
    const note = { content: "The north sluice opens at nine.", tags: ["tides:north"], trust_threshold: 0.5 };
    const made = await caller.ask(ana, "create_shard", note);
    await until("a trusted peer has it", async () => {
      const { shards } = await caller.ask(bo, "view_shards", { tags: ["tides"] });
      return shards.some(
        (shard: Answer) => shard.shard_id === made.shard_id && shard.content === note.content,
      );
    });
    assert.equal((await cy.agent.ask("view_shards", { tags: ["tides"] })).count, 0);
    await ana.agent.ask("set_impression", { agent_id: cy.node.agentId, score: 0.8 });
    await until("one that rose in its author's eyes gets it then", async () => {
      return (await cy.agent.ask("view_shards", { tags: ["tides"] })).count === 1;
    });
  });
}

/** The money tools, and a payment whose fee finds somebody. */
export async function checkMoney(
  { check }: Checks,
  world: World,
  chain: FakeSolana,
  members: Members,
  caller: Caller,
): Promise<void> {
  const [ana, bo] = [member(members, "ana"), member(members, "bo")];
  const youngest = members.at(-1) as Member;
  const { ask } = caller;
  await check("society: balances, by every tool that tells them", async () => {
    const { wallets } = await ask(ana, "wallet_balances");
    assert.equal(Number(wallets[0].balance), 10);
    assert.equal(Number((await ask(ana, "get_balance")).balance), 10);
    assert.equal(Number((await ask(ana, "get_balance", { mint: "usdc" })).balance), 500);
  });
  await check("society: SOL and tokens are sent, and the other side believes the chain", async () => {
    const agent_id = bo.node.agentId;
    const sol = await ask(ana, "send_sol", { agent_id, amount: 0.29 });
    const any = await ask(ana, "wallet_send", { agent_id, amount: 0.01 });
    const token = await ask(ana, "send_token", { agent_id, mint: "USDC", amount: 12.5 });
    const wallet = await walletOf(bo);
    assert.equal(sol.to_wallet, wallet);
    assert.equal(chain.bank.tokens.get(await chain.bank.tokenAccountOf(wallet, USDC))?.amount, 512_500_000n);
    const paid = [sol, any, token].map(({ tx_signature }: Answer) => tx_signature);
    await until(
      "all three are confirmed at the receiver",
      async () => {
        const { json } = await world.command(bo.home, "recent", "--limit", "500");
        return json.commits.filter(({ act }: Answer) => act === "payment.received").length >= paid.length;
      },
      PAID_WITHIN_MS,
    );
  });
  await check("society: who gets a fee that finds nobody is the owner's choice", async () => {
    const set = await ask(ana, "set_superagent", { url: bo.node.url });
    assert.equal(set.superagent_url, bo.node.url);
    assert.equal((await ask(ana, "set_superagent", { url: null })).reset_to_default, true);
  });
  await check(
    "society: the fee of a payment travels and is paid once, to somebody older and trusted",
    async () => {
      const taken = await payUntilFeeIsTaken(world, chain, ana, youngest);
      const wallets = await Promise.all(members.map(async (one) => [one, await walletOf(one)] as const));
      const winner = wallets.find(([, wallet]) => wallet === taken.to)?.[0];
      assert.ok(winner && winner !== youngest && winner !== ana, `the fee went to ${winner?.name}`);
    },
  );
}

interface Taken {
  readonly to: string;
}

/** Pays until a fee was sent on; each fee at most once, and one in a hundred. */
async function payUntilFeeIsTaken(world: World, chain: FakeSolana, from: Member, to: Member): Promise<Taken> {
  const wallet = await walletOf(to);
  for (let count = 1; count <= PAYMENTS_MAX; count++) {
    await from.agent.ask("send_sol", { agent_id: to.node.agentId, amount: 0.5 });
    await until(
      `the fee of payment ${count} is settled`,
      async () => {
        const { json } = await world.command(to.home, "fees");
        return json.fees.filter((fee: Answer) => SETTLED.test(fee.type)).length >= count;
      },
      PAID_WITHIN_MS,
    );
    const fees = movedBy(chain, wallet);
    assert.ok(fees.length <= count);
    if (fees.length > 0) {
      for (const { lamports } of fees) assert.equal(lamports, 5_000_000n, "one hundredth of 0.5 SOL");
      return { to: fees[0]?.to ?? "" };
    }
  }
  throw new Error(`none of ${PAYMENTS_MAX} fees found a taker`);
}

const SETTLED = /^antimatter_(sent|kept)$/;

/** What left a wallet on the chain. */
function movedBy(chain: FakeSolana, wallet: string): { to: string; lamports: bigint }[] {
  return chain.landed
    .filter(({ accounts, error }) => accounts[0] === wallet && !error)
    .map(({ accounts, before, after }) => ({
      to: accounts[1] ?? "",
      lamports: (after.lamports[1] ?? 0n) - (before.lamports[1] ?? 0n),
    }));
}

/** A paid API: shared, found by its shard, paid for, called through, and spent. */
export async function checkPool({ check }: Checks, world: World, members: Members): Promise<void> {
  const [ana, bo] = [member(members, "ana"), member(members, "bo")];
  await using upstream = await startUpstream();
  let pool = "";
  await check("society: an agent shares a paid API, and its peers find it by a shard", async () => {
    const tags = "pool:tides";
    pool = (await commanded(world, bo.home, "pool", "create", "Tide tables", "--tags", tags)).pool_id;
    const env = { ...bo.home.env, TIDES_KEY: upstream.credential };
    await commanded(
      world,
      { ...bo.home, env },
      ...["pool", "add-provider", pool, upstream.url, "--paths", "/v1", "--price", "0.01"],
      ...["--credential-header", "X-Tides-Key", "--credential-env", "TIDES_KEY"],
    );
    await until("a peer sees it among its shards", async () => {
      const { shards } = await ana.agent.ask("view_shards", { tags: ["pool"] });
      return shards.some((shard: Answer) => JSON.stringify(shard).includes(pool));
    });
  });
  const peer = bo.node.agentId;
  const call = (path: string) => world.command(ana.home, "pool", "call", peer, pool, "GET", path);
  await check("society: what was paid buys balance, and a call spends of it", async () => {
    const unpaid = await world.command(ana.home, "pool", "buy", peer, pool, "5");
    assert.notEqual(unpaid.code, 0, "more than was ever paid");
    await commanded(world, ana.home, "pool", "buy", peer, pool, "0.02");
    const first = await call("/v1/today");
    assert.equal(first.code, 0, JSON.stringify(first.json));
    const said = Buffer.from(first.json.answer.body_b64, "base64").toString();
    assert.match(said, /high water/);
    assert.ok(![said, JSON.stringify(first.json)].some((text) => text.includes(upstream.credential)));
  });
  await check("society: paths hold, and so does the balance", async () => {
    assert.notEqual((await call("/v1/../admin")).code, 0);
    assert.equal((await call("/v1/today")).code, 0);
    assert.notEqual((await call("/v1/today")).code, 0, "the balance is used up");
    assert.deepEqual(upstream.seen, ["/v1/today", "/v1/today"]);
  });
}

async function startUpstream() {
  const credential = "key-0b5c9d6e";
  const seen: string[] = [];
  const server = createServer((request, response) => {
    if (request.headers["x-tides-key"] !== credential) return void response.writeHead(401).end();
    seen.push(request.url ?? "");
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ said: "high water at 06:12", seen: request.headers["x-tides-key"] === undefined }),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    credential,
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
