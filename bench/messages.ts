import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startBare } from "./lib/bare.ts";
import { type Figures, median } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, makeHome } from "./lib/home.ts";
import { startLoad } from "./lib/load.ts";
import { startReader } from "./lib/reader.ts";
import { createRounds, type Rounds, type Side } from "./lib/rounds.ts";
import { openSession } from "./lib/session.ts";

const IN_FLIGHT = 64;
const SIZES = {
  whole: { rounds: 12, messages: 3000, warmUp: 12_000, lone: 400 },
  short: { rounds: 8, messages: 800, warmUp: 6000, lone: 100 },
};

const SETTINGS = {
  DARKMATTER_RATE_GLOBAL: "-1",
  DARKMATTER_RATE_PER_CONNECTION: "-1",
  DARKMATTER_INBOX_MAX: "1000000",
};

/** Messages a node takes, beside what the least possible program takes. */
export async function measureMessages(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const size = short ? SIZES.short : SIZES.whole;
  await using home = makeHome(SETTINGS);
  const nodeChild = home.start(["up", "--json"], ["ignore", "pipe", "inherit"]);
  const { url } = await firstLine<{ url: string }>(nodeChild);
  const node: Side = { url, pid: nodeChild.pid ?? 0, callbacks: true };

  const probePath = join(home.folder, "probe.db");
  const { child: probeChild, ...bare } = await startBare("probe.ts", [probePath]);
  const probe: Side = { ...bare, callbacks: false };

  await using load = await startLoad();
  await load.connect(node.url);
  await using reader = startReader(await openSession(home));
  const rounds = createRounds(load, reader);

  await rounds.run(node, size.warmUp, IN_FLIGHT);
  await rounds.run(probe, size.warmUp, IN_FLIGHT);
  await measureThroughput(figures, rounds, { node, probe }, size);
  await measureLatency(figures, rounds, { node, probe }, size);

  figures.add("messages.acknowledged", rounds.accepted(node), "messages");
  figures.add("messages.read", reader.read, "messages");
  // No chance to write anything after the fact.
  await Promise.all([endChild(nodeChild), endChild(probeChild)]);
  const missing = (side: Side, path: string, sql: string) => rounds.accepted(side) - countOnDisk(path, sql);
  const kept = `SELECT count(DISTINCT json_extract(payload, '$.message_id')) AS n FROM ledger_commits
    WHERE json_extract(payload, '$.act') = 'message.received'`;
  figures.add("messages.missing_on_disk", missing(node, home.database(), kept), "messages", { most: 0 });
  const probeKept = missing(probe, probePath, "SELECT count(*) AS n FROM messages");
  figures.add("messages.probe_missing_on_disk", probeKept, "messages", { most: 0 });
}

type Sides = { readonly node: Side; readonly probe: Side };
type Size = (typeof SIZES)["whole"];

async function measureThroughput(figures: Figures, rounds: Rounds, { node, probe }: Sides, size: Size) {
  const ratios: number[] = [];
  const speeds = new Map<Side, number[]>([
    [node, []],
    [probe, []],
  ]);
  const cpu = new Map<Side, number>();
  for (let pair = 0; pair < size.rounds; pair++) {
    const order = pair % 2 === 0 ? [probe, node] : [node, probe];
    for (const side of order) {
      const { accepted, settledMs, usedUs } = await rounds.run(side, size.messages, IN_FLIGHT);
      speeds.get(side)?.push((accepted / settledMs) * 1000);
      if (usedUs !== undefined) cpu.set(side, (cpu.get(side) ?? 0) + usedUs);
    }
    const [of, to] = [speeds.get(node)?.at(-1), speeds.get(probe)?.at(-1)];
    if (of !== undefined && to !== undefined) ratios.push(of / to);
  }
  figures.add("messages.per_second", median(speeds.get(node) ?? []), "messages/s");
  figures.add("messages.probe_per_second", median(speeds.get(probe) ?? []), "messages/s");
  figures.add("messages.vs_probe", median(ratios), "ratio", { least: 0.6, noisy: true });
  for (const [name, side] of [
    ["messages.cpu_us", node],
    ["messages.probe_cpu_us", probe],
  ] as const) {
    const used = cpu.get(side);
    if (used === undefined) figures.skip(name, "this system does not tell what a process uses");
    else figures.add(name, used / (size.rounds * size.messages), "µs");
  }
}

async function measureLatency(figures: Figures, rounds: Rounds, { node, probe }: Sides, { lone }: Size) {
  const latencies = new Map<Side, number[]>();
  for (const side of [probe, node, node, probe]) {
    const outcome = await rounds.run(side, lone, 1);
    latencies.set(side, [...(latencies.get(side) ?? []), ...outcome.latencies]);
  }
  const [ofNode, ofProbe] = [median(latencies.get(node) ?? []), median(latencies.get(probe) ?? [])];
  figures.add("messages.latency_p50_us", ofNode * 1000, "µs");
  figures.add("messages.probe_latency_p50_us", ofProbe * 1000, "µs");
  figures.add("messages.latency_vs_probe", ofNode / ofProbe, "ratio", { most: 3, noisy: true });
}

function countOnDisk(path: string, sql: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(db.prepare(sql).get()?.n);
  } finally {
    db.close();
  }
}
