import type { Route, RouteExample } from "@darkmatter/surface";
import { afterAll, expect, test } from "vitest";
import { type ExampleNames, exampleWorld, worldFor } from "../testing/example-world.ts";

/** Ids as nobody has them. */
const UNKNOWN: ExampleNames = {
  ctx: "ctx_1_000000000000",
  root: "ctx_2_000000000000",
  other: "ctx_3_000000000000",
  trace: "trc_unknown",
  agent: "dm_0000000000000000",
  agentName: "nobody",
  share: "share_0000000000000000",
  signingKey: "unknown-signing-key",
  agentKey: "unknown-agent-key",
};

/** What the examples of these only name as unknown. */
const PARAMETERS: Readonly<Record<string, string>> = { "/dashboard/agents/:id": "{agent}" };

const world = await exampleWorld();
const { routes } = world.server.server;
afterAll(() => world[Symbol.asyncDispose]());

/** Calls that name something of the account they are made for. */
function foreignCalls(route: Route): RouteExample[] {
  const examples = route.contract?.examples ?? [];
  const known = Object.entries(PARAMETERS).find(([path]) => route.path.startsWith(path))?.[1];
  const all = examples.flatMap((example) => {
    const { params } = example;
    return known === undefined || params === undefined
      ? [example]
      : [{ ...example, params: Object.fromEntries(Object.keys(params).map((name) => [name, known])) }];
  });
  return all.filter((example) => namesIn(example).some((name) => name in UNKNOWN));
}

const namesIn = ({ params, query, body }: RouteExample): string[] =>
  [...JSON.stringify([params, query, body]).matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);

const guarded = routes.filter(({ contract }) =>
  ["key", "session", "key or session"].includes(contract?.caller ?? ""),
);
const calls = guarded.flatMap((route) =>
  foreignCalls(route).map((example) => ({
    name: `${route.method} ${route.path}: ${example.name}`,
    route,
    example,
  })),
);

test("every route that takes an id of an account is walked", () => {
  const withIds = guarded
    .filter(({ path }) => path.includes(":"))
    .map(({ method, path }) => `${method} ${path}`);
  expect(withIds.length).toBeGreaterThan(15);
  const walked = new Set(calls.map(({ route }) => `${route.method} ${route.path}`));
  expect(withIds.filter((one) => !walked.has(one))).toEqual([]);
});

test.each(calls)("to a stranger the ids are unknown ones: $name", async ({ route, example }) => {
  const answers = [];
  for (const isTheirs of [true, false]) {
    await using own = await worldFor(route, world);
    const names = isTheirs ? own.names : { ...own.names, ...UNKNOWN };
    const { status, text, headers } = await own.run(route, example, own.stranger, names);
    const ids = Object.keys(UNKNOWN).flatMap((name) => names[name] ?? []);
    answers.push([status, Object.keys(headers).sort(), withoutIds(text, ids)]);
  }
  expect(answers[0]).toEqual(answers[1]);
});

/** What was asked for may come back in the answer, as it was asked. */
const withoutIds = (text: string, ids: readonly string[]) =>
  ids.toSorted((a, b) => b.length - a.length).reduce((rest, id) => rest.replaceAll(id, "ID"), text);

test("what a stranger tries leaves everything as it was", async () => {
  await using own = await exampleWorld();
  const tables = ["ledger_commits", "ledger_shares", "ledger_signing_key_ends", "ledger_agent_key_events"];
  const rows = () =>
    Promise.all([
      ...tables.map((table) => own.server.db.all(`SELECT * FROM ${table}`)),
      own.server.db.all(
        "SELECT id, key_hash, ended_ms, webhook_url, retention_days FROM ledger_agents ORDER BY id",
      ),
    ]);
  const before = await rows();
  for (const { route, example } of calls) await own.run(route, example, own.stranger);
  expect(await rows()).toEqual(before);
});
