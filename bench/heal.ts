import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Figures, median } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, type Home, makeHome } from "./lib/home.ts";
import { type AgentSession, openSession } from "./lib/session.ts";

const SIZES = {
  whole: { moves: 30, sleepMs: 60_000 },
  short: { moves: 4, sleepMs: 8_000 },
};
const DELIVERED_WITHIN_MS = 60_000;
const POLL_MS = 5;

/** How soon two connected agents talk again after one moved or slept. */
export async function measureHeal(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const size = short ? SIZES.short : SIZES.whole;
  await using anaHome = makeHome({});
  await using boHome = makeHome({});
  const ana = anaHome.start(["up", "--json"], ["ignore", "pipe", "inherit"]);
  await firstLine(ana);
  const session = await openSession(anaHome);
  let bo = await startAt(boHome, await freePort());
  await session.call("darkmatter_connection", { action: "request", target_url: bo.url });

  const tookMs: number[] = [];
  for (let move = 0; move < size.moves; move++) {
    await endChild(bo.child);
    bo = await startAt(boHome, await freePort());
    // From here on it is there: what is written to it next has to find it.
    const start = performance.now();
    await arrived(session, [await send(session, bo.id)]);
    tookMs.push(performance.now() - start);
  }
  figures.add("heal.address_change_p50_ms", median(tookMs), "ms", { most: 1000, noisy: true });
  figures.add("heal.address_change_p99_ms", highest(tookMs), "ms", { most: 5000, noisy: true });

  bo.child.kill("SIGSTOP");
  // A call ends once the first try has failed, which is a part of the sleep.
  const sends = Promise.all([1, 2, 3].map(() => send(session, bo.id)));
  const [waiting] = await Promise.all([sends, sleep(size.sleepMs)]);
  bo.child.kill("SIGCONT");
  const woken = performance.now();
  await arrived(session, waiting);
  figures.add("heal.after_sleep_ms", performance.now() - woken, "ms", { most: 2000, noisy: true });
}

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly id: string;
}

async function startAt(home: Home, port: number): Promise<Started> {
  const child = home.start(["up", "--json"], ["ignore", "pipe", "inherit"], { DARKMATTER_PORT: `${port}` });
  const { url, agent_id: id } = await firstLine<{ url: string; agent_id: string }>(child);
  return { child, url, id };
}

async function send(session: AgentSession, to: string): Promise<string> {
  const sent = await session.call("darkmatter_send_message", { content: "hello", target_agent_id: to });
  return String(sent.message_id);
}

/** Until the target's signed receipts for all of them are here. */
async function arrived(session: AgentSession, ids: readonly string[]): Promise<void> {
  const end = performance.now() + DELIVERED_WITHIN_MS;
  for (const id of ids) {
    for (;;) {
      const { routed_to: routed } = await session.call("darkmatter_get_sent_message", { message_id: id });
      if (Array.isArray(routed) && routed.length > 0) break;
      if (performance.now() > end) throw new Error(`${id} was not delivered`);
      await sleep(POLL_MS);
    }
  }
}

/** The 99th percentile of fewer than a hundred is the highest. */
const highest = (values: readonly number[]) => Math.max(...values);

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
