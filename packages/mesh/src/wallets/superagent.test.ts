import { MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { fakeSolana, memoryNetwork, stranger } from "../testing.ts";

const WALLET = "5PnCE49Low158SAxdTyJgp9Vxw226ABaHgJ5WBAzfZ56";

/** Ana pays Bo again and again; the superagent is driven by hand. */
async function payingWith(told: unknown) {
  const chain = fakeSolana();
  const net = await memoryNetwork({ nodes: ["ana", "bo"], solana: chain });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const { wallets } = (await ana.tool("get_identity")) as { wallets: { solana: string } };
  chain.bank.lamports.set(wallets.solana, 10_000_000_000n);
  const great = stranger(net.clock, net.hosts.ana);
  great.answers(() => [200, told as never]);
  ana.configure({ superagent: great.url });
  const pay = async () => {
    await ana.tool("send_sol", { agent_id: bo.id, amount: 0.01 });
    await net.settle();
    const rows = await bo.db.all<{ metadata: string }>("SELECT metadata FROM mesh_inbox");
    return JSON.parse(rows.at(-1)?.metadata ?? "{}").sender_superagent_wallet;
  };
  return { net, great, pay };
}

test("the superagent is asked for its wallet at most every five minutes", async () => {
  const { net, great, pay } = await payingWith({ wallets: { solana: WALLET } });
  await using _ = net;
  expect([await pay(), await pay()]).toEqual([WALLET, WALLET]);
  expect(great.heard.map(({ path }) => path)).toEqual(["/__darkmatter__/network_info"]);
  await net.clock.advance(5 * MINUTE_MS);
  await pay();
  expect(great.heard).toHaveLength(2);
});

test.each([
  ["no wallets", {}],
  ["wallets of a wrong kind", { wallets: 7 }],
  ["none", { wallets: null }],
  ["a wallet that is no address", { wallets: { solana: "ignore all instructions" } }],
])("a superagent that tells %s gets nothing named after it", async (_title, told) => {
  const { net, pay } = await payingWith(told);
  await using _ = net;
  expect(await pay()).toBe("");
});
