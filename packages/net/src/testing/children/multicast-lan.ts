// Runs the multicast suite on machines that are network namespaces, bridged in a namespace of this process's own:
// started by `unshare --user --map-root-user --net`. Prints a JSON list of `{title, problem}`.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { netError } from "../../errors.ts";
import { type MulticastMachine, type MulticastUnderTest, multicastSuite } from "../multicast-suite.ts";
import type { MachineAnswer, MachineOrder } from "./multicast-machine.ts";

const MACHINE = fileURLToPath(new URL("./multicast-machine.ts", import.meta.url));
const BRIDGE = "lan0";
const ip = (...words: string[]) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

let count = 0;

async function order(child: ChildProcess, what: MachineOrder): Promise<readonly string[]> {
  child.send(what);
  const [answer] = (await once(child, "message")) as [MachineAnswer];
  if ("code" in answer) throw netError(answer.code as Parameters<typeof netError>[0]);
  return answer.heard;
}

async function startMachine(children: ChildProcess[]): Promise<MulticastMachine> {
  const number = ++count;
  const address = `10.77.68.${number}`;
  const child = spawn("unshare", ["--net", process.execPath, MACHINE], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.push(child);
  await once(child, "message");
  const inside = (...words: string[]) =>
    execFileSync("nsenter", ["--target", `${child.pid}`, "--net", "ip", ...words]);
  ip("link", "add", `v${number}`, "type", "veth", "peer", "name", "eth0", "netns", `${child.pid}`);
  ip("link", "set", `v${number}`, "master", BRIDGE, "up");
  inside("addr", "add", `${address}/24`, "dev", "eth0");
  const plug = async (isIn: boolean) => {
    inside("link", "set", "eth0", isIn ? "up" : "down");
    // A link comes up, and a bridge learns of it, a moment later.
    await sleep(300);
  };
  await plug(true);
  return {
    address,
    plug,
    join: async () => void (await order(child, { what: "join" })),
    send: async (text) => void (await order(child, { what: "send", text })),
    close: async () => void (await order(child, { what: "close" })),
    heard: () => order(child, { what: "heard" }),
  };
}

async function makeLan(): Promise<MulticastUnderTest> {
  const children: ChildProcess[] = [];
  return {
    machine: () => startMachine(children),
    pass: () => sleep(100),
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        child.disconnect();
        await once(child, "exit");
      }
    },
  };
}

ip("link", "add", BRIDGE, "type", "bridge", "mcast_snooping", "0");
ip("link", "set", BRIDGE, "up");
const results: Array<{ title: string; problem: string | null }> = [];
for (const { title, run } of multicastSuite(makeLan)) {
  const problem = await run().then(
    () => null,
    (error: Error) => error.stack ?? error.message,
  );
  results.push({ title, problem });
}
console.log(JSON.stringify(results));
