import type { Json, JsonObject } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import type { TestNode } from "@darkmatter/mesh/testing";
import type { Findings } from "../outcome.ts";
import type { Play, Request, Step } from "./scenario.ts";
import type { Aftermath } from "./state-after.ts";
import { type Call, openWorld, type Reply } from "./world.ts";

const OWNER = { session: "owner" };
const KEY = "5d".repeat(32);
/** A provider of the scenario; the file does not say what it answers beyond its bytes. */
const PROVIDER = "http://127.0.0.1:9002/";

/** What the provider answers: the bytes the file records in base 64. */
export function providerReply({ url }: Call, step: Step | undefined): Reply | undefined {
  const { body } = step?.response ?? {};
  if (!url.startsWith(PROVIDER) || !isProxied(body)) return undefined;
  return { status: body.status_code, body: {}, text: Buffer.from(body.body_b64, "base64").toString("utf8") };
}

const isProxied = (body: Json | undefined): body is JsonObject & { status_code: number; body_b64: string } =>
  typeof body === "object" && body !== null && "body_b64" in body && "status_code" in body;

export const isProviderDown = ({ url }: Call, step: Step | undefined): boolean =>
  url.startsWith(PROVIDER) && step?.label === "provider down";

/** What the file's author did to the node before a step, as its label says. */
export async function preparePools(step: Step, { body }: Request, { world }: Play): Promise<void> {
  const { node } = world;
  const { label, reference_weakness: weakness = "" } = step;
  const named = { pool_id: String(body?.pool_id), token_id: String(body?.access_token) };
  // The reference gives to any connected agent: here the owner has to say so.
  if (weakness.startsWith("no payment is checked")) {
    await owner(node, "pool_policy", { pool_id: named.pool_id, policy: "open", max_balance: 1 });
  }
  if (label === "after revocation") await owner(node, "pool_revoke", named);
  const set = (sql: string, ...values: string[]) => node.db.write((tx) => tx.run(sql, ...values));
  if (label === "provider down") {
    await set("UPDATE mesh_pool_tokens SET revoked = 0 WHERE token_id = ?", named.token_id);
  }
  if (label === "handler not registered") await set("UPDATE mesh_pools SET handler_type = 'streaming_llm'");
}

async function owner(node: TestNode, name: string, input: JsonObject): Promise<void> {
  const result = await node.tool(`owner_${name}`, input, OWNER);
  if (result.success !== true) throw new Error(`${name}: ${JSON.stringify(result)}`);
}

const onlyPool = ({ state }: Aftermath) => (state.pools as JsonObject[])[0];

export function checkProviderCounters(found: Findings, expected: Json, after: Aftermath): void {
  found.like("providers", onlyPool(after)?.providers, expected);
}

export function checkPoolToken(found: Findings, expected: Json, after: Aftermath): void {
  found.like("tokens", onlyPool(after)?.access_tokens, [expected]);
}

interface ShardText {
  readonly pool: JsonObject & { readonly pool_id: string };
  readonly content: string;
}

export const isShardText = (scenario: object): scenario is ShardText =>
  "pool" in scenario && "content" in scenario;

/** The text by which a pool is found: a pool changed through its owner's tools is published anew. */
export async function checkShardText(found: Findings, { pool, content }: ShardText): Promise<void> {
  const { agentId } = createSigner(KEY);
  const node = {
    private_key_hex: KEY,
    agent_id: agentId,
    display_name: "ana",
    bio: "",
    created_at: "2026-03-05T12:00:00Z",
  };
  const setup = { node: { ...node, public_url: "http://127.0.0.1:8150" }, connections: [], impressions: {} };
  await using world = await openWorld({ setup, nowMs: 0, reply: () => undefined });
  const file = { agent_id: agentId, pools: [pool] };
  await world.node.db.write((tx) => world.node.mesh.stateFiles.load(tx, JSON.stringify(file)));
  const provider = { pool_id: pool.pool_id, provider_id: "pv-3", enabled: false };
  await owner(world.node, "pool_enable_provider", provider);
  const { shared_shards: shards } = await world.state();
  found.like("shards", shards, [{ content, tags: pool.tags ?? [] }]);
}
