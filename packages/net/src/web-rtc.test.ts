import { spawn, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createWebRtc } from "./index.ts";

const TRIAL = resolve(import.meta.dirname, "testing/children/web-rtc-trial.ts");
const TRIAL_MS = 300_000;
/** Two addresses, without which nothing is offered, and those of services that must not be reached. */
const NETWORK = [
  "ip link set lo up",
  "ip addr add 169.254.169.254/32 dev lo",
  "ip link add one type veth peer name two",
  "ip addr add 10.99.0.1/24 dev one",
  "ip addr add 10.99.0.2/24 dev two",
  "ip link set one up",
  "ip link set two up",
].join(" && ");

/** How a program gets a network of its own here: as the system's owner, or as any user where that is allowed. */
const unshare = [["--net"], ["--user", "--map-root-user", "--net"]].find(
  (args) => spawnSync("unshare", [...args, "sh", "-c", NETWORK], { stdio: "ignore" }).status === 0,
);
const REASON = "a network of its own is not permitted here, or iproute2 is missing";
if (!unshare) console.log(`skip WebRTC: ${REASON}`);

interface Told {
  readonly suite: string;
  readonly title: string;
  readonly failure?: string;
}

async function tried(): Promise<{ told: readonly Told[]; code: number | null; signal: string | null }> {
  const script = `${NETWORK} && exec "$@"`;
  const trial = [process.execPath, "--expose-gc", TRIAL];
  const child = spawn("unshare", [...(unshare ?? []), "sh", "-c", script, "sh", ...trial], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: TRIAL_MS,
    killSignal: "SIGKILL",
  });
  const ended = new Promise<[number | null, string | null]>((done) =>
    child.on("close", (...how) => done(how)),
  );
  const told: Told[] = [];
  for await (const line of createInterface({ input: child.stdout })) told.push(JSON.parse(line));
  const [code, signal] = await ended;
  return { told, code, signal };
}

describe("WebRTC by node-datachannel, in a network of its own", () => {
  test.skipIf(!unshare)(
    "every case holds between two of ours, with werift on either side and with hostile others, and the process ends by itself",
    async () => {
      const { told, code, signal } = await tried();
      expect(told.filter(({ failure }) => failure)).toEqual([]);
      const suites = Object.groupBy(told, ({ suite }) => suite);
      expect(Object.entries(suites).map(([suite, cases]) => `${suite}: ${cases?.length}`)).toEqual([
        "between two of ours: 12",
        "ours offering to werift: 12",
        "werift offering to ours: 12",
        "hostile others: 13",
      ]);
      expect({ code, signal }).toEqual({ code: 0, signal: null });
    },
    TRIAL_MS,
  );
});

describe("without the optional package", () => {
  afterEach(() => void vi.doUnmock("node-datachannel"));

  test("there is no WebRTC, and the reason is told", async () => {
    vi.doMock("node-datachannel", () => {
      throw new Error("Cannot find package");
    });
    const told: string[] = [];
    const made = await createWebRtc({ stunServers: [], report: (event) => told.push(event) });
    expect([made, told]).toEqual([undefined, ["webrtc.unavailable"]]);
  });
});
