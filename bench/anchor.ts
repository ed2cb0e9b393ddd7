import { isoTime } from "@darkmatter/core";
import { createSigner, peerUpdateText, type Signer, signText } from "@darkmatter/identity";
import { createUndiciWire } from "@darkmatter/net";
import { startBare } from "./lib/bare.ts";
import { type Figures, median, medianRatio, quantile } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, type Home, makeHome } from "./lib/home.ts";

const REGISTERED = { whole: 10_000, short: 3000 };
const IN_FLIGHT = 32;
/** A round; the figure is the middle one's. */
const LOOKUPS = 2000;
const ROUNDS = { whole: 9, short: 5 };
const WARM_UP = 1000;
const CALL = { timeoutMs: 10_000, reach: "private" } as const;
const wire = createUndiciWire();
const ARGS = ["serve", "anchor", "--port", "0", "--trust-proxy", "--json"];

/** How long an anchor takes to say where one of so many agents is, as its caller sees it, after a restart. */
export async function measureAnchor(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  await using home = makeHome({});
  const registered = short ? REGISTERED.short : REGISTERED.whole;
  const agents = Array.from({ length: registered }, (_, at) =>
    createSigner(at.toString(16).padStart(64, "0")),
  );
  const filling = await serve(home);
  const started = performance.now();
  await each(agents, (agent, at) => register(filling.url, agent, at));
  figures.add("anchor.registrations_per_s", (registered / (performance.now() - started)) * 1000, "per s");
  await endChild(filling.child);

  const server = await serve(home);
  const bare = await startBare("api.ts");
  const agentAt = (at: number) => agents[(at * 7919) % registered] as Signer;
  const lookedUp = (at: number) => get(`${server.url}/__darkmatter__/peer_lookup/${agentAt(at).agentId}`);
  const answered = () => get(bare.url);
  await timed(lookedUp, WARM_UP);
  await timed(answered, WARM_UP);
  const lookups: number[][] = [];
  const answers: number[][] = [];
  for (let round = 0; round < (short ? ROUNDS.short : ROUNDS.whole); round++) {
    lookups.push(await timed((at) => lookedUp(round * LOOKUPS + at), LOOKUPS));
    answers.push(await timed(answered, LOOKUPS));
  }
  await Promise.all([endChild(server.child), endChild(bare.child)]);
  await wire.close();
  const middle = (part: number) => median(lookups.map((tookMs) => quantile(tookMs, part)));
  figures.add("anchor.lookup_p50_ms", middle(0.5), "ms");
  figures.add("anchor.lookup_p99_ms", middle(0.99), "ms", { most: 5, wholeOnly: true });
  // What holds a machine up for some milliseconds holds up the least possible server, too.
  const p99s = (rounds: readonly number[][]) => rounds.map((tookMs) => quantile(tookMs, 0.99));
  const ratio = medianRatio(p99s(lookups), p99s(answers));
  figures.add("anchor.lookup_p99_vs_bare", ratio, "ratio", { most: 2, noisy: true });
}

async function timed(call: (at: number) => Promise<void>, calls: number): Promise<number[]> {
  const tookMs: number[] = [];
  for (let at = 0; at < calls; at++) {
    const before = performance.now();
    await call(at);
    tookMs.push(performance.now() - before);
  }
  return tookMs;
}

async function serve(home: Home) {
  const child = home.start(ARGS, ["ignore", "pipe", "inherit"]);
  const { url } = await firstLine<{ url: string }>(child);
  return { child, url };
}

async function each<T>(items: readonly T[], act: (item: T, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < items.length; at = next++) await act(items[at] as T, at);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function register(anchor: string, signer: Signer, at: number): Promise<void> {
  const { agentId } = signer;
  const timestamp = isoTime(Date.now());
  const newUrl = `http://198.51.100.4:${1000 + at}`;
  const signature = signText(signer, peerUpdateText({ agentId, newUrl, timestamp }));
  const body = { agent_id: agentId, new_url: newUrl, timestamp, public_key_hex: agentId, signature };
  // Few registrations come from one address.
  const headers = {
    "content-type": "application/json",
    "x-forwarded-for": `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
  };
  const url = `${anchor}/__darkmatter__/peer_update`;
  const answer = await wire.request({ method: "POST", url, headers, body: JSON.stringify(body), ...CALL });
  if (answer.status !== 200) throw new Error(`registration ${at} was answered ${answer.status}`);
}

async function get(url: string): Promise<void> {
  const answer = await wire.request({ method: "GET", url, ...CALL });
  if (answer.status !== 200) throw new Error(`a lookup was answered ${answer.status}`);
}
