import { HOUR_MS, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { bareHost, baseUrl, isLoopbackUrl } from "@darkmatter/net";
import type { Background } from "../background.ts";
import { type Connection, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { inParallel, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Channels } from "./channels.ts";
import type { Connectivity } from "./connectivity.ts";
import type { Attempt } from "./signal-paths.ts";
import type { Signalling } from "./signalling.ts";

/** After a failed attempt, doubling (mesh.md 9.2: every 120 s). */
const PAUSE_MS = 2 * MINUTE_MS;
const PAUSE_MAX_MS = HOUR_MS;
/** Whose own offer went before ours: if that opened nothing, ours is due soon, and goes before then. */
const YIELDED_MS = 5 * SECOND_MS;
/** The larger id leaves the first move to the other, so that both do not offer at once. */
const SECOND_MOVE_MS = 5 * SECOND_MS;
/** A peer heard again after such a silence may have moved: what failed before is forgotten. */
const SILENCE_MS = 2 * MINUTE_MS;
/** Longer than a peer that is there stays unheard: one that comes back after it may carry offers to others again. */
const ABSENCE_MS = 10 * MINUTE_MS;
/** After a failed attempt, doubling, when since it began a way to the peer may have come up. */
const PAUSE_WITH_NEWS_MS = 5 * SECOND_MS;
const ATTEMPTS_AT_ONCE = 4;

/** Opening channels to connected agents as soon as it may work (mesh.md 9.2). */
export interface Upgrades {
  /** Tries the peers whose time has come; ends channels of those that are connected no more. A job. */
  poll(): Promise<void>;
  /** Our address changed, or we slept: channels are dead, even if they do not know, and what failed may work now. */
  moved(): void;
  /** A peer said by another way that it is elsewhere. */
  peerMoved(agentId: string): void;
  /** Somebody who may carry offers is there, or we know better where we are: what failed may work now. */
  news(): void;
}

interface Try {
  readonly url: string;
  readonly failures: number;
  /** It has no channels at all. */
  readonly isAbsent: boolean;
  readonly beganAtMs: number;
  readonly triedAtMs: number;
  readonly dueAtMs: number;
}

export interface UpgradeServices {
  readonly background: Background;
  readonly channels: Channels;
  readonly connections: Connections;
  readonly connectivity: Connectivity;
  readonly peers: Peers;
  readonly signalling: Signalling;
}

export function createUpgrades(
  { db, clock, signer, webRtc, lanAddresses }: MeshPorts,
  { background, channels, connections, connectivity, peers, signalling }: UpgradeServices,
): Upgrades {
  const tries = new Map<string, Try>();
  const heardAt = new Map<string, number>();
  const trying = new Set<string>();
  let newsAtMs = Number.NEGATIVE_INFINITY;

  function isHere({ url }: Connection): boolean {
    return (
      isLoopbackUrl(url) || (URL.canParse(url) && lanAddresses().includes(bareHost(new URL(url).hostname)))
    );
  }

  function dueAtMs({ agentId, url }: Connection): number {
    const known = tries.get(agentId);
    if (known?.url === url) return known.dueAtMs;
    const nowMs = clock.monotonic();
    const due = signer.agentId < agentId ? nowMs : nowMs + SECOND_MOVE_MS;
    tries.set(agentId, {
      url,
      failures: 0,
      isAbsent: false,
      beganAtMs: nowMs,
      triedAtMs: nowMs,
      dueAtMs: due,
    });
    return due;
  }

  function isDue(peer: Connection): boolean {
    if (trying.has(peer.agentId) || channels.to(peer.agentId)) return false;
    // Last, because it looks at the machine's addresses.
    return dueAtMs(peer) <= clock.monotonic() && !isHere(peer);
  }

  /** A peer of the first generation says in its well-known document whether it has channels. */
  async function hasChannels(peer: Connection): Promise<boolean> {
    if (speaks(peer, "channel/1")) return true;
    const url = `${baseUrl(peer.url)}/.well-known/darkmatter.json`;
    const answer = await peers
      .get({ url, timeoutMs: TIMEOUT_MS.post, reach: "private" })
      .catch(() => undefined);
    return answer?.body.agent_id === peer.agentId && answer.body.webrtc_enabled === true;
  }

  async function attempt(peer: Connection): Promise<void> {
    const { agentId, url } = peer;
    const startMs = clock.monotonic();
    trying.add(agentId);
    try {
      const became: Attempt = (await hasChannels(peer)) ? await signalling.offer(peer) : "absent";
      const failures = (tries.get(agentId)?.failures ?? 0) + 1;
      tries.set(agentId, {
        url,
        failures: became === "open" ? 0 : failures,
        isAbsent: became === "absent",
        beganAtMs: startMs,
        triedAtMs: clock.monotonic(),
        dueAtMs: nextMs(became, failures, startMs),
      });
    } finally {
      trying.delete(agentId);
    }
  }

  function nextMs(became: Attempt, failures: number, startMs: number): number {
    const nowMs = clock.monotonic();
    // A channel that opened and closes again soon must not be opened again and again.
    if (became === "open") return nowMs + YIELDED_MS;
    if (became === "absent") return nowMs + PAUSE_MAX_MS;
    if (newsAtMs > startMs) return nowMs + doubled(PAUSE_WITH_NEWS_MS, failures);
    return nowMs + doubled(became === "yielded" ? YIELDED_MS : PAUSE_MS, failures);
  }

  /** What failed may work now: the pause before the next attempt becomes a short one. */
  function hasten(agentId: string, known: Try): void {
    const dueAtMs = known.triedAtMs + doubled(PAUSE_WITH_NEWS_MS, known.failures);
    // One that has no channels at all gets none by way of others.
    if (known.failures === 0 || known.isAbsent || dueAtMs >= known.dueAtMs) return;
    tries.set(agentId, { ...known, dueAtMs });
  }

  function news(): void {
    newsAtMs = clock.monotonic();
    for (const [agentId, known] of tries) hasten(agentId, known);
  }

  connectivity.onHeard((agentId) => {
    if (!webRtc) return;
    const nowMs = clock.monotonic();
    const beforeMs = heardAt.get(agentId) ?? Number.NEGATIVE_INFINITY;
    const silenceMs = nowMs - beforeMs;
    const isBack = silenceMs > SILENCE_MS;
    const known = tries.get(agentId);
    heardAt.set(agentId, nowMs);
    if (isBack) tries.delete(agentId);
    // It was away while that was tried, if only for a short time.
    else if (known && beforeMs < known.beganAtMs) hasten(agentId, known);
    if (silenceMs > ABSENCE_MS) news();
    if (isBack && !channels.to(agentId)) {
      background.start("transports.upgrade", async () => {
        const peer = await connections.get(db, agentId);
        if (peer && isDue(peer)) await attempt(peer);
      });
    }
  });

  channels.onOpen(news);

  return {
    news,

    async poll() {
      if (!webRtc) return;
      const all = await connections.all(db);
      const connected = new Set(all.map(({ agentId }) => agentId));
      channels.tidy(connected);
      for (const map of [tries, heardAt]) {
        for (const agentId of map.keys()) if (!connected.has(agentId)) map.delete(agentId);
      }
      await inParallel(all.filter(isDue), ATTEMPTS_AT_ONCE, attempt);
    },

    moved() {
      tries.clear();
      channels.closeAll();
    },

    peerMoved(agentId) {
      tries.delete(agentId);
      channels.close(agentId);
    },
  };
}

const doubled = (pauseMs: number, failures: number) => Math.min(pauseMs * 2 ** (failures - 1), PAUSE_MAX_MS);
