import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { startBare } from "./lib/bare.ts";
import { type Figures, median } from "./lib/figures.ts";
import { firstLine } from "./lib/first-line.ts";
import { endChild, makeHome } from "./lib/home.ts";

const SIZES = {
  whole: { rounds: 20, calls: 60 },
  short: { rounds: 8, calls: 40 },
};
/** Calls before any is measured, some at a time: until a program's code is compiled and its log has its size. */
const WARM_UP = { calls: 3000, inFlight: 4 };
const CONSUMER = "ab".repeat(32);
const BODY = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] });
const JSON_TYPE = { "content-type": "application/json" };

/**
 * What a call by a pool costs beyond the call itself: consumer → node → API beside consumer → API, one call at a time,
 * over kept connections, API and node each a process. Counted: reading and writing the JSON and base 64 around it, the
 * path and header rules, and one durable commit (what it cost, with its entry in the ledger). The consumer's own node is
 * not counted: it reads and writes a second time what this consumer does.
 *
 * Beside it the least possible program between the two, which tells a slow machine from a slow pool: two more processes
 * to wake and one commit to await cost what they cost there.
 */
export async function measurePool(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const size = short ? SIZES.short : SIZES.whole;
  const api = await startBare("api.ts");
  await using home = makeHome({});
  const { url } = await firstLine<{ url: string }>(
    home.start(["up", "--json"], ["ignore", "pipe", "inherit"]),
  );
  const relay = await startBare("relay.ts", [join(home.folder, "relay.db"), api.url]);
  using client = openClient();
  const call = await openPool(client, url, api.url);
  const direct = () => client.post(`${api.url}/v1/chat`, BODY);
  const proxied = () => client.post(`${url}/__darkmatter__/pool_proxy`, call);
  const relayed = () => client.post(relay.url, call);

  const ways = [direct, relayed, proxied];
  for (const way of ways) await warmUp(way);
  const times = new Map(ways.map((way) => [way, [] as number[]]));
  for (let round = 0; round < size.rounds; round++) {
    for (const way of round % 2 === 0 ? ways : ways.toReversed())
      for (let at = 0; at < size.calls; at++) times.get(way)?.push(await timed(way));
  }
  const p50 = (way: () => Promise<string>) => median(times.get(way) ?? []);
  figures.add("pool.direct_ms", p50(direct), "ms");
  figures.add("pool.relayed_ms", p50(relayed), "ms");
  figures.add("pool.proxied_ms", p50(proxied), "ms");
  const overhead = p50(proxied) - p50(direct);
  figures.add("pool.proxy_overhead_ms", overhead, "ms", { most: 2, wholeOnly: true });
  const ratio = overhead / (p50(relayed) - p50(direct));
  figures.add("pool.overhead_vs_relay", ratio, "ratio", { most: 3.2 });

  const total = ways.length * (WARM_UP.calls + size.rounds * size.calls);
  const { calls } = JSON.parse(await client.post(`${api.url}/calls`, "")) as { calls: number };
  figures.add("pool.calls_lost", total - calls, "calls", { most: 0 });
  await Promise.all([endChild(api.child), endChild(relay.child)]);
}

async function warmUp(call: () => Promise<unknown>): Promise<void> {
  for (let at = 0; at < WARM_UP.calls; at += WARM_UP.inFlight)
    await Promise.all(Array.from({ length: WARM_UP.inFlight }, call));
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

function openClient() {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  return {
    async post(url: string, body: string): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const headers = { ...JSON_TYPE, "content-length": Buffer.byteLength(body) };
      request(url, { method: "POST", agent, headers }, resolve).on("error", reject).end(body);
      const answer = await promise;
      const pieces: Buffer[] = [];
      for await (const piece of answer) pieces.push(piece as Buffer);
      const text = Buffer.concat(pieces).toString("utf8");
      if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text}`);
      return text;
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** Makes a pool with one provider by the node's local routes, as curl does; the body of a call to it. */
async function openPool(
  client: ReturnType<typeof openClient>,
  url: string,
  baseUrl: string,
): Promise<string> {
  const act = async (path: string, body: object) =>
    JSON.parse(await client.post(`${url}/__darkmatter__/pools${path}`, JSON.stringify(body))) as Record<
      string,
      string
    >;
  const { pool_id: poolId = "" } = await act("", { name: "bench", tags: ["pool"] });
  await act(`/${poolId}/providers`, {
    base_url: baseUrl,
    allowed_paths: ["/v1"],
    price_per_call: 0.000001,
    credential_value: "Bearer bench",
  });
  const { token_id: token } = await act(`/${poolId}/tokens`, { consumer_agent_id: CONSUMER, amount: 1000 });
  return JSON.stringify({
    pool_id: poolId,
    access_token: token,
    method: "POST",
    path: "/v1/chat",
    headers: JSON_TYPE,
    body: BODY,
  });
}
