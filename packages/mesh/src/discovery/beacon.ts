import {
  cutCodePoints,
  isAdmissibleKey,
  isJsonObject,
  type JsonObject,
  parseJson,
  utf8,
} from "@darkmatter/core";
import { lanBeaconText, type Signer, signText, type Verifier } from "@darkmatter/identity";

/** mesh.md 8. */
export const LAN_GROUP = { address: "239.77.68.77", port: 8470, ttl: 2 } as const;
/** How far a beacon's time may be from ours, in seconds, inclusive (mesh.md 8). */
export const BEACON_FRESH_S = 90;
export const BEACON_BYTES_MAX = 4 * 1024;
/** Offers and answers hold a session description. */
export const PACKET_BYTES_MAX = 16 * 1024;
const BIO_TOLD_MAX = 100;
const PORT_DEFAULT = 8100;
const NAME_MAX = 100;

/** What a beacon says besides its signed part. */
export interface BeaconWords {
  readonly displayName: string;
  readonly bio: string;
  readonly status: string;
  readonly accepting: boolean;
}

/** An agent that says where it is. Only id, port and time are signed. */
export interface Beacon extends BeaconWords {
  readonly kind: "beacon";
  readonly agentId: string;
  readonly port: number;
  /** Unix time in whole seconds. */
  readonly sentAt: number;
  readonly signatureHex: string;
  /** Asks whoever hears it to say where it is; nodes of the first generation read past it. */
  readonly asks: boolean;
}

/** An offer or answer for a data channel, to one agent of the network (mesh.md 8). */
export interface LanSignal {
  readonly kind: "offer" | "answer";
  readonly from: string;
  readonly to: string;
  /** As in `offer_data` and `answer_data`; its own signature is for the receiver to check. */
  readonly data: JsonObject;
}

export type LanPacket = Beacon | LanSignal;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads what came from the group; `undefined` for whatever is no packet of ours. Checks no signature. */
export function readPacket(bytes: Uint8Array): LanPacket | undefined {
  if (bytes.length > PACKET_BYTES_MAX) return undefined;
  const packet = parseJson(textOf(bytes) ?? "");
  if (!isJsonObject(packet) || packet.proto !== "darkmatter") return undefined;
  if (packet.type === undefined || packet.type === "beacon") {
    return bytes.length <= BEACON_BYTES_MAX ? beaconOf(packet) : undefined;
  }
  if (packet.type === "sdp_offer") return signalOf("offer", packet, packet.offer_data);
  return packet.type === "sdp_answer" ? signalOf("answer", packet, packet.answer_data) : undefined;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function beaconOf(packet: JsonObject): Beacon | undefined {
  const { agent_id: agentId, public_key_hex: key, beacon_signature_hex: signatureHex, ts: sentAt } = packet;
  const port = packet.port === undefined ? PORT_DEFAULT : packet.port;
  if (!isAgentId(agentId) || typeof key !== "string" || key.toLowerCase() !== agentId) return undefined;
  if (typeof signatureHex !== "string" || signatureHex.length !== 128) return undefined;
  if (!isWhole(port, 1, 65_535) || !isWhole(sentAt, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  return {
    kind: "beacon",
    agentId,
    port,
    sentAt,
    signatureHex,
    displayName: wordsOf(packet.display_name, NAME_MAX),
    bio: wordsOf(packet.bio, BIO_TOLD_MAX),
    status: packet.status === "inactive" ? "inactive" : "active",
    accepting: packet.accepting === true,
    asks: packet.ask === true,
  };
}

function signalOf(kind: LanSignal["kind"], packet: JsonObject, data: unknown): LanSignal | undefined {
  const { from_agent_id: from, target_agent_id: to } = packet;
  return isAgentId(from) && isAgentId(to) && isJsonObject(data) ? { kind, from, to, data } : undefined;
}

const wordsOf = (value: unknown, max: number) => (typeof value === "string" ? cutCodePoints(value, max) : "");
const isAgentId = (value: unknown): value is string =>
  typeof value === "string" && value === value.toLowerCase() && isAdmissibleKey(value);
const isWhole = (value: unknown, min: number, max: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;

/** Whether a beacon is of now: one that is old may be sent again by anyone. */
export function isFresh({ sentAt }: Beacon, nowMs: number): boolean {
  return Math.abs(Math.floor(nowMs / 1000) - sentAt) <= BEACON_FRESH_S;
}

/** Whether the agent itself said it. */
export async function isGenuine(beacon: Beacon, verifier: Verifier): Promise<boolean> {
  const text = lanBeaconText(beacon);
  return text !== undefined && (await verifier.verify(beacon.agentId, text, beacon.signatureHex));
}

/** A beacon of our own, as bytes. */
export function beaconBytes(
  signer: Signer,
  at: { readonly port: number; readonly sentAt: number; readonly asks: boolean },
  words: BeaconWords,
): Uint8Array {
  const { port, sentAt, asks } = at;
  const signature = signText(signer, lanBeaconText({ agentId: signer.agentId, port, sentAt }));
  return packetBytes({
    proto: "darkmatter",
    v: "0.2",
    agent_id: signer.agentId,
    display_name: cutCodePoints(words.displayName, NAME_MAX),
    public_key_hex: signer.agentId,
    bio: cutCodePoints(words.bio, BIO_TOLD_MAX),
    port,
    status: words.status,
    accepting: words.accepting,
    ts: sentAt,
    beacon_signature_hex: signature,
    ...(asks && { ask: true }),
  });
}

export function signalBytes({ kind, from, to, data }: LanSignal): Uint8Array {
  const packet = { proto: "darkmatter", type: `sdp_${kind}`, target_agent_id: to, from_agent_id: from };
  return packetBytes({ ...packet, [`${kind}_data`]: data });
}

const packetBytes = (packet: JsonObject) => utf8(JSON.stringify(packet));
