import { SECOND_MS } from "@darkmatter/core";
import { signText } from "@darkmatter/identity";
import type { Background } from "../background.ts";
import { createBackoff, createMissed } from "../backoff.ts";
import { type Connection, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { Impressions, Rise } from "../impressions/impressions.ts";
import { OVER } from "../over.ts";
import { inParallel, PARALLEL_CALLS_MAX, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transports } from "../transports/transport.ts";
import { digestText, type Shard, wireShard } from "./shard.ts";
import { readOwnShards, readThresholds, readTrusted } from "./shards.store.ts";

/** Bringing our shards to those we trust enough (mesh.md 11.1). */
export interface Sharing {
  /** Pushes a new shard to all who may have it; the ids of those that took it soon, while the rest goes on. */
  share(shard: Shard): Promise<string[]>;
  /** Pushes all our shards to all who may have them. */
  shareAll(): Promise<void>;
  /** An agent was heard: whether a shard did not reach it before, so that `tell` is due. */
  missed(agentId: string): boolean;
  /** Tries agents again that are connected since a moment ago and refused, not having known it themselves. */
  retry(): Promise<void>;
  /** Pushes to one agent all our shards that it may have. */
  tell(agentId: string): Promise<void>;
  /** Reads what is shared at which score. */
  load(): Promise<void>;
}

/** How long whoever shares waits for peers that do not answer. */
const SHARE_WITHIN_MS = 5 * SECOND_MS;
/** How often a peer that refuses right after we connected is tried, in a minute or two. */
const FRESH_TRIES = 6;
/** Shards left with a relay at once for one agent: it holds few things for each, and messages matter more. */
const HANDED_ON_MAX = 5;
/** A peer that is not ready yet, or was told too much at once. */
const LATER = [429, 503];

interface Needs {
  readonly background: Background;
  readonly connections: Connections;
  readonly impressions: Impressions;
  readonly transports: Transports;
}

export function createSharing(ports: MeshPorts, needs: Needs): Sharing {
  const { db, clock, signer } = ports;
  const { background, connections, impressions, transports } = needs;
  /** The thresholds of our shards: scores rise with every message, and few rises cross one. */
  let thresholds: readonly number[] = [];
  /** Agents that did not answer. */
  const missed = createMissed(clock);
  /** Those that did not answer when last asked: they come after all others, who need not wait for them. */
  const away = new Set<string>();
  const presentFirst = (agentIds: readonly string[]) =>
    [...agentIds].sort((one, other) => Number(away.has(one)) - Number(away.has(other)));
  /** Agents connected a moment ago, who may hear of it only after our shards came; and how often to try yet. */
  const fresh = new Map<string, number>();
  const pauses = createBackoff(ports);
  /** Agents being told now, and whether there is news for them meanwhile. */
  const telling = new Map<string, { again: boolean }>();

  async function push(peer: Connection, shard: Shard): Promise<"taken" | "handed on" | "refused" | "missed"> {
    // One that came with a state file may lack it.
    const dmSig = () => shard.digestSignatureHex ?? signText(signer, digestText(shard));
    const body = { ...wireShard(shard), ...(speaks(peer, "shards/1") && { dm_sig: dmSig() }) };
    const request = { method: "POST", path: "shard_push", body, timeoutMs: TIMEOUT_MS.post } as const;
    const outcome = await transports.call(peer, request);
    // A relay has it: whether it was taken is told by nobody.
    if (outcome.kind === "unconfirmed") return "handed on";
    if (outcome.kind === "failed" || LATER.includes(outcome.answer.status)) {
      missed.add(peer.agentId);
      away.add(peer.agentId);
      return "missed";
    }
    away.delete(peer.agentId);
    return outcome.answer.status < 400 ? "taken" : "refused";
  }

  async function pushToAll(shard: Shard, took: string[]): Promise<void> {
    const trusted = await readTrusted(db, shard.trustThreshold);
    await inParallel(presentFirst(trusted), PARALLEL_CALLS_MAX, async (agentId) => {
      const peer = await connections.get(db, agentId);
      if (peer && (await push(peer, shard)) === "taken") took.push(agentId);
    });
  }

  async function tellOnce(agentId: string): Promise<void> {
    const peer = await connections.get(db, agentId);
    const score = await impressions.scoreOf(db, agentId);
    if (!peer) {
      fresh.delete(agentId);
      away.delete(agentId);
      return;
    }
    let refused = false;
    let handedOn = 0;
    for (const shard of await readOwnShards(db, score)) {
      const became = await push(peer, shard);
      if (became === "missed") {
        if (fresh.has(agentId)) pauses.failed(agentId);
        return;
      }
      refused ||= became === "refused";
      if (became === "handed on" && ++handedOn >= HANDED_ON_MAX) break;
    }
    noteFresh(agentId, refused);
  }

  function noteFresh(agentId: string, refused: boolean): void {
    const left = (fresh.get(agentId) ?? 0) - 1;
    if (refused && left > 0) {
      fresh.set(agentId, left);
      pauses.failed(agentId);
    } else {
      fresh.delete(agentId);
      pauses.clear(agentId);
    }
  }

  async function tell(agentId: string): Promise<void> {
    const running = telling.get(agentId);
    if (running) {
      running.again = true;
      return;
    }
    const now = { again: false };
    telling.set(agentId, now);
    try {
      do {
        now.again = false;
        await tellOnce(agentId);
      } while (now.again);
    } finally {
      telling.delete(agentId);
    }
  }

  const tellSoon = (agentId: string) => background.start("shards.told", () => tell(agentId), agentId);
  connections.onOpened((agentId) => {
    if (thresholds.length === 0) return;
    fresh.set(agentId, FRESH_TRIES);
    tellSoon(agentId);
  });
  impressions.onRise(({ about, from, to }: Rise) => {
    if (thresholds.some((threshold) => from < threshold && threshold <= to)) tellSoon(about);
  });

  return {
    tell,
    missed: (agentId) => missed.take(agentId),

    async retry() {
      const due = [...fresh.keys()].filter((agentId) => !pauses.isPaused(agentId));
      await inParallel(due, PARALLEL_CALLS_MAX, tell);
    },

    async load() {
      thresholds = await readThresholds(db);
    },

    async share(shard) {
      const took: string[] = [];
      const over = new AbortController();
      const pushed = new Promise<void>((resolve) => {
        background.start("shards.pushed", () => pushToAll(shard, took).finally(resolve));
      });
      const waited = clock.sleep(SHARE_WITHIN_MS, over.signal).catch(() => undefined);
      await Promise.race([pushed, waited]);
      over.abort(OVER);
      return [...took];
    },

    async shareAll() {
      const peers = (await connections.all(db)).map(({ agentId }) => agentId);
      await inParallel(presentFirst(peers), PARALLEL_CALLS_MAX, tell);
    },
  };
}
