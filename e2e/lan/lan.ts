import assert from "node:assert/strict";
import { type Checks, until } from "../checks.ts";
import { block, createNetwork, namespacesMissing } from "../netns.ts";
import { ALONE, befriend, type Level, PORT, reachLevel, startPeer, stopPeer, talk } from "../peers.ts";
import { createWorld } from "../world.ts";

const NAMES = ["ana", "bo"] as const;
const ADDRESSES = { ana: "10.20.0.1", bo: "10.20.0.2" } as const;
const BY_CHANNEL: Level = { transport: "webrtc", method: "lan-webrtc", level: 2 };
const FOUND_MS = 40_000;
const UPGRADED_MS = 30_000;
/** Beacons come every half minute. */
const SIGNALLED_MS = 75_000;
const TALK_MS = 15_000;

/** Two machines on one switch, with nothing else: no server, no address told by hand. */
export async function runLan({ check, skip }: Checks): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    skip("lan: two nodes in two network namespaces", missing);
    return;
  }
  using network = createNetwork();
  await using world = createWorld();
  const lan = await network.bridge("lan");
  const machines = { ana: await network.machine("ana"), bo: await network.machine("bo") };
  for (const name of NAMES) await network.plug(machines[name], lan, "eth0", `${ADDRESSES[name]}/24`);
  const start = (name: (typeof NAMES)[number]) => startPeer(world, machines[name], name, ALONE);
  const [ana, bo] = await Promise.all([start("ana"), start("bo")]);

  let url = "";
  const isFound = await check(
    "lan: a node finds the other by its beacon alone",
    async () => {
      const seen = await until(
        "ana sees bo",
        async () => {
          const { peers } = await ana.agent.ask("discover_local");
          return peers.find((one: { agent_id: string }) => one.agent_id === bo.id);
        },
        FOUND_MS,
      );
      assert.equal(seen.url, `http://${ADDRESSES.bo}:${PORT}`);
      assert.equal(seen.source, "lan");
      url = seen.url;
    },
    FOUND_MS + 5000,
  );
  if (!isFound) return;

  await check(
    "lan: they connect, open a data channel, and list_connections says so",
    async () => {
      await befriend(ana, bo, url);
      await reachLevel(ana, bo, BY_CHANNEL, UPGRADED_MS);
    },
    UPGRADED_MS + 10_000,
  );

  await check(
    "lan: they talk both ways, with replies, over the channel: nothing else passes",
    async () => {
      await using _ana = await block(machines.ana, "tcp");
      await using _bo = await block(machines.bo, "tcp");
      await talk(ana, bo, TALK_MS);
      await talk(bo, ana, TALK_MS);
    },
    4 * TALK_MS,
  );

  await check(
    "lan: started again where no HTTP passes, they signal by multicast and talk",
    async () => {
      await Promise.all([stopPeer(ana), stopPeer(bo)]);
      await using _ana = await block(machines.ana, "tcp");
      await using _bo = await block(machines.bo, "tcp");
      const [again, boAgain] = await Promise.all([start("ana"), start("bo")]);
      await reachLevel(again, boAgain, BY_CHANNEL, SIGNALLED_MS);
      await talk(again, boAgain, TALK_MS);
      await talk(boAgain, again, TALK_MS);
    },
    SIGNALLED_MS + 4 * TALK_MS,
  );
}
