import type { JsonObject } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier } from "@darkmatter/identity";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createHandler } from "@darkmatter/surface";
import { callHandler, toolHarness } from "@darkmatter/surface/testing";
import { describe, expect, test } from "vitest";
import type { NodePorts } from "./assembly.ts";
import { bootstrapping } from "./bootstrap/bootstrapping.ts";
import { parseConfig } from "./config.ts";
import { nodeAssembly } from "./node-assembly.ts";

/** What an agent's context is spent on before it has done anything. */
const FIRST_MET_TOOLS_MAX = 18;
const LIST_BYTES_MAX = 16_384;
const DESCRIPTION_CHARACTERS_MAX = 300;

const TIME = "2026-11-21T10:00:00+00:00";
const keyOf = (at: number) => createSigner(new Uint8Array(32).fill(at)).agentId;

/** What a node can be like, as far as it decides which tools are seen. */
interface State {
  readonly connections: number;
  readonly wallet: boolean;
  readonly pending: boolean;
  readonly sent: boolean;
  readonly shard: boolean;
  readonly inactive: boolean;
}

const FRESH: State = {
  connections: 0,
  wallet: false,
  pending: false,
  sent: false,
  shard: false,
  inactive: false,
};

const never = () => Promise.reject(new Error("nothing is asked of it"));
const WALLET: NonNullable<NodePorts["wallets"]>[number] = {
  chain: "solana",
  address: "11111111111111111111111111111111",
  isAddress: () => true,
  normalSignature: (text) => text,
  balance: never,
  decimals: never,
  prepare: never,
  submit: never,
  status: never,
  lookup: never,
};

/** A whole node in a state, and its tools as a session meets them. */
async function met(state: State) {
  const db = await openSqlite({ path: ":memory:" });
  await migrate(db, [...storeMigrations, ...nodeAssembly.migrations]);
  const clock = virtualClock({ startMs: Date.parse(TIME) });
  const signer = createSigner(new Uint8Array(32).fill(7));
  const made = nodeAssembly.create({
    db,
    clock,
    random: seededRandom(1),
    signer,
    verifier: createVerifier({ threads: "never" }),
    wire: { request: never, stream: never, close: async () => undefined },
    config: { ...parseConfig({}), passportPath: "/passport" },
    listening: () => ({ host: "127.0.0.1", port: 8100 }),
    bundleFiles: { keep: async (name) => name, read: async () => new Uint8Array() },
    report: () => undefined,
    lanAddresses: () => [],
    serving: () => undefined,
    wallets: state.wallet ? [WALLET] : [],
  });
  const bundle = async () => ({ bytes: new Uint8Array(), sha256: "" });
  const layer = bootstrapping(made, { bundle, clock, base: () => undefined });
  await db.write((tx) => layer.stateFiles.load(tx, JSON.stringify(stateFile(signer.agentId, state))));
  await layer.start();
  const tools = toolHarness(layer.tools);
  const owner = { session: "doing" };
  if (state.pending) {
    const body = { from_agent_id: keyOf(99), from_agent_url: "https://far.example", from_agent_bio: "hi" };
    const handler = createHandler(layer.routes, { onError: () => undefined });
    const asked = {
      method: "POST",
      path: "/__darkmatter__/connection_request",
      body,
      remote: "5.6.7.8",
    } as const;
    expect((await callHandler(handler, asked)).status).toBe(200);
  }
  if (state.shard) {
    await tools.call("darkmatter_create_shard", { content: "noted", tags: ["a"] }, owner);
  }
  if (state.inactive) await tools.call("darkmatter_set_status", { status: "inactive" }, owner);
  await tools.call("darkmatter_get_identity", {}, owner);
  return {
    listed: tools.list("fresh"),
    names: tools.names("fresh").map((name) => name.replace(/^darkmatter_/, "")),
    all: layer.tools.tools,
    [Symbol.asyncDispose]: async () => {
      await layer.stop();
      await db.close();
    },
  };
}

function stateFile(agentId: string, { connections, sent }: State): JsonObject {
  const ids = Array.from({ length: connections }, (_, at) => keyOf(20 + at));
  const connection = (id: string) => ({ agent_id: id, agent_url: "http://127.0.0.1:9", connected_at: TIME });
  const message = {
    message_id: "msg-1",
    content: "hello",
    status: "active",
    routed_to: [],
    created_at: TIME,
  };
  return {
    agent_id: agentId,
    connections: Object.fromEntries(ids.map((id) => [id, connection(id)])),
    sent_messages: sent ? { "msg-1": message } : {},
  };
}

const ALWAYS = [
  "get_identity list_inbox get_message send_message respond_message list_connections connection update_bio",
  "status list_pending_requests wait_for_response",
];

/** The table of mesh.md 15: when which tools are seen. */
const SEEN_WHEN: ReadonlyArray<readonly [string, (state: State) => boolean]> = [
  [ALWAYS.join(" "), () => true],
  ["set_impression get_impression ask_impression", (state) => state.connections > 0 || state.pending],
  ["discover_domain discover_local network_info get_server_template", (state) => state.connections < 2],
  ["list_messages get_sent_message expire_message", (state) => state.sent],
  ["set_status", (state) => state.inactive],
  ["set_rate_limit", (state) => state.connections >= 3],
  ["create_shard", (state) => state.connections > 0],
  ["view_shards", (state) => state.shard],
  ["wallet_balances set_superagent", (state) => state.wallet],
  ["get_balance", (state) => state.wallet],
  ["send_sol send_token wallet_send", (state) => state.wallet && state.connections > 0],
];
/** Ours, beside the table's. */
const EXTRA = ["prove"];

const STATES: readonly State[] = [0, 1, 2, 3].flatMap((connections) =>
  [false, true].flatMap((wallet) => [
    { ...FRESH, connections, wallet },
    { ...FRESH, connections, wallet, pending: true },
    { ...FRESH, connections, wallet, sent: true },
    { ...FRESH, connections, wallet, shard: true },
    { ...FRESH, connections, wallet, inactive: true },
    { connections, wallet, pending: true, sent: true, shard: true, inactive: true },
  ]),
);

const named = (state: State) =>
  Object.entries(state)
    .filter(([, value]) => value !== false)
    .map(([name, value]) => (value === true ? name : `${value} ${name}`))
    .join(", ");

describe("tools are seen when the table says so, and no others", () => {
  test.each(STATES.map((state) => [named(state), state] as const))("%s", async (_name, state) => {
    await using node = await met(state);
    const expected = SEEN_WHEN.flatMap(([names, when]) => (when(state) ? names.split(" ") : []));
    expect(node.names.filter((name) => !EXTRA.includes(name)).sort()).toEqual(expected.sort());
    expect(Buffer.byteLength(JSON.stringify({ tools: node.listed }))).toBeLessThanOrEqual(LIST_BYTES_MAX);
  });
});

test.each([false, true])(
  `an agent first meets at most ${FIRST_MET_TOOLS_MAX} tools (wallet: %s)`,
  async (wallet) => {
    await using node = await met({ ...FRESH, wallet });
    expect(node.names.length).toBeLessThanOrEqual(FIRST_MET_TOOLS_MAX);
    expect(node.names).not.toContain("prove");
  },
);

test("every description says in the agent's words when to use the tool, and is short", async () => {
  await using node = await met({ ...FRESH, wallet: true });
  expect(node.all.length).toBeGreaterThan(30);
  // Those of the owner's commands are met by no agent.
  for (const { name, description } of node.all.filter(({ audience }) => audience !== "owner")) {
    const text =
      typeof description === "string" ? description : (description().split("\n\nLIVE STATUS: ")[0] ?? "");
    expect(text, name).toMatch(/\bUse (this|it) /);
    expect(text.length, name).toBeLessThanOrEqual(DESCRIPTION_CHARACTERS_MAX);
  }
});
