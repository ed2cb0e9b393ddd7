import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Checks, until, within } from "../checks.ts";
import { block, createNetwork, type Machine, type Network, namespacesMissing } from "../netns.ts";
import {
  befriend,
  type Level,
  levelOf,
  type Peer,
  PORT,
  reachLevel,
  startPeer,
  stopPeer,
  talk,
} from "../peers.ts";
import { createWorld, type World } from "../world.ts";

const STUN = join(import.meta.dirname, "children", "stun.ts");
const START_MS = 15_000;
const OPEN_MS = 60_000;
const TALK_MS = 30_000;
const ANCHOR_PORT = 5001;
const IP = { natAna: "11.0.0.11", natBo: "11.0.0.12", cy: "11.0.0.20", servers: "11.0.0.30" } as const;
const BY_PEER: Level = { transport: "webrtc", method: "peer-relay", level: 3 };
const BY_ANCHOR: Level = { transport: "webrtc", method: "anchor-relay", level: 4 };
const BY_MAIL: Level = { transport: "anchor", method: "anchor-msg-relay", level: 5 };
/** One machine tells a node how it looks from outside, and nobody else is asked. */
const SETTINGS = {
  DARKMATTER_DISCOVERY: "false",
  DARKMATTER_STUN: `stun:${IP.servers}:3478`,
  DARKMATTER_IP_SERVICE: `http://${IP.servers}:3479/`,
  DARKMATTER_PORT_MAPPING: "false",
};
const WITH_ANCHOR = { ...SETTINGS, DARKMATTER_ANCHOR_NODES: `http://${IP.servers}:${ANCHOR_PORT}` };

/** Two homes, each behind a NAT box of its own, on an internet with a STUN server and what a case adds to it. */
interface Internet {
  readonly network: Network;
  readonly world: World;
  readonly bridge: Machine;
  readonly homes: Readonly<Record<"ana" | "bo", Machine>>;
  readonly servers: Machine;
  readonly machines: Readonly<Record<"ana" | "bo", Machine>>;
}

export async function runNat({ check, skip }: Checks): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    skip("nat: nodes behind two NATs, with a peer and with an anchor between them", missing);
    return;
  }
  await check(
    "nat: a peer in the open carries the offer, and the channel leads through both NATs",
    byPeer,
    150_000,
  );
  await check("nat: with an anchor alone, the channel is offered through it", byAnchor, 150_000);
  await check("nat: where no datagram passes, sealed messages lie with the anchor", byMail, 150_000);
}

/** Ana and Bo know each other and Cy, then go home: nobody reaches either there. */
async function byPeer(): Promise<void> {
  await using internet = await createInternet();
  const cyMachine = await machineOn(internet, "cy", IP.cy);
  const cy = await startPeer(internet.world, cyMachine, "cy", SETTINGS);
  await meetOutside(internet, SETTINGS, async (ana, bo) => {
    await befriend(ana, cy, `http://${IP.cy}:${PORT}`);
    await befriend(bo, cy, `http://${IP.cy}:${PORT}`);
  });
  // A peer carries offers to agents it reaches: those it has a channel to, when they are behind NAT.
  const [ana, bo] = await goHome(internet, SETTINGS, (bo) =>
    until("cy and bo have a channel", async () => (await levelOf(cy, bo))?.transport === "webrtc", OPEN_MS),
  );
  await reachLevel(ana, bo, BY_PEER, OPEN_MS);
  await talk(ana, bo, TALK_MS);
  await talk(bo, ana, TALK_MS);
}

async function byAnchor(): Promise<void> {
  await using internet = await createInternet();
  await startAnchor(internet);
  await meetOutside(internet, WITH_ANCHOR, async () => undefined);
  const [ana, bo] = await goHome(internet, WITH_ANCHOR);
  await reachLevel(ana, bo, BY_ANCHOR, OPEN_MS);
  await talk(ana, bo, TALK_MS);
  await talk(bo, ana, TALK_MS);
}

async function byMail(): Promise<void> {
  await using internet = await createInternet();
  await startAnchor(internet);
  await meetOutside(internet, WITH_ANCHOR, async () => undefined);
  using _ana = block(internet.machines.ana, "udp");
  using _bo = block(internet.machines.bo, "udp");
  const [ana, bo] = await goHome(internet, WITH_ANCHOR);
  await talk(ana, bo, TALK_MS);
  await talk(bo, ana, TALK_MS);
  await reachLevel(ana, bo, BY_MAIL, OPEN_MS);
}

async function createInternet(): Promise<Internet & AsyncDisposable> {
  const cleanUp = new AsyncDisposableStack();
  const network = cleanUp.use(createNetwork());
  const world = cleanUp.use(createWorld());
  const bridge = await network.bridge("internet");
  const homes = { ana: await network.bridge("home of ana"), bo: await network.bridge("home of bo") };
  const nat = (name: "ana" | "bo", inside: string, outside: string) =>
    network.nat(`nat of ${name}`, {
      inside: homes[name],
      insideAddress: `${inside}/24`,
      outside: bridge,
      outsideAddress: `${outside}/24`,
      ports: "steady",
    });
  await nat("ana", "192.168.1.1", IP.natAna);
  await nat("bo", "192.168.2.1", IP.natBo);
  const machines = { ana: await network.machine("ana"), bo: await network.machine("bo") };
  const parts = { network, world, bridge, homes, machines };
  const servers = await machineOn(parts, "servers", IP.servers);
  await ready(cleanUp, servers, [STUN]);
  return { ...parts, servers, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
}

async function machineOn(
  { network, bridge }: Pick<Internet, "network" | "bridge">,
  name: string,
  address: string,
): Promise<Machine> {
  const machine = await network.machine(name);
  network.plug(machine, bridge, "eth0", `${address}/24`);
  return machine;
}

/** Starts a server that says so in a line, and ends with its input. */
async function ready(
  cleanUp: AsyncDisposableStack,
  machine: Machine,
  argv: readonly string[],
): Promise<void> {
  const [file = "", ...args] = [...machine.enter, process.execPath, ...argv];
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  cleanUp.defer(() => void child.kill("SIGKILL"));
  await firstLine(child);
}

async function firstLine(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  await within(START_MS, new Promise<void>((done) => lines.once("line", () => done())));
}

async function startAnchor({ world, servers }: Internet): Promise<void> {
  const home = { ...world.home("anchor", ANCHOR_PORT), enter: servers.enter };
  const argv = ["serve", "anchor", "--host", "0.0.0.0", "--port", `${ANCHOR_PORT}`, "--json"];
  await firstLine(world.start(home, argv));
}

/** Both get to know each other where everybody reaches everybody. */
async function meetOutside(
  { network, world, bridge, machines }: Internet,
  settings: Readonly<Record<string, string>>,
  more: (ana: Peer, bo: Peer) => Promise<void>,
): Promise<void> {
  network.plug(machines.ana, bridge, "eth0", "11.0.0.101/24");
  network.plug(machines.bo, bridge, "eth0", "11.0.0.102/24");
  const [ana, bo] = await Promise.all([
    startPeer(world, machines.ana, "ana", settings),
    startPeer(world, machines.bo, "bo", settings),
  ]);
  await befriend(ana, bo, `http://11.0.0.102:${PORT}`);
  await more(ana, bo);
  await Promise.all([stopPeer(ana), stopPeer(bo)]);
  for (const machine of Object.values(machines)) network.unplug(machine, "eth0");
}

async function goHome(
  { network, world, homes, machines }: Internet,
  settings: Readonly<Record<string, string>>,
  more: (bo: Peer) => Promise<unknown> = async () => undefined,
): Promise<readonly [Peer, Peer]> {
  network.plug(machines.ana, homes.ana, "eth0", "192.168.1.2/24", "192.168.1.1");
  network.plug(machines.bo, homes.bo, "eth0", "192.168.2.2/24", "192.168.2.1");
  const bo = await startPeer(world, machines.bo, "bo", settings);
  await more(bo);
  const ana = await startPeer(world, machines.ana, "ana", settings);
  return [ana, bo];
}
