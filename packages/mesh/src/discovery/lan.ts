import { reasonOf, SECOND_MS } from "@darkmatter/core";
import { addressClass, type Datagram, isLoopbackHost, type MulticastMember, netError } from "@darkmatter/net";
import type { Background } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import type { Identity } from "../identity/identity.ts";
import type { MeshPorts } from "../ports.ts";
import type { Presence } from "../presence/presence.ts";
import {
  type Beacon,
  beaconBytes,
  isFresh,
  isGenuine,
  LAN_GROUP,
  type LanPacket,
  type LanSignal,
  PACKET_BYTES_MAX,
  readPacket,
  signalBytes,
} from "./beacon.ts";
import { createIntake } from "./intake.ts";
import { createSignalDesk, type LanSignals } from "./lan-signals.ts";
import type { Sightings } from "./sightings.ts";

const BEACON_PERIOD_MS = 30 * SECOND_MS;
/** Who asks is answered at once, and not more often than this however many ask. */
export const ANSWER_GAP_MS = SECOND_MS;

/** A connected agent said where it is. Only a hint: whether it is there is to be confirmed at the place. */
export type SightingListener = (agentId: string, url: string) => void;

/** Beacons: saying where we are, and hearing where others are (mesh.md 8). */
export interface Lan {
  readonly signals: LanSignals;
  onSighting(listener: SightingListener): Disposable;
  /** Says where we are, if the local network is listened to. `asks` others to do the same. */
  announce(options?: { readonly asks?: boolean }): Promise<void>;
  /** To be called each second: joins the group, says where we are each 30 s, and what has changed. */
  tick(): Promise<void>;
  /** For good. */
  leave(): Promise<void>;
}

/** Whether a node that listens there can be reached from another machine. */
export function isBeyondLoopback(host: string): boolean {
  return !isLoopbackHost(host);
}

export interface LanServices {
  readonly identity: Identity;
  readonly presence: Presence;
  readonly connections: Connections;
  readonly background: Background;
}

export function createLan(ports: MeshPorts, services: LanServices, sightings: Sightings): Lan {
  const { clock, config, db, signer, report, listening, multicast } = ports;
  const { identity, presence, connections, background } = services;
  const intake = createIntake(clock.monotonic);
  const desk = createSignalDesk(clock.monotonic);
  const listeners = new Set<SightingListener>();
  let member: MulticastMember | undefined;
  let joining: Promise<void> | undefined;
  let hasFailed = false;
  let said: { readonly atMs: number; readonly status: string } | undefined;
  let owesAnswer = false;
  let isOver = false;

  const mayListen = () =>
    !isOver &&
    multicast !== undefined &&
    config.discovery &&
    isBeyondLoopback(listening()?.host ?? "127.0.0.1");

  async function join(): Promise<void> {
    if (!multicast) return;
    member = await multicast.join(LAN_GROUP, hear);
    hasFailed = false;
  }

  /** Told once: a laptop may be without a network for days. */
  function failed(error: unknown): void {
    if (!hasFailed) report("discovery.lan-failed", { reason: reasonOf(error) });
    hasFailed = true;
  }

  async function drop(): Promise<void> {
    const was = member;
    member = undefined;
    await was?.close();
  }

  async function isIn(): Promise<boolean> {
    if (!mayListen()) return false;
    if (!member) {
      joining ??= join()
        .catch(failed)
        .finally(() => {
          joining = undefined;
        });
      await joining;
    }
    return member !== undefined;
  }

  async function announce({ asks = false } = {}): Promise<void> {
    const status = presence.status();
    said = { atMs: clock.now(), status };
    owesAnswer = false;
    if (!(await isIn())) return;
    const port = listening()?.port ?? 0;
    const { displayName, bio } = await identity.profile(db);
    const words = { displayName, bio, status, accepting: await connections.hasRoom(db) };
    const at = { port, sentAt: Math.floor(clock.now() / SECOND_MS), asks };
    try {
      await member?.send(beaconBytes(signer, at, words));
    } catch (error) {
      failed(error);
      // A socket that has failed for good is of no use: the next beacon begins anew.
      await drop();
    }
  }

  async function tick(): Promise<void> {
    const sinceMs = said === undefined ? BEACON_PERIOD_MS : clock.now() - said.atMs;
    // A clock that was set back would be silent until it has caught up.
    const isDue = sinceMs < 0 || sinceMs >= BEACON_PERIOD_MS || said?.status !== presence.status();
    if (isDue || (owesAnswer && sinceMs >= ANSWER_GAP_MS)) await announce();
  }

  function hear({ bytes, address }: Datagram): void {
    // What this machine sends to itself is no news of the network; a link-local address leads nowhere.
    const kind = addressClass(address);
    if ((kind !== "private" && kind !== "public") || !intake.reads(address)) return;
    const packet = readPacket(bytes);
    if (packet && isWorthwhile(packet, address))
      background.start("discovery.heard", () => take(packet, address), "discovery.heard");
  }

  function isWorthwhile(packet: LanPacket, address: string): boolean {
    if (packet.kind !== "beacon") return packet.to === signer.agentId && packet.from !== signer.agentId;
    const isNews = packet.agentId !== signer.agentId && isFresh(packet, clock.now());
    return isNews && intake.checks(sightings.knows(address));
  }

  async function take(packet: LanPacket, address: string): Promise<void> {
    if (packet.kind === "beacon") await takeBeacon(packet, address);
    else if (await connections.has(db, packet.from)) desk.take(packet);
  }

  async function takeBeacon(beacon: Beacon, address: string): Promise<void> {
    if (!(await isGenuine(beacon, ports.verifier))) return;
    const isConnected = await connections.has(db, beacon.agentId);
    const heard = sightings.heard(beacon, address, isConnected);
    if (heard === "repeat" || heard === "full") return;
    const url = `http://${address}:${beacon.port}`;
    if (isConnected) for (const listener of listeners) listener(beacon.agentId, url);
    if (heard === "new" || beacon.asks) await answer();
  }

  async function answer(): Promise<void> {
    if (said && clock.now() - said.atMs < ANSWER_GAP_MS) owesAnswer = true;
    else await announce();
  }

  const signals: LanSignals = {
    isOn: () => member !== undefined,
    onOffer: desk.onOffer,
    onAnswer: desk.onAnswer,
    async send(signal: Omit<LanSignal, "from">) {
      const bytes = signalBytes({ ...signal, from: signer.agentId });
      // Nobody would read it; other ways carry more.
      if (bytes.length > PACKET_BYTES_MAX) throw netError("MULTICAST_FAILED", "The signal is too long.");
      if (!(await isIn()) || !member) throw netError("MULTICAST_FAILED");
      await member.send(bytes);
    },
  };

  return {
    signals,
    announce,
    tick,
    async leave() {
      isOver = true;
      await joining;
      await drop();
    },
    onSighting(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
