import { isoTime } from "@darkmatter/core";
import { createSigner, peerUpdateText, type Signer, signText } from "@darkmatter/identity";
import { createUndiciWire } from "@darkmatter/net";
import { type Figures, median } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, type Home, makeHome } from "./lib/home.ts";

const REGISTERED = { whole: 10_000, short: 3000 };
const IN_FLIGHT = 32;
/** A round; the figure is the middle one's. */
const LOOKUPS = 2000;
const ROUNDS = { whole: 9, short: 3 };
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
  const agentAt = (at: number) => agents[(at * 7919) % registered] as Signer;
  for (let at = 0; at < WARM_UP; at++) await lookUp(server.url, agentAt(at));
  const rounds: number[][] = [];
  for (let round = 0; round < (short ? ROUNDS.short : ROUNDS.whole); round++) {
    const tookMs: number[] = [];
    for (let at = 0; at < LOOKUPS; at++) {
      const before = performance.now();
      await lookUp(server.url, agentAt(round * LOOKUPS + at));
      tookMs.push(performance.now() - before);
    }
    rounds.push(tookMs.sort((one, other) => one - other));
  }
  await endChild(server.child);
  await wire.close();
  const middle = (part: number) => median(rounds.map((tookMs) => tookMs[Math.floor(LOOKUPS * part)] ?? 0));
  figures.add("anchor.lookup_p50_ms", middle(0.5), "ms");
  figures.add("anchor.lookup_p99_ms", middle(0.99), "ms", { most: 5, noisy: true });
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

async function lookUp(anchor: string, { agentId }: Signer): Promise<void> {
  const answer = await wire.request({
    method: "GET",
    url: `${anchor}/__darkmatter__/peer_lookup/${agentId}`,
    ...CALL,
  });
  if (answer.status !== 200) throw new Error(`a lookup was answered ${answer.status}`);
}
