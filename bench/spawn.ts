import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Figures, median } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { makeHome } from "./lib/home.ts";
import { openSession } from "./lib/session.ts";

const ROUNDS = { whole: 30, short: 5 };
const STARTED_WITHIN_MS = 10_000;

/** From a message that is on disk to the first line of the program that is to answer it: two nodes, real processes. */
export async function measureSpawn(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  await using anaHome = makeHome({});
  await using boHome = makeHome({});
  const starts = join(boHome.folder, "starts");
  mkdirSync(starts);
  const standIn = join(boHome.folder, "stand-in");
  // As little as a program can do: it notes the time, so that what is measured is ours and the system's.
  writeFileSync(standIn, `#!/bin/sh\ndate +%s%3N > '${starts}'/$$\n`, { mode: 0o755 });

  const bo = boHome.start(["up", "--json"], ["ignore", "pipe", "inherit"], {
    DARKMATTER_AGENT_ENABLED: "true",
    DARKMATTER_AGENT_COMMAND: standIn,
    DARKMATTER_AGENT_MIN_TRUST: "-1",
    DARKMATTER_AGENT_MAX_PER_HOUR: "1000",
  });
  const { url, agent_id: boId } = await firstLine<{ url: string; agent_id: string }>(bo);
  await firstLine(anaHome.start(["up", "--json"], ["ignore", "pipe", "inherit"]));
  const ana = await openSession(anaHome);
  await ana.call("darkmatter_connection", { action: "request", target_url: url });

  const tookMs: number[] = [];
  for (let round = 0; round < (short ? ROUNDS.short : ROUNDS.whole); round++) {
    const before = new Set(readdirSync(starts));
    const sent = await ana.call("darkmatter_send_message", {
      content: `round ${round}`,
      target_agent_id: boId,
    });
    const startedAtMs = await nextStart(starts, before);
    tookMs.push(startedAtMs - storedAtMs(boHome.database(), String(sent.message_id)));
  }
  figures.add("spawn.overhead_ms", median(tookMs), "ms", { most: 150, noisy: true });
  figures.add("spawn.overhead_max_ms", Math.max(...tookMs), "ms");
}

/** The time that the next stand-in noted. */
async function nextStart(folder: string, before: ReadonlySet<string>): Promise<number> {
  const until = performance.now() + STARTED_WITHIN_MS;
  while (performance.now() < until) {
    const name = readdirSync(folder).find((one) => !before.has(one));
    const text = name === undefined ? "" : readFileSync(join(folder, name), "utf8");
    if (text.endsWith("\n")) return Number(text);
    await sleep(2);
  }
  throw new Error("No helper was started.");
}

function storedAtMs(path: string, messageId: string): number {
  using db = new DatabaseSync(path, { readOnly: true });
  const row = db.prepare("SELECT received_at_ms FROM mesh_inbox WHERE message_id = ?").get(messageId);
  return Number(row?.received_at_ms);
}
