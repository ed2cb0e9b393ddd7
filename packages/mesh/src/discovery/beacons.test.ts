import { type JsonObject, SECOND_MS, utf8 } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, lanBeaconText, type Signer, signText } from "@darkmatter/identity";
import { netError } from "@darkmatter/net";
import { type MemoryLan, memoryLan } from "@darkmatter/net/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBackground } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import type { Identity } from "../identity/identity.ts";
import type { MeshPorts } from "../ports.ts";
import type { Presence } from "../presence/presence.ts";
import { TEST_CONFIG } from "../testing.ts";
import { LAN_GROUP, readPacket } from "./beacon.ts";
import { CHECKS_PER_SECOND, createIntake, SOURCE_BURST, SOURCE_PER_SECOND } from "./intake.ts";
import { createLan } from "./lan.ts";
import { createSightings, DISCOVERED_MAX, LISTED_PER_ADDRESS_MAX } from "./sightings.ts";

const NOW = Date.parse("2026-03-05T12:00:00Z");
const HOME = "192.168.1.5";
const signerOf = (number: number) => {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number + 1);
  return createSigner(seed);
};

/** One node's ear and voice on a local network where the test speaks for everybody else. */
function house(options: { host?: string; discovery?: boolean; lan?: MemoryLan } = {}) {
  const clock = virtualClock({ startMs: NOW });
  const lan = options.lan ?? memoryLan();
  const reports: string[] = [];
  const said: JsonObject[] = [];
  const connected = new Map<string, string>();
  const me = { address: HOME as string | undefined, status: "active", bio: "quiet", checked: 0 };
  const verifier = createVerifier({ threads: "never" });
  const signer = signerOf(0);
  const report = (event: string) => void reports.push(event);
  const background = createBackground(report);
  const sightings = createSightings(clock.now);
  const ports = {
    clock,
    random: seededRandom(1),
    config: { ...TEST_CONFIG, discovery: options.discovery ?? true },
    signer,
    verifier: {
      verify(...text: Parameters<typeof verifier.verify>) {
        me.checked++;
        return verifier.verify(...text);
      },
    },
    report,
    listening: () => ({ host: options.host ?? "0.0.0.0", port: 8100 }),
    multicast: lan.multicastOf({ address: () => me.address }),
  } as unknown as MeshPorts;
  const services = {
    identity: {
      profile: async () => ({ displayName: "me", bio: me.bio, createdAt: "" }),
    } as unknown as Identity,
    presence: { status: () => me.status } as unknown as Presence,
    connections: {
      hasRoom: async () => true,
      has: async (_db: unknown, id: string) => connected.has(id),
    } as unknown as Connections,
    background,
  };
  const node = createLan(ports, services, sightings);
  const join = (address: string, hear: (text: string) => void) =>
    lan
      .multicastOf({ address: () => address })
      .join(LAN_GROUP, ({ bytes, address: from }) => from === HOME && hear(Buffer.from(bytes).toString()));

  return {
    node,
    clock,
    reports,
    said,
    connected,
    me,
    id: signer.agentId,
    listed: () => sightings.all(),
    async settle() {
      await clock.settle();
      await background.idle();
    },
    /** Sends a packet as another machine. */
    async say(packet: object | string | Uint8Array, address = "192.168.1.42") {
      const text = typeof packet === "string" ? packet : JSON.stringify(packet);
      const member = await join(address, () => undefined);
      await member.send(packet instanceof Uint8Array ? packet : utf8(text));
      await this.settle();
      await member.close();
    },
    async listen() {
      await join("192.168.1.250", (text) => void said.push(JSON.parse(text) as JsonObject));
    },
  };
}

function beacon(signer: Signer, fields: JsonObject = {}): JsonObject {
  const { agentId } = signer;
  const { port = 8100, ts = NOW / 1000 } = fields as { port?: number; ts?: number };
  const signature = signText(signer, lanBeaconText({ agentId, port, sentAt: ts }));
  return {
    proto: "darkmatter",
    v: "0.2",
    agent_id: agentId,
    display_name: "peer",
    public_key_hex: agentId,
    bio: "b",
    port,
    status: "active",
    accepting: true,
    ts,
    beacon_signature_hex: signature,
    ...fields,
  };
}

describe("hearing beacons", () => {
  const peer = signerOf(1);

  test("an agent that says where it is, is listed with what it says", async () => {
    const home = house();
    await home.node.tick();
    await home.say(beacon(peer, { type: "beacon", status: "inactive" }));
    expect(home.listed()).toEqual([
      {
        agentId: peer.agentId,
        url: "http://192.168.1.42:8100",
        bio: "b",
        status: "inactive",
        accepting: true,
        source: "lan",
        seenAtMs: NOW,
      },
    ]);
  });

  const other = signerOf(2);
  const good = beacon(peer);
  const { beacon_signature_hex: signature, public_key_hex: _key, ...keyless } = good;
  const refused: ReadonlyArray<readonly [string, object | string | Uint8Array, string?]> = [
    ["nothing", ""],
    ["no JSON", "{not json"],
    ["a list", "[1]"],
    ["another protocol", { ...good, proto: "other" }],
    ["another type", { ...good, type: "farewell" }],
    ["no signature", { ...good, beacon_signature_hex: undefined }],
    ["a short signature", { ...good, beacon_signature_hex: String(signature).slice(2) }],
    ["a signature over another port", { ...good, port: 8101 }],
    ["a signature over another time", { ...good, ts: NOW / 1000 + 1 }],
    ["a signature by another key", { ...good, agent_id: other.agentId, public_key_hex: other.agentId }],
    ["no key", { ...keyless, beacon_signature_hex: signature }],
    ["a key that is not the id", { ...beacon(peer), public_key_hex: other.agentId }],
    ["an id in capitals", { ...good, agent_id: peer.agentId.toUpperCase() }],
    [
      "a key of small order",
      { ...good, agent_id: `01${"00".repeat(31)}`, public_key_hex: `01${"00".repeat(31)}` },
    ],
    ["91 seconds old", beacon(peer, { ts: NOW / 1000 - 91 })],
    ["91 seconds ahead", beacon(peer, { ts: NOW / 1000 + 91 })],
    ["a broken time", { ...good, ts: NOW / 1000 + 0.5 }],
    ["port 0", beacon(peer, { port: 0 })],
    ["port 65536", beacon(peer, { port: 65_536 })],
    ["more than 4 KiB", { ...good, padding: "x".repeat(4096) }],
    ["bytes that are no text", Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d])],
    ["a loopback address", good, "127.0.0.1"],
    ["a link-local address", good, "169.254.1.1"],
  ];
  const rows = refused.map(([what, packet, address = "192.168.1.42"]) => ({ what, packet, address }));
  test.each(rows)("$what is no beacon", async ({ packet, address }) => {
    const home = house();
    await home.node.tick();
    await home.say(packet, address);
    expect(home.listed()).toEqual([]);
    expect(home.reports).toEqual([]);
  });

  test.each([-90, 90])("a beacon that is %d seconds off is still taken", async (seconds) => {
    const home = house();
    await home.node.tick();
    await home.say(beacon(peer, { ts: NOW / 1000 + seconds }));
    expect(home.listed()).toHaveLength(1);
  });

  test("our own beacon, sent back by somebody, is none", async () => {
    const home = house();
    await home.listen();
    await home.node.tick();
    await home.settle();
    await home.say(home.said[0] ?? "");
    expect(home.said).toHaveLength(1);
    expect(home.listed()).toEqual([]);
  });

  test("no bytes and no JSON make the reader throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readPacket(bytes)));
    const fields = fc.dictionary(
      fc.constantFrom(
        ...Object.keys(good),
        "type",
        "offer_data",
        "answer_data",
        "from_agent_id",
        "target_agent_id",
      ),
      fc.oneof(fc.jsonValue(), fc.constantFrom("sdp_offer", "sdp_answer", peer.agentId)),
    );
    fc.assert(
      fc.property(fields, (more) => void readPacket(utf8(JSON.stringify({ ...good, ...more })))),
      { numRuns: 500 },
    );
  });
});

describe("saying where we are", () => {
  test("at the start, each 30 seconds, and when the status changes", async () => {
    const home = house();
    await home.listen();
    const ticks = async (seconds: number) => {
      for (let count = 0; count < seconds; count++) {
        await home.node.tick();
        await home.clock.advance(SECOND_MS);
      }
    };
    await ticks(30);
    expect(home.said).toHaveLength(1);
    expect(home.said[0]).toMatchObject({ agent_id: home.id, port: 8100, bio: "quiet", accepting: true });
    expect(home.said[0]).not.toHaveProperty("ask");
    await ticks(30);
    expect(home.said.map(({ ts }) => ts)).toEqual([NOW / 1000, NOW / 1000 + 30]);
    home.me.status = "inactive";
    await ticks(1);
    expect(home.said.at(-1)).toMatchObject({ status: "inactive", ts: NOW / 1000 + 60 });
  });

  test("what is said is signed, and bounded", async () => {
    const home = house();
    await home.listen();
    home.me.bio = "é".repeat(5000);
    await home.node.announce();
    await home.settle();
    const packet = readPacket(utf8(JSON.stringify(home.said[0])));
    expect(packet).toMatchObject({ kind: "beacon", agentId: home.id, bio: "é".repeat(100) });
  });

  test.each([
    ["on loopback alone", { host: "127.0.0.1" }],
    ["on loopback by its name", { host: "localhost" }],
    ["with discovery off", { discovery: false }],
  ])("a node %s joins nothing, says nothing and hears nothing", async (_what, options) => {
    const home = house(options);
    await home.listen();
    await home.node.tick();
    await home.node.announce({ asks: true });
    await home.say(beacon(signerOf(1)));
    expect([home.said, home.listed(), home.node.signals.isOn()]).toEqual([[], [], false]);
    await expect(home.node.signals.send({ kind: "offer", to: "ab", data: {} })).rejects.toMatchObject({
      code: "MULTICAST_FAILED",
    });
  });

  test("a network that is gone is told once, and found again when it is back", async () => {
    const home = house();
    await home.listen();
    home.me.address = undefined;
    for (let count = 0; count < 90; count++) {
      await home.node.tick();
      await home.clock.advance(SECOND_MS);
    }
    expect(home.reports).toEqual(["discovery.lan-failed"]);
    home.me.address = HOME;
    for (let count = 0; count < 30; count++) {
      await home.node.tick();
      await home.clock.advance(SECOND_MS);
    }
    expect(home.said).toHaveLength(1);
    home.me.address = undefined;
    await home.node.announce();
    home.me.address = HOME;
    await home.node.announce();
    await home.settle();
    expect(home.said).toHaveLength(2);
    await home.node.leave();
    await home.say(beacon(signerOf(1)));
    expect(home.listed()).toEqual([]);
  });

  test("a new agent and one that asks are answered at once, and at most once a second", async () => {
    const home = house();
    await home.listen();
    await home.node.tick();
    await home.clock.advance(5 * SECOND_MS);
    const now = () => Math.floor(home.clock.now() / 1000);
    await home.say(beacon(signerOf(1), { ts: now() }));
    expect(home.said).toHaveLength(2);
    await home.clock.advance(5 * SECOND_MS);
    await home.say(beacon(signerOf(1), { ts: now() }));
    expect(home.said).toHaveLength(2);
    for (let count = 0; count < 20; count++) await home.say(beacon(signerOf(1), { ts: now(), ask: true }));
    expect(home.said).toHaveLength(3);
    await home.clock.advance(SECOND_MS);
    await home.node.tick();
    await home.settle();
    expect(home.said).toHaveLength(4);
  });
});

describe("beacons that are sent again", () => {
  const peer = signerOf(1);
  const urls = (home: ReturnType<typeof house>) => home.listed().map(({ url }) => url);

  test("an old one, or the newest, from another address moves nobody", async () => {
    const home = house();
    await home.node.tick();
    const first = beacon(peer);
    await home.say(first);
    await home.clock.advance(30 * SECOND_MS);
    const second = beacon(peer, { ts: NOW / 1000 + 30 });
    await home.say(second);
    await home.say(first, "192.168.1.66");
    await home.say(second, "192.168.1.66");
    expect(urls(home)).toEqual(["http://192.168.1.42:8100"]);
    await home.say(beacon(peer, { ts: NOW / 1000 + 31 }), "192.168.1.43");
    expect(urls(home)).toEqual(["http://192.168.1.43:8100"]);
  });

  test("of a connected agent are told as hints, and not when they are sent again from elsewhere", async () => {
    const home = house();
    const sightings: string[] = [];
    home.node.onSighting((id, url) => void sightings.push(`${id === peer.agentId} ${url}`));
    home.connected.set(peer.agentId, "http://192.168.1.42:8100/mcp");
    await home.node.tick();
    await home.say(beacon(peer), "192.168.1.77");
    await home.say(beacon(signerOf(2)), "192.168.1.78");
    expect(sightings).toEqual(["true http://192.168.1.77:8100"]);
    await home.say(beacon(peer), "192.168.1.66");
    expect(sightings).toHaveLength(1);
    expect(urls(home)).toEqual(["http://192.168.1.77:8100", "http://192.168.1.78:8100"]);
  });
});

describe("floods", () => {
  test("a thousand throw-away agents a second of one address cost few checks and drown nobody", async () => {
    const home = house();
    await home.node.tick();
    const [friend, neighbour] = [signerOf(1), signerOf(2)];
    home.connected.set(friend.agentId, "http://192.168.1.42:8100");
    await home.say(beacon(friend));
    await home.say(beacon(neighbour), "192.168.1.43");
    for (let second = 0; second < 5; second++) {
      const ts = Math.floor(home.clock.now() / 1000);
      for (let count = 0; count < 1000; count++) {
        await home.say(beacon(signerOf(100 + second * 1000 + count), { ts }), "192.168.1.66");
      }
      await home.clock.advance(SECOND_MS);
    }
    expect(home.me.checked).toBeLessThanOrEqual(2 + SOURCE_BURST + 5 * SOURCE_PER_SECOND);
    const ts = Math.floor(home.clock.now() / 1000);
    await home.say(beacon(signerOf(3), { ts }), "192.168.1.44");
    const listed = home.listed().map(({ agentId }) => agentId);
    for (const real of [friend, neighbour, signerOf(3)]) expect(listed).toContain(real.agentId);
    expect(listed.length).toBeLessThanOrEqual(3 + LISTED_PER_ADDRESS_MAX);
  });

  test("of many addresses too, the checks of a second are bounded, and known addresses keep their share", () => {
    let nowMs = 0;
    const intake = createIntake(() => nowMs);
    let checked = 0;
    for (let count = 0; count < 5000; count++) {
      const address = `10.0.${count >> 8}.${count & 255}`;
      if (intake.reads(address) && intake.checks(false)) checked++;
    }
    expect(checked).toBe(CHECKS_PER_SECOND);
    expect(intake.checks(true)).toBe(true);
    nowMs += SECOND_MS;
    expect(intake.checks(false)).toBe(true);
    nowMs += 10 * SECOND_MS;
    expect(intake.reads("10.99.0.1")).toBe(true);
  });

  test("the list is bounded; throw-away ids of many addresses push out one another, never connected agents", () => {
    let nowMs = NOW;
    const sightings = createSightings(() => nowMs);
    const packet = readPacket(utf8(JSON.stringify(beacon(signerOf(1)))));
    const heard = (id: string, address: string, connected = false) => {
      if (packet?.kind !== "beacon") throw new Error("no beacon");
      nowMs++;
      return sightings.heard({ ...packet, agentId: id }, address, connected);
    };
    expect(heard("friend", "192.168.1.2", true)).toBe("new");
    expect(heard("neighbour", "192.168.1.3")).toBe("new");
    for (let count = 0; count < 3000; count++) heard(`throw-away ${count}`, `10.0.0.${count % 20}`);
    const listed = sightings.all();
    expect(listed.length).toBeLessThanOrEqual(DISCOVERED_MAX / 2);
    expect(listed.map(({ agentId }) => agentId)).toEqual(expect.arrayContaining(["friend", "neighbour"]));
  });
});

describe("signals for data channels", () => {
  const peer = signerOf(1);
  const offer = (from: string, to: string) => ({
    proto: "darkmatter",
    type: "sdp_offer",
    target_agent_id: to,
    from_agent_id: from,
    offer_data: { sdp: "v=0…" },
  });

  test("an offer for us of a connected agent is handed on once, no other is", async () => {
    const home = house();
    const [offers, answers]: unknown[][] = [[], []];
    home.node.signals.onOffer((signal) => void offers?.push(signal));
    home.node.signals.onAnswer((signal) => void answers?.push(signal));
    await home.node.tick();
    await home.say(offer(peer.agentId, home.id));
    expect(offers).toEqual([]);
    home.connected.set(peer.agentId, "http://192.168.1.42:8100");
    await home.say(offer(peer.agentId, signerOf(7).agentId));
    await home.say(offer(signerOf(7).agentId, home.id));
    await home.say({ ...offer(peer.agentId, home.id), offer_data: "v=0…" });
    await home.say({ ...offer(peer.agentId, home.id), padding: "x".repeat(16 * 1024) });
    expect(offers).toEqual([]);
    for (let count = 0; count < 3; count++) await home.say(offer(peer.agentId, home.id));
    expect(offers).toEqual([{ kind: "offer", from: peer.agentId, to: home.id, data: { sdp: "v=0…" } }]);
    const { offer_data: data, ...rest } = offer(peer.agentId, home.id);
    await home.say({ ...rest, type: "sdp_answer", answer_data: data });
    expect([offers?.length, answers?.length]).toEqual([1, 1]);
  });

  test("an answer of ours goes out as nodes of the first generation send it", async () => {
    const home = house();
    await home.listen();
    await home.node.signals.send({ kind: "answer", to: peer.agentId, data: { sdp: "v=0…", type: "answer" } });
    await home.settle();
    expect(home.said).toEqual([
      {
        proto: "darkmatter",
        type: "sdp_answer",
        target_agent_id: peer.agentId,
        from_agent_id: home.id,
        answer_data: { sdp: "v=0…", type: "answer" },
      },
    ]);
  });

  test("what is too long for anybody to read is not sent", async () => {
    const home = house();
    await home.listen();
    const data = { sdp: "x".repeat(16 * 1024) };
    const sending = home.node.signals.send({ kind: "offer", to: peer.agentId, data });
    await expect(sending).rejects.toMatchObject({ code: "MULTICAST_FAILED" });
    expect(home.said).toEqual([]);
  });

  test("a network that fails while we say it is told to the caller", async () => {
    const home = house();
    await home.node.tick();
    home.me.address = undefined;
    const sending = home.node.signals.send({ kind: "offer", to: peer.agentId, data: {} });
    await expect(sending).rejects.toThrow(netError("MULTICAST_FAILED"));
  });
});
