import assert from "node:assert/strict";
import { fakeSolana, serveSolana } from "@darkmatter/mesh/testing";
import type { Checks } from "../checks.ts";
import { createWorld } from "../world.ts";
import { checkCalling, createCaller, TOOLS } from "./calling.ts";
import { checkHelping } from "./helping.ts";
import { ALL, connectAll, FEW, startMembers, trust } from "./members.ts";
import { checkMoney, checkPool, checkShards, fund } from "./paying.ts";
import { checkProof } from "./proof.ts";

const SETTINGS = {
  DARKMATTER_RATE_PER_CONNECTION: "-1",
  DARKMATTER_RATE_GLOBAL: "-1",
  DARKMATTER_AGENT_MAX_PER_HOUR: "50",
};

/** Seven nodes (four where time is short), each behind a stand-in of another client, live through a day and prove it. */
export async function runSociety(checks: Checks, { short }: { readonly short: boolean }): Promise<void> {
  const { check } = checks;
  await using world = createWorld();
  const chain = fakeSolana();
  await using rpc = await serveSolana(chain);
  const members = await startMembers(world, short ? FEW : ALL, {
    ...SETTINGS,
    DARKMATTER_SOLANA_RPC: rpc.url,
  });
  try {
    await check(`society: ${members.length} nodes know and trust each other`, async () => {
      await connectAll(members);
      for (const one of members) {
        for (const other of members) if (other !== one) await trust(one, other);
      }
      await fund(chain, members);
    });
    await checkHelping(checks, world, members, { short });
    const caller = createCaller();
    await checkCalling(checks, world, members, caller);
    await checkShards(checks, members, caller);
    await checkMoney(checks, world, chain, members, caller);
    await checkPool(checks, world, members);
    await check("society: every one of the 31 tools was called", () => {
      assert.equal(TOOLS.length, 31);
      assert.deepEqual(
        TOOLS.filter((tool) => !caller.called.has(tool)),
        [],
      );
    });
    await checkProof(checks, world, members);
  } finally {
    await Promise.allSettled(members.map(({ agent }) => agent.close()));
  }
}
