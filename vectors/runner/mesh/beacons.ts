import { fromHex, isoTime, type Json, type JsonObject, parseJson, parseTime, utf8 } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createVerifier, sdpText } from "@darkmatter/identity";
import { readPacket, signalBytes, type TestNode, testNode } from "@darkmatter/mesh/testing";
import type { MulticastGroup } from "@darkmatter/net";
import { memoryInternet, memoryLan } from "@darkmatter/net/testing";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import { furnish, type Setup } from "./setup.ts";

interface Document {
  readonly now: string;
  readonly emitted: {
    readonly setup: Setup;
    readonly bio: string;
    readonly sent_to: readonly [string, number];
    readonly packet: JsonObject;
  };
  readonly received: readonly Received[];
  readonly lan_signalling_examples: readonly JsonObject[];
}

interface Received {
  readonly label: string;
  readonly from_ip: string;
  readonly packet_hex: string;
  readonly registered: Readonly<Record<string, JsonObject>>;
  readonly reference_weakness?: string;
}

const OWN_ADDRESS = "192.168.1.9";

/** What is said and heard in the local network (mesh.md 8). */
export async function* beacons(document: Json): AsyncIterable<Outcome> {
  const { now, emitted, received, lan_signalling_examples: signals } = document as unknown as Document;
  const nowMs = parseTime(now) ?? 0;
  yield ran("emitted", (found) => checkEmitted(found, emitted, nowMs));
  for (const one of received) {
    yield ran(`received: ${one.label}`, (found) => checkReceived(found, one, emitted, nowMs));
  }
  for (const packet of signals) yield ran(`signal: ${packet.type}`, (found) => checkSignal(found, packet));
}

/** One node in a local network where the case speaks for everybody else. */
async function nodeOnLan({ setup, bio, sent_to: [address, port] }: Document["emitted"], nowMs: number) {
  const clock = virtualClock({ startMs: nowMs });
  const lan = memoryLan();
  const group: MulticastGroup = { address, port, ttl: 2 };
  const node = await testNode({
    clock,
    random: seededRandom(1),
    wire: memoryInternet({ clock, random: seededRandom(2) }).host({ address: OWN_ADDRESS }).wire,
    seed: setup.node.private_key_hex,
    host: OWN_ADDRESS,
    port: Number(new URL(setup.node.public_url).port),
    multicast: lan.multicastOf({ address: () => OWN_ADDRESS }),
  });
  await furnish(node, { ...setup, node: { ...setup.node, bio } }, nowMs);
  const settle = async () => {
    await clock.settle();
    await node.mesh.idle();
  };
  return {
    node,
    settle,
    member: (from: string, heard: (bytes: Uint8Array) => void) =>
      lan.multicastOf({ address: () => from }).join(group, (datagram) => heard(datagram.bytes)),
    async listed(): Promise<JsonObject[]> {
      const looking = node.tool("discover_local") as Promise<{ peers: JsonObject[] }>;
      await clock.advance(5000);
      return (await looking).peers;
    },
  };
}

async function checkEmitted(found: Findings, emitted: Document["emitted"], nowMs: number): Promise<void> {
  const { node, settle, member } = await nodeOnLan(emitted, nowMs);
  await using _node: TestNode = node;
  const said: string[] = [];
  await member("192.168.1.42", (bytes) => void said.push(new TextDecoder().decode(bytes)));
  await node.job("discovery.lan");
  await settle();
  found.equal("beacons", said.length, 1);
  found.like("packet", parseJson(said[0] ?? ""), emitted.packet, { extraKeys: [] });
}

async function checkReceived(
  found: Findings,
  one: Received,
  emitted: Document["emitted"],
  nowMs: number,
): Promise<void> {
  const { node, settle, member, listed } = await nodeOnLan(emitted, nowMs);
  await using _node: TestNode = node;
  await node.job("discovery.lan");
  const speaker = await member(one.from_ip, () => undefined);
  await speaker.send(fromHex(one.packet_hex) ?? new Uint8Array());
  await settle();
  // What the reference takes and should not, is not taken here.
  const expected = one.reference_weakness ? {} : one.registered;
  const peers = (await listed()).map(({ agent_id: id, ...peer }) => [String(id), peer] as const);
  found.like("registered", Object.fromEntries(peers), expected);
  found.equal("agents registered", peers.length, Object.keys(expected).length);
  for (const [, { last_seen: seen }] of peers) found.equal("seen", seen ?? null, isoTime(nowMs));
  found.equal("what went wrong inside", node.reports.join("; "), "");
}

async function checkSignal(found: Findings, packet: JsonObject): Promise<void> {
  const signal = readPacket(utf8(JSON.stringify(packet)));
  if (!signal || signal.kind === "beacon") return found.wrong("is not read as a signal");
  found.like("written again", parseJson(new TextDecoder().decode(signalBytes(signal))), packet, {
    extraKeys: [],
  });
  const { sdp, sdp_signature_hex: signature } = signal.data;
  if (typeof signature !== "string") return;
  const text = sdpText({ agentId: signal.from, sdp: String(sdp) });
  const isSigned = await createVerifier({ threads: "never" }).verify(signal.from, text ?? "", signature);
  found.holds("the offer is not signed by its sender", isSigned);
}
