// Linux network namespaces: machines, switches and NAT boxes of a small world of their own. Each namespace lives as
// long as the process that holds it, and that ends with this one, however this one ends: the kernel cleans up.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { within } from "./checks.ts";
import { runProgram } from "./run-program.ts";

const START_MS = 30_000;
const RUN_MS = 30_000;

/** As the system's owner, or as any user where that is allowed. */
const WAYS = [["--net"], ["--user", "--map-root-user", "--net"]] as const;
const TRIAL =
  "ip link add one type veth peer name two && echo 1 >/proc/sys/net/ipv4/ip_forward && nft list ruleset";

/** Why there can be no namespaces here; `undefined` where there can. */
export function namespacesMissing(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  for (const tool of ["ip", "nft", "nsenter", "unshare"]) {
    if (spawnSync("sh", ["-c", `command -v ${tool}`], { env: ENV }).status !== 0)
      return `${tool} is not installed`;
  }
  return wayIn() ? undefined : "network namespaces are not permitted here (CAP_NET_ADMIN)";
}

/** Debian keeps these tools where users' paths do not lead. */
const ENV = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function wayIn(): readonly string[] | undefined {
  return WAYS.find((way) => spawnSync("unshare", [...way, "sh", "-ec", TRIAL], { env: ENV }).status === 0);
}

/** A namespace with whatever is plugged into it. */
export interface Machine {
  readonly name: string;
  /** Put before a command, it runs inside. */
  readonly enter: readonly string[];
  /** Runs a shell script inside, to its end; what it printed. */
  run(script: string): Promise<string>;
}

export interface NatOptions {
  readonly inside: Machine;
  readonly insideAddress: string;
  readonly outside: Machine;
  readonly outsideAddress: string;
  /**
   * `steady`: one outer port for each inner one as far as it is free, whoever is spoken to, so that holes can be
   * punched. `random`: another port for each destination, which no hole can be punched through.
   */
  readonly ports: "steady" | "random";
}

export interface Network extends Disposable {
  machine(name: string): Promise<Machine>;
  /** A switch that machines are plugged into. */
  bridge(name: string): Promise<Machine>;
  /** Plugs a machine into a switch by a cable: `plug(ana, lan, "eth0", "10.0.0.1/24")`. */
  plug(machine: Machine, bridge: Machine, link: string, address: string, gateway?: string): Promise<void>;
  /** Takes the cable away, and the address with it. */
  unplug(machine: Machine, link: string): Promise<void>;
  /** A NAT box: what lies behind it reaches the rest under its outer address. */
  nat(name: string, options: NatOptions): Promise<Machine>;
}

/** An empty world, without a way to any other. Fails where `namespacesMissing` says why. */
export function createNetwork(): Network {
  const found = wayIn();
  if (!found) throw new Error("there can be no network namespaces here");
  const way: readonly string[] = found;
  const holders: ChildProcess[] = [];
  let root: number | undefined;
  let cables = 0;

  /** All belong to the user namespace of the first, or cables could not lead from one to another. */
  const inRoot = (): readonly string[] =>
    root !== undefined && way.includes("--user")
      ? ["nsenter", "--target", `${root}`, "--user", "--preserve-credentials"]
      : [];

  async function hold(name: string): Promise<Machine> {
    const how = root === undefined ? way : ["--net"];
    // `cat` ends with its input, and that with this process.
    const [file = "", ...args] = [...inRoot(), "unshare", ...how, "sh", "-c", "echo; exec cat"];
    const holder = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"], env: ENV });
    holder.stdin.on("error", () => undefined);
    holders.push(holder);
    const lines = createInterface({ input: holder.stdout });
    await within(START_MS, new Promise<void>((ready) => lines.once("line", () => ready())));
    root ??= holder.pid as number;
    const user = way.includes("--user") ? ["--user", "--preserve-credentials"] : [];
    const enter = ["nsenter", "--target", `${holder.pid}`, ...user, "--net"];
    const run = async (script: string) => {
      const [nsenter = "", ...more] = enter;
      const args = [...more, "sh", "-ec", script];
      const { status, stdout, stderr } = await runProgram(nsenter, args, { env: ENV, timeoutMs: RUN_MS });
      if (status !== 0) throw new Error(`${name}: ${script}: ${stderr || status}`);
      return stdout;
    };
    await run("ip link set lo up");
    return { name, enter, run };
  }

  const network: Network = {
    machine: hold,

    async bridge(name) {
      const bridge = await hold(name);
      // Multicast reaches everybody at once, as in a cheap switch.
      await bridge.run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up");
      return bridge;
    },

    async plug(machine, bridge, link, address, gateway) {
      const port = `port${++cables}`;
      await bridge.run(`ip link add ${port} type veth peer name ${link} netns ${pidOf(machine)}
        ip link set ${port} master br0 up`);
      await machine.run(`ip addr add ${address} dev ${link} && ip link set ${link} up
        ${gateway ? `ip route replace default via ${gateway}` : ""}
        for n in $(seq 100); do ip -br link show dev ${link} | grep -q UP && break; sleep 0.02; done`);
    },

    async unplug(machine, link) {
      await machine.run(`ip link del ${link}`);
    },

    async nat(name, { inside, insideAddress, outside, outsideAddress, ports }) {
      const box = await hold(name);
      await network.plug(box, inside, "in0", insideAddress);
      await network.plug(box, outside, "out0", outsideAddress);
      await box.run(`echo 1 >/proc/sys/net/ipv4/ip_forward\nnft -f - <<'END'\n${rules(ports)}\nEND`);
      return box;
    },

    [Symbol.dispose]() {
      for (const holder of holders) holder.stdin?.end();
    },
  };
  return network;
}

/** Lets nothing of a protocol into a machine or through a box, but over loopback, until it is disposed of. */
export async function block(machine: Machine, protocol: "tcp" | "udp"): Promise<AsyncDisposable> {
  const name = `no_${protocol}`;
  const chain = (hook: string) =>
    `chain ${hook} {
      type filter hook ${hook} priority -10
      iifname != "lo" meta l4proto ${protocol} drop
    }`;
  await machine.run(`nft -f - <<'END'\ntable inet ${name} {\n${chain("input")}\n${chain("forward")}\n}\nEND`);
  return {
    async [Symbol.asyncDispose]() {
      await machine.run(`nft delete table inet ${name}`);
    },
  };
}

/**
 * A home router. What comes to it unasked is dropped before it is remembered: otherwise a peer's early datagram would
 * occupy the very port the hole is to have.
 */
function rules(ports: NatOptions["ports"]): string {
  return `table ip box {
    chain forward {
      type filter hook forward priority 0; policy drop;
      iifname "in0" accept
      ct state established,related accept
    }
    chain input { type filter hook input priority 0; policy drop; iifname "in0" accept; }
    chain out {
      type nat hook postrouting priority 100;
      oifname "out0" masquerade ${ports === "random" ? "fully-random" : ""}
    }
  }`;
}

const pidOf = ({ enter }: Machine) => enter[2] as string;
