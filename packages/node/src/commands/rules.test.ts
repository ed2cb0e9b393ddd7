import { expect, test } from "vitest";
import { command, real, typed } from "../testing/commands.ts";
import { testHome } from "../testing/program.ts";

const SLOW = { timeout: 60_000 };

test("the owner lists, adds, changes and removes rules, and chooses the mode", SLOW, async () => {
  using home = testHome();
  // A node that stands, so that each command need not start one.
  await using node = real(home, ["up", "--json"]);
  await node.firstLine();
  const added = await command(home, "rules", "add", "drop", "--keyword", "Buy now", "--priority", "5");
  expect(added).toMatchObject({ code: 0, said: { rule: { rule_id: "r1", action: "drop", priority: 5 } } });
  await command(
    home,
    "rules",
    "add",
    "respond",
    "--key",
    "type",
    "--value",
    "ping",
    "--say",
    "pong",
    "--id",
    "ping",
  );
  expect((await command(home, "rules", "disable", "r1")).said.rule).toMatchObject({ enabled: false });
  expect((await command(home, "rules", "edit", "ping", "--value", "")).said.rule).toMatchObject({
    metadata_key: "type",
    metadata_value: null,
  });
  expect((await typed(home, "rules", "mode", "rules_only")).out).toContain("Mode rules_only");

  const { out } = await typed(home, "rules", "list");
  expect(out).toContain('r1  priority 5  drop: messages with "Buy now"  (off)\n');
  expect(out).toContain('ping  priority 0  respond "pong": messages with metadata type\n');
  expect(out).toContain("Mode rules_only: they wait in the inbox.");

  expect(await command(home, "rules", "remove", "r1")).toMatchObject({ code: 0 });
  expect(await command(home, "rules", "remove", "r1")).toMatchObject({
    code: 1,
    said: { error: expect.stringContaining("r1") },
  });
  expect(await command(home, "rules", "add", "forward", "--to", "nobody")).toMatchObject({ code: 1 });
  expect((await typed(home, "rules", "add", "--help")).out).toContain("darkmatter rules add drop --keyword");
});

test("without a node that runs a rule is kept all the same", SLOW, async () => {
  using home = testHome();
  const added = await command(home, "rules", "add", "drop", "--keyword", "buy now");
  expect(added).toMatchObject({ code: 0, said: { rule: { rule_id: "r1" } } });
  expect((await command(home, "rules", "list")).said.rules).toMatchObject([
    { rule_id: "r1", action: "drop", keyword: "buy now" },
  ]);
});
