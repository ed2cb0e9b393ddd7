import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Checks, within } from "../checks.ts";
import {
  block,
  createNetwork,
  type Machine,
  type NatOptions,
  type Network,
  namespacesMissing,
} from "../netns.ts";
import { befriend, type Level, type Peer, PORT, reachLevel, startPeer, stopPeer, talk } from "../peers.ts";
import { createWorld, type World } from "../world.ts";

const STUN = join(import.meta.dirname, "children", "stun.ts");
const START_MS = 15_000;
const OPEN_MS = 60_000;
/** Starts, meetings and moves of a case, on a machine with much else to do. */
const CASE_MS = 150_000;
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

export async function runNat(
  { check, skip, figure }: Checks,
  { short }: { readonly short: boolean },
): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    skip("nat: nodes behind two NATs, with a peer and with an anchor between them", missing);
    return;
  }
  /** How long each part of a case took, for people. */
  const timesOf = (name: string) => {
    let sinceMs = performance.now();
    return (part: string) => {
      const nowMs = performance.now();
      figure(`nat.${name}.${part}_s`, (nowMs - sinceMs) / 1000, "s");
      sinceMs = nowMs;
    };
  };
  const cases: ReadonlyArray<readonly [string, string, (done: Done) => Promise<void>]> = [
    ["peer", "a peer in the open carries the offer, and the channel leads through both NATs", byPeer],
    ["anchor", "with an anchor alone, the channel is offered through it", byAnchor],
    ["mail", "where no datagram passes, sealed messages lie with the anchor", withoutDatagrams],
    ["random", "through two NATs that no hole can be punched in, sealed messages go", throughRandomNats],
  ];
  for (const [name, title, run] of cases.slice(0, short ? 1 : undefined))
    await check(`nat: ${title}`, () => run(timesOf(name)), CASE_MS);
}

/** Tells that a part of a case is done. */
type Done = (part: string) => void;

/** Ana and Bo know each other and Cy, then go home: nobody reaches either there. */
async function byPeer(done: Done): Promise<void> {
  await using internet = await createInternet();
  const cyMachine = await machineOn(internet, "cy", IP.cy);
  const cy = await startPeer(internet.world, cyMachine, "cy", SETTINGS);
  done("prepared");
  await meetOutside(internet, SETTINGS, async (ana, bo) => {
    await befriend(ana, cy, `http://${IP.cy}:${PORT}`);
    await befriend(bo, cy, `http://${IP.cy}:${PORT}`);
  });
  done("met");
  // A peer carries offers to agents it reaches: those it has a channel to, when they are behind NAT.
  const [ana, bo] = await goHome(internet, SETTINGS);
  done("home");
  await reachLevel(ana, bo, BY_PEER, OPEN_MS);
  done("opened");
  await talkBothWays(ana, bo);
  done("talked");
}

async function byAnchor(done: Done): Promise<void> {
  await using internet = await createInternet();
  const [ana, bo] = await homeWithAnchor(internet, done);
  await reachLevel(ana, bo, BY_ANCHOR, OPEN_MS);
  done("opened");
  await talkBothWays(ana, bo);
  done("talked");
}

async function withoutDatagrams(done: Done): Promise<void> {
  await using internet = await createInternet();
  await using _ana = await block(internet.machines.ana, "udp");
  await using _bo = await block(internet.machines.bo, "udp");
  await byMail(internet, done);
}

async function throughRandomNats(done: Done): Promise<void> {
  await using internet = await createInternet("random");
  await byMail(internet, done);
}

async function byMail(internet: Internet, done: Done): Promise<void> {
  const [ana, bo] = await homeWithAnchor(internet, done);
  await talkBothWays(ana, bo);
  done("talked");
  await reachLevel(ana, bo, BY_MAIL, OPEN_MS);
  done("shown");
}

async function homeWithAnchor(internet: Internet, done: Done): Promise<readonly [Peer, Peer]> {
  await startAnchor(internet);
  done("prepared");
  await meetOutside(internet, WITH_ANCHOR, async () => undefined);
  done("met");
  const both = await goHome(internet, WITH_ANCHOR);
  done("home");
  return both;
}

async function talkBothWays(ana: Peer, bo: Peer): Promise<void> {
  await talk(ana, bo, TALK_MS);
  await talk(bo, ana, TALK_MS);
}

async function createInternet(ports: NatOptions["ports"] = "steady"): Promise<Internet & AsyncDisposable> {
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
      ports,
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
  await network.plug(machine, bridge, "eth0", `${address}/24`);
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
  await network.plug(machines.ana, bridge, "eth0", "11.0.0.101/24");
  await network.plug(machines.bo, bridge, "eth0", "11.0.0.102/24");
  const [ana, bo] = await Promise.all([
    startPeer(world, machines.ana, "ana", settings),
    startPeer(world, machines.bo, "bo", settings),
  ]);
  await befriend(ana, bo, `http://11.0.0.102:${PORT}`);
  await more(ana, bo);
  await Promise.all([stopPeer(ana), stopPeer(bo)]);
  for (const machine of Object.values(machines)) await network.unplug(machine, "eth0");
}

async function goHome(
  { network, world, homes, machines }: Internet,
  settings: Readonly<Record<string, string>>,
): Promise<readonly [Peer, Peer]> {
  await network.plug(machines.ana, homes.ana, "eth0", "192.168.1.2/24", "192.168.1.1");
  await network.plug(machines.bo, homes.bo, "eth0", "192.168.2.2/24", "192.168.2.1");
  return Promise.all([
    startPeer(world, machines.ana, "ana", settings),
    startPeer(world, machines.bo, "bo", settings),
  ]);
}
