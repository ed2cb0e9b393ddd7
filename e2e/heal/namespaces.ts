import { stdioAgent } from "../agents.ts";
import { type Checks, sleep, until } from "../checks.ts";
import { createNetwork, namespacesMissing } from "../netns.ts";
import { ALONE, befriend, type Peer, PORT, talk } from "../peers.ts";
import type { World } from "../world.ts";

const TALK_MS = 15_000;
/** An address is looked at each 5 s; the rest is told at once. */
const MOVED_MS = 12_000;
/** No data channel hides what HTTP has to do. */
const PLAIN = { ...ALONE, DARKMATTER_WEBRTC: "false" };

/** Address change, and link down and up, on machines of their own. */
export async function healInNamespaces(world: World, { check, skip }: Checks): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    skip("heal: address change and link down and up between namespaces", missing);
    return;
  }
  using network = createNetwork();
  const lan = await network.bridge("lan");
  const machines = { ana: await network.machine("ana"), bo: await network.machine("bo") };
  await network.plug(machines.ana, lan, "eth0", "10.30.0.1/24");
  await network.plug(machines.bo, lan, "eth0", "10.30.0.2/24");
  const start = async (name: "ana" | "bo"): Promise<Peer> => {
    const home = { ...world.home(`ns-${name}`, PORT, PLAIN), enter: machines[name].enter };
    const node = await world.up(home, "--lan");
    const peer = { name, id: node.agentId, node, agent: await stdioAgent(world, home, "2.x auto") };
    return peer;
  };
  const [ana, bo] = await Promise.all([start("ana"), start("bo")]);
  const urlOfBo = async () => {
    const { connections } = await ana.agent.ask("list_connections");
    return connections.find((one: { agent_id: string }) => one.agent_id === bo.id)?.agent_url as string;
  };

  await check(
    "heal: two machines talk",
    async () => {
      await befriend(ana, bo, "http://10.30.0.2:8100");
      await talk(ana, bo, TALK_MS);
    },
    60_000,
  );
  await check(
    "heal: a machine gets another address: its peer knows, and they talk both ways",
    async () => {
      await network.unplug(machines.bo, "eth0");
      await network.plug(machines.bo, lan, "eth0", "10.30.0.77/24");
      await until("ana knows", async () => (await urlOfBo()).startsWith("http://10.30.0.77:"), MOVED_MS);
      await talk(ana, bo, TALK_MS);
      await talk(bo, ana, TALK_MS);
    },
    90_000,
  );
  await check(
    "heal: a cable is out for a while: what was sent meanwhile arrives once it is back",
    async () => {
      await machines.bo.run("ip link set eth0 down");
      const sent = await ana.agent.ask("send_message", { content: "later", target_agent_id: bo.id });
      await sleep(8000);
      await machines.bo.run("ip link set eth0 up");
      await until(
        "bo has it",
        async () => {
          const { messages } = await bo.agent.ask("list_inbox");
          return messages.some((one: { message_id: string }) => one.message_id === sent.message_id);
        },
        MOVED_MS,
      );
    },
    90_000,
  );
}
