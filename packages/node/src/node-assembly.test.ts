import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier } from "@darkmatter/identity";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { toolHarness } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";
import { nodeAssembly } from "./node-assembly.ts";

const PEER = "b0".repeat(32);

async function node() {
  const db = await openSqlite({ path: ":memory:" });
  await migrate(db, [...storeMigrations, ...nodeAssembly.migrations]);
  const layer = nodeAssembly.create({
    db,
    clock: virtualClock({ startMs: Date.parse("2026-11-21T10:00:00Z") }),
    random: seededRandom(1),
    signer: createSigner(new Uint8Array(32).fill(7)),
    verifier: createVerifier({ threads: "never" }),
    wire: { request: () => Promise.reject(new Error("nothing is sent")), close: async () => undefined },
    config: { ...parseConfig({}), passportPath: "/passport" },
    listening: () => undefined,
    bundleFiles: { keep: async (name) => name, read: async () => new Uint8Array() },
    report: () => undefined,
    lanAddresses: () => [],
    serving: () => undefined,
  });
  await layer.start();
  return { db, layer, tools: toolHarness(layer.tools), [Symbol.asyncDispose]: () => db.close() };
}

test("acts of the mesh are commits of the ledger, and then there is something to prove", async () => {
  await using ana = await node();
  expect(ana.tools.names("before")).not.toContain("darkmatter_prove");
  await ana.tools.call("darkmatter_set_impression", { agent_id: PEER, score: 0.5, note: "quick" });
  expect(ana.tools.names("after")).toContain("darkmatter_prove");
  const [commit] = (await ana.layer.ledger?.commits.recent(ana.db, 5)) ?? [];
  expect(commit).toMatchObject({ position: 0, trace: PEER });
  expect(await ana.tools.call("darkmatter_prove", { about: PEER })).toMatchObject({
    success: true,
    steps: 1,
  });
});

test("a stop signs what was not signed yet", async () => {
  await using ana = await node();
  await ana.tools.call("darkmatter_set_impression", { agent_id: PEER, score: 0.5, note: "quick" });
  expect((await ana.layer.ledger?.state(ana.db))?.checkpoint).toBeUndefined();
  await ana.layer.stop();
  expect((await ana.layer.ledger?.state(ana.db))?.checkpoint).toMatchObject({ tree_size: 1 });
});

test("an agent that looks at its status hears whose history is split", async () => {
  await using ana = await node();
  const before = await ana.tools.call("darkmatter_status");
  expect(before.text).not.toContain(PEER);
  await ana.db.write((tx) =>
    tx.run(
      `INSERT INTO ledger_evidence (agent_id, first, second, recorded_at, from_agent_id, told)
       VALUES (?, '{}', '{}', '2026-11-21T10:00:00Z', NULL, 1)`,
      PEER,
    ),
  );
  const after = await ana.tools.call("darkmatter_status");
  expect(after.text).toContain(`ACTION: Agent ${PEER} signed two logs that cannot both be true`);
});

test("both layers answer under one limit of requests", async () => {
  await using ana = await node();
  const paths = ana.layer.routes.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["/__darkmatter__/message", "/__darkmatter__/checkpoint"]));
  expect(new Set(paths).size).toBeGreaterThan(15);
  const guards = ana.layer.routes.find(({ path }) => path === "/__darkmatter__/checkpoint")?.guards ?? [];
  let refused: number | undefined;
  for (let times = 0; times <= 200 && refused === undefined; times++) {
    for (const guard of guards) refused ??= (await guard({} as never))?.status;
  }
  expect(refused).toBe(429);
});
