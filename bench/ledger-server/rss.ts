import { readFileSync } from "node:fs";
import type { Figures } from "../lib/figures.ts";
import { firstLine } from "../lib/first-line.ts";
import type { Home } from "../lib/home.ts";
import { pathOf, type Query } from "./queries.ts";

/** Resident memory of a server over a ledger that is there, once it has answered searches. */
export async function measureRss(figures: Figures, home: Home, queries: readonly Query[]): Promise<void> {
  if (process.platform !== "linux") return figures.skip("ledger.rss_mb", "needs /proc");
  const child = home.start(["serve", "ledger", "--port", "0", "--json"], ["ignore", "pipe", "inherit"]);
  const { url, pid } = await firstLine<{ url?: string; pid: number }>(child);
  if (url === undefined) throw new Error("The server does not start.");
  for (const query of queries) {
    const answer = await fetch(url + pathOf(query), { headers: { authorization: `Bearer ${query.by.key}` } });
    if (answer.status !== 200) throw new Error(`${pathOf(query)}: ${answer.status}`);
    await answer.arrayBuffer();
  }
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  figures.add("ledger.rss_mb", megabytes(status, "VmRSS"), "MB", { most: 250 });
  figures.add("ledger.rss_peak_mb", megabytes(status, "VmHWM"), "MB");
  child.kill("SIGTERM");
  await new Promise((gone) => child.once("exit", gone));
}

/** A line of /proc/PID/status, which counts in KiB. */
function megabytes(status: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return (Number(kib) * 1024) / 1e6;
}
