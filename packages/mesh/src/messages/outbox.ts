import { hasCode, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Connection } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import { OVER } from "../over.ts";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Attempts } from "./attempts.ts";
import { COPIES_MAX, COPIES_PER_PEER_MAX, type QueuedCopy } from "./copy.ts";
import type { Delivery } from "./deliver.ts";
import { expireCopies } from "./endings.ts";
import type { Lanes } from "./lanes.ts";
import { createLeapWatch } from "./leaps.ts";
import {
  type CopyKey,
  countWaiting,
  insertCopy,
  type PassedOn,
  readCopy,
  resumeCopies,
} from "./outbox.store.ts";
import type { Waiting } from "./waiting.ts";

/** Bringing what was written down to the agents it is for, until they have it (docs/transports.md, "Queue"). */
export interface Outbox {
  /** Those peers for whom one message more may wait, and the ids of the others. Throws QUEUE_FULL when it is none. */
  room(tx: Read, peers: readonly Connection[]): Promise<{ peers: Connection[]; full: string[] }>;
  /** Notes copies in the transaction of the act that makes them; `bring` is to follow its commit. */
  add(tx: Write, keys: readonly CopyKey[], passedOn?: (agentId: string) => PassedOn): Promise<void>;
  /** Tries copies now. Answers how far they are when each was tried, or after a few seconds; trying goes on then. */
  bring(keys: readonly CopyKey[]): Promise<QueuedCopy[]>;
  /** Tries what is due; does not wait for how it ends. */
  retryDue(): void;
  /** Gives up on what waited for a day; a while later where the clock has just leapt over it. */
  expire(): Promise<void>;
  /** Takes over what an earlier process left. Before anything is sent. */
  load(): Promise<void>;
}

/** How long a caller waits to hear what came of its copies (S13). */
const PATIENCE_MS = 5.5 * SECOND_MS;
/** First attempts at once for one agent; what comes beside them waits in its lane. */
const DIRECT_MAX = 16;

export function createOutbox(
  { db, clock, report }: MeshPorts,
  { attempt }: Attempts,
  lanes: Lanes,
  waiting: Waiting,
  changed: () => void,
): Outbox {
  /** First attempts under way, by agent. */
  const direct = new Map<string, number>();
  const isCalm = createLeapWatch(clock);
  const directTo = (agentId: string) => direct.get(agentId) ?? 0;

  /** The first attempt of a copy, beside those of others to the same agent. */
  async function tryDirectly(key: CopyKey): Promise<void> {
    const { agentId } = key;
    direct.set(agentId, directTo(agentId) + 1);
    let delivery: Delivery | undefined;
    try {
      delivery = await attempt(key);
    } finally {
      if (directTo(agentId) === 1) direct.delete(agentId);
      else direct.set(agentId, directTo(agentId) - 1);
    }
    if (delivery?.kind === "took" || delivery?.kind === "refused") return;
    const copy = await readCopy(db, key);
    if (copy?.nextAtMs != null) lanes.wait(agentId, copy.nextAtMs, delivery?.kind === "later");
  }

  async function tryOne(key: CopyKey): Promise<void> {
    try {
      if (!lanes.has(key.agentId) && directTo(key.agentId) < DIRECT_MAX) await tryDirectly(key);
      else await lanes.run(key.agentId);
    } catch (error) {
      // What could not be noted is tried again, as after a crash.
      lanes.wait(key.agentId, clock.now(), false);
      if (!hasCode(error, "ABORTED")) report("outbox.failed", { reason: reasonOf(error) });
    }
  }

  return {
    async room(tx, peers) {
      const fits: Connection[] = [];
      const full: string[] = [];
      for (const one of peers) {
        const { peer, all } = await countWaiting(tx, one.agentId);
        const isFull = peer >= COPIES_PER_PEER_MAX || all + fits.length >= COPIES_MAX;
        if (isFull) full.push(one.agentId);
        else fits.push(one);
      }
      if (fits.length === 0 && full.length > 0) {
        throw meshError("QUEUE_FULL", "Too many messages wait for that agent already: nothing was sent.");
      }
      return { peers: fits, full };
    },

    async add(tx, keys, passedOn) {
      for (const key of keys) await insertCopy(tx, key, clock.now(), passedOn?.(key.agentId));
    },

    async bring(keys) {
      const over = new AbortController();
      const tried = inParallel(keys, PARALLEL_CALLS_MAX, tryOne).finally(() => over.abort(OVER));
      // Aborted when all were tried: a pause is no more needed then.
      await Promise.race([tried, clock.sleep(PATIENCE_MS, over.signal).catch(() => undefined)]);
      const copies = await Promise.all(keys.map((key) => readCopy(db, key)));
      return copies.filter((copy) => copy !== undefined);
    },

    retryDue: () => lanes.runDue(),

    async expire() {
      if (!isCalm()) return;
      await db.write(async (tx) => {
        const closed = await expireCopies(tx, clock.now());
        tx.afterCommit(() => {
          for (const messageId of closed) waiting.wake(messageId);
          if (closed.length > 0) changed();
        });
      });
    },

    async load() {
      await db.write((tx) => resumeCopies(tx, clock.now()));
      await lanes.load();
    },
  };
}
