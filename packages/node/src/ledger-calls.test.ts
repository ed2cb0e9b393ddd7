import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier } from "@darkmatter/identity";
import type { Handler } from "@darkmatter/net";
import {
  type MemoryInternet,
  type MemoryWebRtc,
  memoryInternet,
  memoryWebRtc,
} from "@darkmatter/net/testing";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { createHandler } from "@darkmatter/surface";
import { toolHarness } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";
import { nodeAssembly } from "./node-assembly.ts";

interface World {
  readonly clock: VirtualClock;
  readonly internet: MemoryInternet;
  readonly channels: MemoryWebRtc;
}

/** A whole node, ledger and all, on a machine of its own. */
async function node({ clock, internet, channels }: World, at: number) {
  const db = await openSqlite({ path: ":memory:" });
  await migrate(db, [...storeMigrations, ...nodeAssembly.migrations]);
  const host = internet.host({ address: `192.168.7.${at}` });
  const signer = createSigner(new Uint8Array(32).fill(at));
  const layer = nodeAssembly.create({
    ...{ db, clock, signer, random: seededRandom(at), wire: host.wire, webRtc: channels.on(host) },
    verifier: createVerifier({ threads: "never" }),
    config: { ...parseConfig({}), passportPath: "/passport" },
    listening: () => ({ host: host.address, port: 8100 }),
    bundleFiles: { keep: async (name) => name, read: async () => new Uint8Array() },
    report: () => undefined,
    lanAddresses: () => [host.address],
    serving: () => handler,
  });
  const handler: Handler = createHandler(layer.routes, { onError: () => undefined });
  host.listen(8100, handler);
  await layer.start();
  return {
    ...{ db, host, layer, id: signer.agentId, tools: toolHarness(layer.tools) },
    async job(name: string) {
      const running = layer.jobs.find((job) => job.name === name)?.run();
      await clock.advance(15 * SECOND_MS);
      await running;
    },
  };
}

test("a witness that only a channel reaches signs a checkpoint over it", async () => {
  const clock = virtualClock({ startMs: Date.parse("2026-11-21T10:00:00Z") });
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const channels = memoryWebRtc({ clock, reaches: internet.reaches });
  const world = { clock, internet, channels };
  const [ana, bo] = [await node(world, 10), await node(world, 11)];
  const url = "http://192.168.7.11:8100";
  await ana.tools.call("darkmatter_connection", { action: "request", target_url: url });
  for (const one of [ana, bo, ana, bo]) await one.job("transports.upgrade");
  internet.lose("request", { from: ana.host.name, to: bo.host.name });

  await ana.tools.call("darkmatter_set_impression", { agent_id: bo.id, score: 0.5, note: "quick" });
  await clock.advance(2 * MINUTE_MS);
  await ana.job("ledger.witness");

  const state = await ana.layer.ledger?.state(ana.db);
  expect(state?.witnesses).toMatchObject([{ agentId: bo.id }]);
  await Promise.all([ana.db.close(), bo.db.close()]);
});
