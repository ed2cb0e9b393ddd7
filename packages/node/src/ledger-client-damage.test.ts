import { join } from "node:path";
import { openSqlite } from "@darkmatter/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import { type AtFolder, chainAs, initialised, realLedgerServer } from "./testing/at-folder.ts";

let server: RunningLedgerServer;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Does what only somebody at the server's disk could: the rules that hold everybody else are taken away first. */
async function tamper(sql: string, id: string): Promise<void> {
  await using db = await openSqlite({ path: join(server.folder, "ledger.db"), report: () => undefined });
  await db.write(async (tx) => {
    const triggers = await tx.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'");
    for (const { name } of triggers) await tx.run(`DROP TRIGGER ${name}`);
    await tx.run(sql, id);
  });
}

const NO_ROW = "UPDATE ledger_commits SET claims = '{' WHERE id = ?";
const OTHER_AGENT = "UPDATE ledger_commits SET agent = 'dm_0000000000000000' WHERE id = ?";
const NO_JSON =
  "UPDATE ledger_payloads SET payload = '{\"a\":' WHERE position = (SELECT position FROM ledger_commits WHERE id = ?)";
const GONE =
  "DELETE FROM ledger_payloads WHERE position = (SELECT position FROM ledger_commits WHERE id = ?)";
const PRUNED =
  "INSERT INTO ledger_pruned (position, pruned_ms) SELECT position, 1795310362309 FROM ledger_commits WHERE id = ?";

/** A chain of three steps at the server, with one of them damaged. */
async function damaged(sql: string, step: number) {
  const at = await initialised(server.url);
  const ids = await chainAs(at);
  const [first = "", , tip = ""] = ids;
  const broken = ids[step - 1] ?? "";
  expect((await at.json("export", tip, "--server", "-o", "before.json")).code).toBe(0);
  await tamper(sql, broken);
  return { at, first, broken, tip, [Symbol.dispose]: () => at[Symbol.dispose]() };
}

const READING = [
  ...["recent", "me", "search", "pull", "search say", "search --model m1", "replay TIP", "replay TIP --full"],
  ...["lineage TIP", "lineage FIRST", "verify TIP --server", "verify FIRST --server", "diff TIP FIRST"],
  ...["diff FIRST TIP --full", "diff TIP --fork", "export TIP -o x.json --force", "replay 1", "fork TIP"],
  "import before.json",
];

/** Nobody is told of the program's insides, or that a ledger server is none. */
async function expectSense(at: AtFolder, argv: readonly string[]): Promise<void> {
  const { code, out, err } = await at.typed(...argv);
  const said = JSON.stringify([argv.join(" "), code, out, err]);
  expect(said).not.toMatch(/undefined|answers, but without|something else may be listening|\.ts:\d|Error:/);
  expect(said).not.toContain("NaN");
  expect([0, 1], said).toContain(code);
  if (code === 1) expect(out + err, argv.join(" ")).not.toBe("");
  const json = await at.typed(...argv, "--json");
  expect(JSON.parse(json.out), said).toBeTypeOf("object");
  expect(json.code, said).toBe(code);
}

describe.each([
  ["a row that is no longer one", NO_ROW],
  ["a row of an agent that is not there", OTHER_AGENT],
  ["a payload that is no JSON any more", NO_JSON],
])("%s", (_what, sql) => {
  test.each([1, 2, 3])("in step %i: every command that reads says something true", async (step) => {
    using world = await damaged(sql, step);
    const { at, first, tip } = world;
    for (const words of READING) {
      const argv = words.split(" ").map((word) => ({ TIP: tip, FIRST: first })[word] ?? word);
      await expectSense(at, argv);
    }
    for (const words of [
      ["recent"],
      ["pull"],
      ["replay", tip],
      ["lineage", tip],
      ["verify", tip, "--server"],
    ])
      expect([words, (await at.json(...words)).code]).toEqual([words, 1]);
    // The proof that was exported before needs no server.
    expect(await at.json("verify", "before.json")).toMatchObject({ code: 0, said: { verified: true } });
  });
});

describe("of a row that can no longer be read", () => {
  const WHY = "its row can no longer be read";

  test("replay and lineage name the step and what to do", async () => {
    using world = await damaged(NO_ROW, 2);
    const { at, broken, tip } = world;
    const next = `What fails, and where: darkmatter verify ${tip} --server`;
    const replay = await at.typed("replay", tip, "--full");
    expect(replay).toMatchObject({ code: 1, out: expect.stringContaining(next) });
    expect(replay.out).toMatch(new RegExp(`${broken} {2}unreadable .* ✗ ${WHY}\n`));
    expect(replay.out).toContain(`       (the server could not read its payload: ${WHY})\n`);
    expect(replay.out).toContain("say 3");
    expect(replay.out).not.toContain("encrypted");

    const lineage = await at.typed("lineage", tip);
    expect(lineage).toMatchObject({ code: 1, out: expect.stringContaining(next) });
    expect(lineage.out).toMatch(new RegExp(`${broken} {2}unreadable {4}- {2}✗ ${WHY}\n`));
    expect(lineage.out).toContain("3 steps, the last line the first of them: CHAIN BROKEN\n");
  });

  test("verify sends nobody to an export that cannot be made", async () => {
    using world = await damaged(NO_ROW, 2);
    const { at, broken, tip } = world;
    const { code, out } = await at.typed("verify", tip, "--server");
    expect(code).toBe(1);
    expect(out).toContain(`BROKEN at ${broken} (${WHY})\n`);
    expect(out).toMatch(
      /can no longer read 1 step of it.*\nWhoever runs the server .* darkmatter ledger check/,
    );
    expect(out).not.toContain("darkmatter export");
    expect((await at.json("export", tip, "--server", "-o", "no.json")).code).toBe(1);
  });

  test("diff compares what can be read, and says what was not", async () => {
    using world = await damaged(NO_ROW, 2);
    const { at, first, broken, tip } = world;
    const { code, out } = await at.typed("diff", first, tip);
    expect(code).toBe(1);
    expect(out).toContain(`  + (the server could not read its payload: ${WHY})\n`);
    expect(out).toContain("  + say 3\n");
    expect(out).toContain(`${broken} was not compared: the server can no longer read it.\n`);
    expect(out).toContain(`darkmatter verify ${tip} --server`);
    expect((await at.typed("diff", first, first)).code).toBe(0);
  });

  test("lists tell no age of it", async () => {
    using world = await damaged(NO_ROW, 3);
    const { at, broken } = world;
    for (const [command, number] of [
      ["recent", "  1  "],
      ["pull", ""],
    ] as const)
      expect((await at.typed(command)).out).toMatch(
        new RegExp(`^${number}✗ {8}-  ${broken}  unreadable .*${WHY}`),
      );
  });
});

describe("of a chain whose payload was forged", () => {
  const FORGED =
    'UPDATE ledger_payloads SET payload = \'{"output":"forged"}\' WHERE position = (SELECT position FROM ledger_commits WHERE id = ?)';
  const WHY = "the payload is not what its hash says";

  test("diff says so above what it shows and at the step, shared or compared, and ends as a failure", async () => {
    using world = await damaged(FORGED, 2);
    const { at, first, broken, tip } = world;
    const fault = `✗ The chain up to ${tip} does not verify at ${broken}: ${WHY}\n`;
    const compared = await at.typed("diff", first, tip);
    expect(compared).toMatchObject({ code: 1, out: expect.stringContaining(`B  ${fault}`) });
    expect(compared.out.startsWith("B  ✗")).toBe(true);
    expect(compared.out).toContain(`step 2: only in B\n  B  ✗ ${WHY}\n  + forged\n`);
    expect(compared.out).toContain("What is marked ✗ is what the server holds; it is not,");
    expect(compared.out).not.toContain("A  ✗");

    const shared = await at.typed("diff", tip, tip);
    expect(shared).toMatchObject({ code: 1, out: expect.stringContaining(`A  ${fault}B  ${fault}`) });
    expect(shared.out).toContain("\nidentical by what their hashes say\n");
    expect(shared.out).toContain(`step 2: unchanged\n  A  ✗ ${WHY}\n  B  ✗ ${WHY}\n  - forged\n  + forged\n`);
    expect(shared.out).toContain(`darkmatter verify ${tip} --server`);
    for (const more of [["--model-only"], ["--step", "1"]])
      expect(await at.typed("diff", tip, tip, ...more)).toMatchObject({
        code: 1,
        out: expect.stringContaining(fault),
      });
    expect((await at.json("diff", tip, first)).said).toMatchObject({ brokenAtA: broken, chainIntactB: true });
  });

  test("export writes it, and says that it does not verify, where and why", async () => {
    using world = await damaged(FORGED, 2);
    const { at, broken, tip } = world;
    const { code, out } = await at.typed("export", tip, "--server", "-o", "broken.json");
    const fault = `The chain up to ${tip} does not verify at ${broken}: ${WHY}`;
    expect([code, out]).toEqual([1, expect.stringContaining(`${fault}. No check of this file will pass.\n`)]);
    expect(out).not.toContain("Anybody can check it");
    expect(at.read("broken.json")).toContain('"chain_intact":false');
    const json = await at.json("export", tip, "--server", "-o", "broken.json", "--force");
    expect(json).toMatchObject({ code: 1, said: { chain_intact: false, fault } });
    const checked = await at.typed("verify", "broken.json");
    const named = `integrity.chain_intact is not true: the file calls ${broken} broken (${WHY})`;
    expect([checked.code, checked.out]).toEqual([1, expect.stringContaining(`${named}\n`)]);
  });

  test("it is published only by whoever agrees to what its page will say", async () => {
    using world = await damaged(FORGED, 2);
    const { at, broken, tip } = world;
    const warning = `The chain up to ${tip} does not verify at ${broken}: ${WHY}. Its page will say so.`;
    for (const command of ["share", "open"]) {
      const asked = await at.typed(command, tip);
      expect(asked).toMatchObject({ code: 1, out: expect.stringContaining(`${warning}\n`) });
    }
    expect((await at.json("shares", "list")).said.shares).toEqual([]);
    expect(await at.json("share", tip, "--yes")).toMatchObject({ code: 1, said: { warning } });
    expect(await at.json("open", tip, "--yes")).toMatchObject({ code: 1, said: { warning } });
    expect((await at.json("shares", "list")).said.shares).toHaveLength(2);
  });

  test("fork names the step behind which nothing is forked", async () => {
    using world = await damaged(FORGED, 2);
    const { at, broken, tip } = world;
    const { code, said } = await at.json("fork", tip);
    expect([code, said.error]).toEqual([
      1,
      expect.stringContaining(`Step 2 of the chain (${broken}) does not verify: ${WHY}.`),
    ]);
  });
});

test("a payload that is no JSON any more is not called pruned, and a pruned one is not called broken", async () => {
  using broken = await damaged(NO_JSON, 2);
  const replay = await broken.at.typed("replay", broken.tip, "--full");
  expect(replay.out).toContain(
    "       (the server could not read its payload: the payload is not what its hash says)\n",
  );
  expect((await broken.at.typed("lineage", broken.tip)).out).toContain("CHAIN BROKEN");
  expect((await broken.at.typed("diff", broken.first, broken.tip)).out).toContain(
    "  + (the server could not read its payload: the payload is not what its hash says)\n",
  );
  using pruned = await damaged(PRUNED, 2);
  await tamper(GONE, pruned.broken);
  const { code, out } = await pruned.at.typed("replay", pruned.tip, "--full");
  expect([code, out]).toEqual([0, expect.stringContaining("       (its payload was pruned)\n")]);
});
