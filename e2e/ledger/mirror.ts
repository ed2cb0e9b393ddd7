import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { httpAgent } from "../agents.ts";
import { until } from "../checks.ts";
import { freePorts, type World } from "../world.ts";
import { type Any, call } from "./calls.ts";

const MIRRORED_MS = 30_000;
const SECRET = "the words that stay at home";

/** A node that mirrors its log: every act arrives, with the hashes it has at home and none of its words. */
export async function checkMirror(world: World, url: string, key: string, engine: string): Promise<void> {
  const [anaPort = 0, boPort = 0] = await freePorts(2);
  const home = world.home(`mirror-ana-${engine}`, anaPort, {
    DARKMATTER_LEDGER_URL: url,
    DARKMATTER_API_KEY: key,
  });
  const ana = await world.up(home);
  const bo = await world.up(world.home(`mirror-bo-${engine}`, boPort));
  try {
    const agent = await httpAgent(ana.url, "2.x modern");
    await agent.ask("connection", { action: "request", target_url: bo.url });
    const { message_id } = await agent.ask("send_message", { content: SECRET, target_agent_id: bo.agentId });
    await until("the message and its receipt are in the log", async () => {
      const { json } = await world.command(home, "replay", message_id);
      return json?.steps?.length > 1;
    });
    const bundle = await exported(world, home, message_id);
    const found = await until(
      "all of it is mirrored",
      async () => {
        const answer = await call(`${url}/api/search?traceId=${message_id}`, { bearer: key });
        return answer.total >= bundle.chain.length ? answer : undefined;
      },
      MIRRORED_MS,
    );
    const tip = found.results.find((one: Any) => one.integrity.integrity_hash === bundle.integrity.tip_hash);
    const replay = await call(`${url}/api/replay/${tip.id}`, { bearer: key });
    assert.deepEqual(
      replay.replay.map((step: Any) => step.integrity.integrity_hash),
      bundle.chain.map((step: Any) => step.integrity.integrity_hash),
    );
    const { result } = await call(`${url}/api/commits/${tip.id}/signature`, { bearer: key });
    assert.equal(result, "valid");
    assert.ok(!JSON.stringify(replay).includes(SECRET));
    const { json: status } = await world.command(home, "status");
    assert.equal(JSON.stringify(status).includes(key), false);
  } finally {
    await Promise.all([ana.stop(), bo.stop()]);
  }
}

async function exported(world: World, home: Parameters<World["command"]>[0], id: string): Promise<Any> {
  const path = join(world.folder, `${home.name}-${id}.json`);
  const { code, stderr } = await world.command(home, "export", id, "-o", path);
  assert.equal(code, 0, stderr);
  return JSON.parse(readFileSync(path, "utf8"));
}
