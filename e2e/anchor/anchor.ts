import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { type Checks, until } from "../checks.ts";
import { createNetwork, type Machine, namespacesMissing } from "../netns.ts";
import { befriend, levelOf, type Peer, PORT, startPeer, talk } from "../peers.ts";
import { createWorld, type World } from "../world.ts";

const ANCHOR = "http://5.6.7.9:5001";
const BO = "5.6.7.20";
/** Whoever cannot be called asks its anchor every 5 s. */
const FETCHED_MS = 20_000;
const TALK_MS = 45_000;
const SETTINGS = {
  DARKMATTER_ANCHOR_NODES: ANCHOR,
  DARKMATTER_DISCOVERY: "false",
  DARKMATTER_IP_SERVICE: "none",
  DARKMATTER_PORT_MAPPING: "false",
  DARKMATTER_STUN: "none",
  DARKMATTER_WEBRTC: "false",
};

/** A node behind a NAT box that lets nobody in, one in the open, and an anchor; no data channels. */
export async function runAnchor({ check, skip }: Checks): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    skip("anchor: a node behind NAT, one in the open and an anchor, each in a network namespace", missing);
    return;
  }
  using network = createNetwork();
  await using world = createWorld();
  const internet = await network.bridge("internet");
  const lan = await network.bridge("lan");
  const machines = {
    ana: await network.machine("ana"),
    bo: await network.machine("bo"),
    anchor: await network.machine("anchor"),
  };
  await network.plug(machines.ana, lan, "eth0", "10.0.0.2/24", "10.0.0.1");
  await network.plug(machines.bo, internet, "eth0", `${BO}/24`);
  await network.plug(machines.anchor, internet, "eth0", "5.6.7.9/24");
  const inside = { inside: lan, insideAddress: "10.0.0.1/24" };
  await network.nat("router", {
    ...inside,
    outside: internet,
    outsideAddress: "5.6.7.1/24",
    ports: "random",
  });

  let anchor = await serve(world, machines.anchor);
  const [ana, bo] = await Promise.all([
    startPeer(world, machines.ana, "ana", SETTINGS),
    startPeer(world, machines.bo, "bo", SETTINGS),
  ]);
  const isConnected = await check(
    "anchor: an acceptance that reaches nobody is fetched from the anchor",
    () => befriend(ana, bo, `http://${BO}:${PORT}`),
    FETCHED_MS + 20_000,
  );
  if (!isConnected) return;

  await check(
    "anchor: a message to the node behind NAT goes by the anchor, sealed, and is answered",
    async () => {
      await talk(bo, ana, TALK_MS);
      assert.equal((await levelOf(bo, ana))?.method, "anchor-msg-relay");
    },
    TALK_MS + 10_000,
  );
  await check(
    "anchor: what becomes of a message from behind NAT comes back by the anchor",
    () => talk(ana, bo, TALK_MS),
    TALK_MS + 10_000,
  );

  await check(
    "anchor: what it holds outlives its death, and arrives once",
    async () => {
      // Its session would be the node in the node's place.
      await ana.agent.close();
      await ana.node.kill();
      const { message_id: id } = await bo.agent.ask("send_message", {
        content: "kept",
        target_agent_id: ana.id,
      });
      await until("it lies with the anchor", async () =>
        (await sentBy(bo, id)).includes('"transport":"anchor"'),
      );
      anchor.kill();
      anchor = await serve(world, machines.anchor);
      const again = await startPeer(world, machines.ana, "ana", SETTINGS);
      const inbox = async () => (await again.agent.ask("list_inbox")).messages as { message_id: string }[];
      const has = async () => (await inbox()).some((one) => one.message_id === id);
      await until("ana has it", has, FETCHED_MS);
      await until("bo knows", async () => (await sentBy(bo, id)).includes('"stored"'), FETCHED_MS);
      assert.equal((await inbox()).filter((one) => one.message_id === id).length, 1);
    },
    3 * FETCHED_MS + 20_000,
  );
}

async function sentBy({ agent }: Peer, id: string): Promise<string> {
  return JSON.stringify(await agent.ask("get_sent_message", { message_id: id }));
}

/** An anchor of one home, each time the same. */
async function serve(world: World, machine: Machine): Promise<{ kill(): void }> {
  const home = { ...world.home("anchor", 5001), enter: machine.enter };
  const child = world.start(home, ["serve", "anchor", "--host", "0.0.0.0", "--port", "5001", "--json"]);
  if (!child.stdout) throw new Error("no output");
  for await (const line of createInterface({ input: child.stdout })) {
    assert.ok(JSON.parse(line).url);
    break;
  }
  return { kill: () => void child.kill("SIGKILL") };
}
