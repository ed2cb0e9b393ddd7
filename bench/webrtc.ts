import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createNetwork, type Machine, namespacesMissing } from "../e2e/netns.ts";
import { type Figures, median } from "./lib/figures.ts";

const CHILD = join(import.meta.dirname, "children", "channel-peer.ts");
const PORT = 8080;
const SIZES = {
  whole: { opens: 15, rounds: 9, requests: 3000 },
  short: { opens: 5, rounds: 3, requests: 500 },
};

/** How soon a channel is open between two machines, and how many requests it answers beside HTTP. */
export async function measureWebRtc(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const missing = namespacesMissing();
  if (missing) {
    figures.skip("webrtc", missing);
    return;
  }
  using network = createNetwork();
  const bridge = await network.bridge("bridge");
  const machines = [await network.machine("one"), await network.machine("other")] as const;
  await network.plug(machines[0], bridge, "eth0", "10.40.0.1/24");
  await network.plug(machines[1], bridge, "eth0", "10.40.0.2/24");
  await using other = peer(machines[1], "answer", `${PORT}`);
  await other.hear();
  const sizes = JSON.stringify(short ? SIZES.short : SIZES.whole);
  await using one = peer(machines[0], "offer", `http://10.40.0.2:${PORT}/`, sizes);
  for (;;) {
    const told = await one.hear();
    if (told.sdp) {
      other.tell({ sdp: told.sdp });
      one.tell(await other.hear());
      continue;
    }
    const pairs: readonly { readonly channel: number; readonly http: number }[] = told.pairs;
    figures.add("webrtc.open_ms", median(told.openMs), "ms", { most: 1500 });
    figures.add("webrtc.requests_per_s", median(pairs.map(({ channel }) => channel)), "/s");
    figures.add("webrtc.http_requests_per_s", median(pairs.map(({ http }) => http)), "/s");
    const ratio = median(pairs.map(({ channel, http }) => channel / http));
    figures.add("webrtc.messages_vs_http", ratio, "of HTTP", { least: 0.5, noisy: true });
    return;
  }
}

function peer(machine: Machine, ...argv: readonly string[]) {
  const [file = "", ...args] = [...machine.enter, process.execPath, CHILD, ...argv];
  const child: ChildProcess = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    tell: (value: object) => void child.stdin?.write(`${JSON.stringify(value)}\n`),
    async hear() {
      const { value, done } = await lines.next();
      if (done) throw new Error("a side of the channel ended early");
      return JSON.parse(value);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
    },
  };
}
