import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, real, typed } from "../testing/commands.ts";
import { testHome } from "../testing/program.ts";

test("an owner shares an API by the command line, and its credential is shown by nothing", {
  timeout: 60_000,
}, async () => {
  using ana = testHome();
  const secret = join(ana.temporary, "credential");
  writeFileSync(secret, "Bearer owner-secret\n", { mode: 0o600 });
  // A node that stands, so that each command need not start one.
  await using node = await real(ana, ["mcp"]).open();
  await node.call("darkmatter_get_identity");

  const made = await command(ana, "pool", "create", "LLM pool", "--tags", "pool:llm", "--open", "1.5");
  expect(made.said).toMatchObject({ success: true, policy: "open", max_balance: 1.5 });
  const api = ["http://127.0.0.1:9", "--paths", "/v1/chat,/v1/models", "--price", "0.01"];
  const added = await command(ana, "pool", "add-provider", "LLM pool", ...api, "--credential-file", secret);
  expect(added.said).toMatchObject({
    success: true,
    allowed_paths: ["/v1/chat", "/v1/models"],
    price_per_call: 0.01,
  });

  const granted = await command(ana, "pool", "grant", "LLM pool", "ab".repeat(32), "0.5");
  expect(granted.said).toMatchObject({ balance: 0.5, granted_by: "owner" });
  const shown = await typed(ana, "pool", "show", "LLM pool");
  expect(shown.out).toContain("/v1/chat /v1/models");
  const tokens = await command(ana, "pool", "tokens", "LLM pool");
  expect(JSON.stringify([made, added, granted, shown, tokens])).not.toContain("owner-secret");

  expect((await typed(ana, "pool", "add-provider", "LLM pool", "http://127.0.0.1:9")).code).toBe(2);
  const unknown = await typed(ana, "pool", "show", "pool-none");
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining("pool list") });
});
