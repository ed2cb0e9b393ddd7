import { setTimeout as sleep } from "node:timers/promises";
import { residentBytes } from "./lib/cpu.ts";
import { type Figures, median, medianRatio } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, type Home, makeHome, startChild } from "./lib/home.ts";
import { openSession } from "./lib/session.ts";

const STARTS = { whole: 9, short: 5 };
/** A node writes what it compiled half a second after it is ready. */
const COMPILED_WITHIN_MS = 1500;
const IDLE_AFTER_MS = 3000;

/** How soon a client that starts us has its tools, and what a node holds that does nothing. */
export async function measureStart(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const times = short ? STARTS.short : STARTS.whole;
  await using home = makeHome({});
  await firstAnswerMs(home, COMPILED_WITHIN_MS);

  const first = await besideBare(times, () => firstAnswerMs(home));
  figures.add("start.bare_ms", median(first.bareMs), "ms");
  figures.add("start.first_answer_ms", median(first.tookMs), "ms", { most: 1000, wholeOnly: true });
  figures.add("start.first_answer_vs_bare", medianRatio(first.tookMs, first.bareMs), "ratio", { most: 25 });

  const owner = home.start(["up", "--json"], ["ignore", "pipe", "inherit"]);
  await firstLine(owner);
  await firstAnswerMs(home);
  const attached = await besideBare(times, () => firstAnswerMs(home));
  figures.add("start.attach_ms", median(attached.tookMs), "ms", { most: 250, wholeOnly: true });
  figures.add("start.attach_vs_bare", medianRatio(attached.tookMs, attached.bareMs), "ratio", { most: 6 });

  await sleep(IDLE_AFTER_MS);
  const bytes = owner.pid === undefined ? undefined : residentBytes(owner.pid);
  if (bytes === undefined) figures.skip("start.rss_mb", "this system does not tell what a process holds");
  else figures.add("start.rss_mb", bytes / 1024 / 1024, "MB", { most: 150 });
}

/** Each start after one of a program that does nothing: a slow machine is slow at both. */
async function besideBare(times: number, startMs: () => Promise<number>) {
  const bareMs: number[] = [];
  const tookMs: number[] = [];
  for (let start = 0; start < times; start++) {
    bareMs.push(await bareStartMs());
    tookMs.push(await startMs());
  }
  return { bareMs, tookMs };
}

/** Milliseconds from starting this Node to its first line. */
async function bareStartMs(): Promise<number> {
  const start = performance.now();
  const child = startChild("-e", ['console.log("{}")'], { stdio: ["ignore", "pipe", "inherit"] });
  await firstLine(child);
  const tookMs = performance.now() - start;
  await endedOrEnd(child);
  return tookMs;
}

/** Milliseconds from starting `darkmatter mcp` to its answer to `tools/list`, as a client asks for it. */
async function firstAnswerMs(home: Home, thenMs = 0): Promise<number> {
  const start = performance.now();
  const session = await openSession(home);
  await session.request("tools/list");
  const tookMs = performance.now() - start;
  await sleep(thenMs);
  session.child.stdin?.end();
  await endedOrEnd(session.child);
  return tookMs;
}

/** A session ends with its input. */
async function endedOrEnd(child: Parameters<typeof endChild>[0]): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([gone, sleep(5000)]);
  await endChild(child);
}
