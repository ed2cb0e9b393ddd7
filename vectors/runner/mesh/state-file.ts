import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import type { MeshConfig } from "@darkmatter/mesh";
import { type TestNode, testNode } from "@darkmatter/mesh/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import { nodeFiles } from "@darkmatter/store";
import { type Outcome, ran } from "../outcome.ts";

interface Document {
  readonly now: string;
  readonly file: JsonObject;
  readonly file_has_private_key: boolean;
  readonly mode: string;
  readonly legacy: { readonly file: JsonObject; readonly loaded: Loaded };
}

interface Loaded {
  readonly wallets: Json;
  readonly addresses: Json;
  readonly impression: Json;
  readonly responses: Json;
  readonly router_mode?: string;
}

/** The first generation's state file (mesh.md 16): read, and written again as it was but for the inbox. */
export async function* stateFile(document: Json): AsyncIterable<Outcome> {
  const { now, file, file_has_private_key: hasKey, mode, legacy } = document as unknown as Document;

  yield ran("written as it was read", async (found) => {
    await using node = await nodeWith(file, now);
    const again = await written(node, file);
    const expected = { ...file, pools: withoutCredentials(file.pools), message_queue: [] };
    found.like("file", again, expected, { extraKeys: [] });
    found.equal("a private key in it", "private_key_hex" in again, hasKey);
  });

  yield ran("the file's mode", async (found) => {
    const folder = await mkdtemp(join(tmpdir(), "darkmatter-vectors-"));
    try {
      await using node = await nodeWith(file, now);
      const path = join(folder, "state.json");
      await nodeFiles.replace(path, await node.mesh.stateFiles.write(node.db));
      found.equal("mode", ((await stat(path)).mode & 0o777).toString(8), mode);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  yield ran("fields of older versions", async (found) => {
    await using node = await nodeWith(legacy.file, now);
    const { connections, impressions, sent_messages: sent, ...rest } = await written(node, legacy.file);
    const first = (named: Json | undefined, of: Json | undefined) =>
      ((named ?? {}) as Record<string, JsonObject>)[Object.keys((of ?? {}) as JsonObject)[0] ?? ""];
    const connection = first(connections, legacy.file.connections);
    found.like("wallets", connection?.wallets, legacy.loaded.wallets);
    found.like("addresses", connection?.addresses, legacy.loaded.addresses);
    found.like("impression", first(impressions, legacy.file.impressions), legacy.loaded.impression);
    found.like("responses", first(sent, legacy.file.sent_messages)?.responses, legacy.loaded.responses);
    found.holds("no private key is kept", !("private_key_hex" in rest));
  });
  if (legacy.loaded.router_mode !== undefined) {
    const { router_mode: expected } = legacy.loaded;
    yield ran("router mode of older versions", async (found) => {
      // Never taken from the file: from the environment, else the default.
      await using node = await nodeWith(legacy.file, now, { routerMode: undefined });
      const shown = await node.tool("owner_rules_list", {}, { session: "owner" });
      found.equal("router mode", shown.mode, expected);
      found.like("rules", shown.rules, legacy.file.routing_rules ?? null, { extraKeys: [] });
    });
  }
}

/** @NOTE the reference writes them out; ours keeps them in the database alone (S11). */
function withoutCredentials(pools: Json | undefined): Json {
  const bare = (provider: JsonObject) => ({ ...provider, credential_value: "" });
  return ((pools ?? []) as JsonObject[]).map((pool) => ({
    ...pool,
    providers: (pool.providers as JsonObject[]).map(bare),
  }));
}

/** The file names an agent whose key nobody knows: ours takes its place while it is read. */
async function nodeWith(file: JsonObject, now: string, config: Partial<MeshConfig> = {}): Promise<TestNode> {
  const clock = virtualClock({ startMs: parseTime(now) ?? 0 });
  const random = seededRandom(1);
  const { wire } = memoryInternet({ clock, random }).host({ address: "192.168.7.1" });
  const place = { host: "127.0.0.1", port: Number(file.port) };
  const node = await testNode({ clock, random, wire, seed: "5d".repeat(32), ...place, config });
  const source = JSON.stringify(file).replaceAll(String(file.agent_id), node.id);
  await node.db.write((tx) => node.mesh.stateFiles.load(tx, source));
  return node;
}

async function written(node: TestNode, { agent_id: agentId }: JsonObject): Promise<JsonObject> {
  const text = await node.mesh.stateFiles.write(node.db);
  return JSON.parse(text.replaceAll(node.id, String(agentId))) as JsonObject;
}
