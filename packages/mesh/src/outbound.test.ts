import { isIP } from "node:net";
import { isoTime, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { peerUpdateText, signText } from "@darkmatter/identity";
import {
  addressClass,
  admitUrl,
  bareHost,
  baseUrl,
  netError,
  type OutboundRequest,
  reachableAddresses,
  type Wire,
} from "@darkmatter/net";
import { memoryInternet, type OutboundCase, outboundCorpus } from "@darkmatter/net/testing";
import { describe, expect, test } from "vitest";
import { type Stranger, stranger, testNode } from "./testing.ts";

const { cases, redirects } = outboundCorpus();
const OWN = "5.6.7.10";
/** A connected agent that is away, so that others are asked about it. */
const AWAY = "5.6.7.99";
const UNLIMITED = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 100_000, maxConnections: 100 };

interface Reached {
  readonly address: string;
  readonly path: string;
}

/** A world where somebody answers at every address, and every name leads where the test says. */
function everywhere(own: readonly string[]) {
  const names = new Map<string, readonly string[]>();
  const reached: Reached[] = [];
  let answers = (_url: URL): JsonObject => ({});
  let location: string | undefined;

  async function one(request: OutboundRequest) {
    const url = admitUrl(request.url);
    const host = bareHost(url.hostname);
    const resolved = isIP(host) ? [host] : names.get(host);
    if (!resolved) throw netError("UNREACHABLE");
    const [address = ""] = reachableAddresses(resolved, request.reach);
    if (address === AWAY) throw netError("UNREACHABLE");
    if (!own.includes(address)) reached.push({ address, path: url.pathname });
    const headers: Record<string, string> = location === undefined ? {} : { location };
    const status = location === undefined ? 200 : 302;
    return { url, answer: { status, headers, body: Buffer.from(JSON.stringify(answers(url))) } };
  }
  const wire: Wire = {
    request: async (request) => (await one(request)).answer,
    close: async () => undefined,
  };
  return {
    wire,
    reached,
    names,
    answer: (given: typeof answers) => {
      answers = given;
    },
    redirect: (to: string | undefined) => {
      location = to;
    },
  };
}

/** A node at a public address, connected with two agents there; one of them is away. */
async function nodeAbroad(config: { anchors?: readonly string[] } = {}) {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const at = (address: string, seed: number) =>
    stranger(clock, internet.host({ address }), { seed, url: `http://${address}:9000` });
  const [friend, away, unknown] = [at("5.6.7.30", 1), at(AWAY, 2), at("5.6.7.31", 3)];
  const world = everywhere([new URL(friend.url).hostname, "5.6.7.40"]);
  const random = seededRandom(2);
  const options = { ...UNLIMITED, ...config };
  const place = { seed: random.bytes(32), host: OWN, port: 8100, config: options };
  const node = await testNode({ clock, random, wire: world.wire, ...place });
  const connection = ({ id, url }: Stranger) => ({
    agent_id: id,
    agent_url: url,
    agent_public_key_hex: id,
    addresses: {},
  });
  const connections = Object.fromEntries([friend, away].map((one) => [one.id, connection(one)]));
  const file = JSON.stringify({ agent_id: node.id, connections });
  if (Object.keys(config).length > 0) {
    const only = JSON.stringify({ agent_id: node.id, connections: { [away.id]: connection(away) } });
    await node.db.write((tx) => node.mesh.stateFiles.load(tx, only));
  } else await node.db.write((tx) => node.mesh.stateFiles.load(tx, file));
  return {
    node,
    friend,
    away,
    unknown,
    world,
    clock,
    async settle() {
      await clock.settle();
      await node.mesh.idle();
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

type Abroad = Awaited<ReturnType<typeof nodeAbroad>>;

/** Gives a node each URL of the corpus by one of its ways in; what was reached of those it must not reach. */
async function reachedWrongly(
  abroad: Abroad,
  reach: "public" | "private",
  give: (url: string) => Promise<unknown>,
  given = cases,
): Promise<{ readonly wrong: string[]; readonly right: number }> {
  const wrong: string[] = [];
  let right = 0;
  for (const one of given) {
    const host = URL.parse(one.url)?.hostname;
    if (one.resolves && host) abroad.world.names.set(bareHost(host), one.resolves[0] ?? []);
    abroad.world.reached.splice(0);
    await give(one.url);
    await abroad.settle();
    const reached = abroad.world.reached.map(({ address }) => address);
    if (reached.length > 0 && one[reach] === "refused") wrong.push(`${JSON.stringify(one.url)}: ${reached}`);
    if (reached.length > 0 && one[reach] === "allowed") right++;
    if (reached.some((address) => !isWithin(address, one, reach)))
      wrong.push(`${one.url}: elsewhere, ${reached}`);
  }
  return { wrong, right };
}

function isWithin(address: string, { connects }: OutboundCase, reach: "public" | "private"): boolean {
  const kind = addressClass(address);
  const only = connects?.[reach];
  return (
    (kind === "public" || (reach === "private" && kind !== "forbidden")) && (!only || only.includes(address))
  );
}

/** What a person types is read kindly: without the blanks around it, and a host alone is one. */
const TYPED = cases.filter(
  ({ trick }) => trick !== "blanks and control characters" && trick !== "no http URL",
);

/** Enough of the corpus is allowed under each reach that a way which reaches nothing at all would be noticed. */
const REACHED_MIN = { public: 25, private: 60 };

describe("whatever URL a node is given, it calls nobody it must not", () => {
  test("as the webhook of an agent it does not know", async () => {
    await using abroad = await nodeAbroad();
    const { node, unknown } = abroad;
    const { wrong, right } = await reachedWrongly(abroad, "public", async (url) => {
      const webhook = `${baseUrl(url)}/__darkmatter__/webhook/msg-1`;
      await unknown.post(node, "message", unknown.message({ webhook }));
    });
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.public);
  });

  test("as the webhook of a connected agent", async () => {
    await using abroad = await nodeAbroad();
    const { node, friend } = abroad;
    const { wrong, right } = await reachedWrongly(abroad, "private", async (url) => {
      const webhook = `${baseUrl(url)}/__darkmatter__/webhook/msg-1`;
      await friend.post(node, "message", friend.message({ webhook }));
    });
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.private);
  });

  test("as the target of a connection", async () => {
    await using abroad = await nodeAbroad();
    const { wrong, right } = await reachedWrongly(
      abroad,
      "private",
      (url) => abroad.node.tool("connection", { action: "request", target_url: url }).catch(() => undefined),
      TYPED,
    );
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.private);
  });

  test("as a domain to look at, also in the forms without a scheme", async () => {
    await using abroad = await nodeAbroad();
    const look = async (url: string) => {
      for (const domain of [url, url.replace(/^https?:\/\//i, "")]) {
        await abroad.node.tool("discover_domain", { domain }).catch(() => undefined);
      }
    };
    const { wrong, right } = await reachedWrongly(abroad, "private", look, TYPED);
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.private);
  });

  test.each(redirects)("where a domain sends it on to: $trick ($location)", async ({ location, ...one }) => {
    await using abroad = await nodeAbroad();
    abroad.world.redirect(location);
    abroad.world.names.set("localhost", ["127.0.0.1"]);
    await abroad.node.tool("discover_domain", { domain: "http://5.6.7.50" });
    const addresses = abroad.world.reached
      .map(({ address }) => address)
      .filter((address) => address !== "5.6.7.50");
    expect(addresses.length > 0).toBe(one.public === "allowed");
  });

  test("as the place where a connected agent says it is now", async () => {
    await using abroad = await nodeAbroad();
    const { node, friend, clock } = abroad;
    const say = async (newUrl: string) => {
      await clock.advance(1000);
      const timestamp = isoTime(clock.now());
      const text = peerUpdateText({ agentId: friend.id, newUrl, timestamp });
      if (text === undefined) return;
      const signature = signText(friend.signer, text);
      const body = { agent_id: friend.id, new_url: newUrl, timestamp, public_key_hex: friend.id, signature };
      await friend.post(node, "peer_update", body, "5.6.7.30");
    };
    const { wrong, right } = await reachedWrongly(abroad, "private", async (url) => {
      await say(friend.url);
      await abroad.settle();
      abroad.world.reached.splice(0);
      await say(url);
      await node.tool("send_message", { content: "where are you?", target_agent_id: friend.id });
    });
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.public);
  });

  test.each([
    ["a connected agent", {}],
    ["an anchor", { anchors: ["http://5.6.7.40:5001"] }],
  ])("as the place where %s says another is", async (_who, config) => {
    await using abroad = await nodeAbroad(config);
    const { node, away, world, clock } = abroad;
    let named = "";
    world.answer(
      (url): JsonObject => (url.pathname.includes("/peer_lookup/") ? { agent_id: away.id, url: named } : {}),
    );
    const { wrong, right } = await reachedWrongly(abroad, "public", async (url) => {
      named = url;
      await clock.advance(MINUTE_MS);
      const sent = await node.tool("send_message", { content: "where are you?", target_agent_id: away.id });
      await abroad.settle();
      // A queue has an end, and what waits in it keeps the next from being tried at once.
      await node.tool("expire_message", { message_id: sent.message_id }).catch(() => undefined);
    });
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REACHED_MIN.public);
  });
});
