import { fakeSolana, serveSolana } from "@darkmatter/mesh/testing";
import { expect, test } from "vitest";
import { real } from "./testing/commands.ts";
import { type TestHome, testHome } from "./testing/program.ts";

const SLOW = 60_000;

test("an owner sees the wallet and pays from it, over real sockets, once it is confirmed", {
  timeout: SLOW,
}, async () => {
  const chain = fakeSolana();
  await using rpc = await serveSolana(chain);
  const settings = { DARKMATTER_SOLANA_RPC: `${rpc.url}/?api-key=secret` };
  async function run(home: TestHome, ...argv: string[]) {
    await using program = real(home, [...argv, "--json"], settings);
    const code = await program.exited;
    return { code, said: JSON.parse(program.stdoutText()) };
  }
  using ana = testHome();
  using bo = testHome();
  await using node = real(bo, ["up", "--json"], settings);
  const { url } = await node.firstLine();
  await run(ana, "connect", url);
  const { said } = await run(ana, "wallet", "show");
  const [{ address }] = said.wallets;
  expect(said.wallets).toEqual([{ chain: "solana", address, balance: 0, unit: "SOL" }]);
  const broke = await run(ana, "wallet", "send", bo.agentId, "0.5", "--yes");
  expect(broke).toMatchObject({ code: 1, said: { error: expect.stringMatching(/enough/) } });

  chain.bank.lamports.set(address, 2_000_000_000n);
  expect(await run(ana, "wallet", "send", bo.agentId, "0.5")).toMatchObject({ code: 1 });
  expect(chain.sent).toEqual([]);
  const paid = await run(ana, "wallet", "send", bo.agentId, "0.5", "--yes");
  expect(paid).toMatchObject({
    code: 0,
    said: { success: true, state: "confirmed", notification_sent: true },
  });
  expect(chain.landed).toHaveLength(1);
  expect(chain.bank.lamports.get(paid.said.to_wallet)).toBe(500_000_000n);
  expect(await run(ana, "wallet", "show", "SOL")).toMatchObject({ said: { lamports: 1_499_995_000 } });
  const { messages } = (await run(bo, "inbox")).said;
  expect(messages).toMatchObject([{ metadata: { tx_signature: paid.said.tx_signature } }]);
});
