import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSigner } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { command, typed } from "../testing/commands.ts";
import { testHome } from "../testing/program.ts";

const FEE = {
  type: "antimatter_kept",
  signal_id: "am-0123456789ab",
  reason: "terminal_node",
  amount: 0.02,
  timestamp: "2026-03-05T12:00:00+00:00",
};

test("the owner sees what became of fees, also of those a state file of the first generation holds", async () => {
  using home = testHome();
  const { agentId } = createSigner(readFileSync(home.passport, "utf8").trim());
  const path = join(home.temporary, "state.json");
  writeFileSync(path, JSON.stringify({ agent_id: agentId, gas_log: [FEE] }));
  expect(await command(home, "state", "import", path)).toMatchObject({ code: 0 });

  await typed(home, "rules", "mode", "queue_only");
  expect((await command(home, "fees")).said.fees).toEqual([FEE]);
  const { out } = await typed(home, "fees");
  expect(out).toBe("2026-03-05T12:00:00+00:00  kept                am-0123456789ab  0.02  terminal_node\n");
}, 60_000);

test("without any fee it says so", async () => {
  using home = testHome();
  await typed(home, "rules", "mode", "queue_only");
  expect((await typed(home, "fees")).out).toBe("No fees yet.\n");
}, 60_000);
