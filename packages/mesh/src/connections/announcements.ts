import { DAY_MS, reasonOf } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { createBackoff } from "../backoff.ts";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import {
  type Announcement,
  deleteAnnouncement,
  insertAnnouncement,
  readAnnouncements,
} from "./announcements.store.ts";
import { shortId } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Handshake } from "./handshake.ts";

/** Telling those whose requests were accepted, until they have heard it. */
export interface Announcements {
  /** Notes, with the acceptance itself, that an agent is to be told. */
  owe(tx: Write, agentId: string, mutual: boolean): Promise<void>;
  /** Tells what is due, at growing intervals; gives up after a day. */
  tell(): Promise<void>;
  /** An agent was heard: if it is to be told something, that is due now. Whether it is. */
  heard(agentId: string): boolean;
}

const LIFETIME_MS = DAY_MS;

export function createAnnouncements(
  ports: MeshPorts,
  connections: Connections,
  handshake: Handshake,
): Announcements {
  const { db, clock, report } = ports;
  const pauses = createBackoff(ports);
  /** Agents being told now. */
  const telling = new Set<string>();
  /** Agents that could not be told. */
  const missed = new Set<string>();
  /** Agents for whom an anchor holds the word: it needs it once. */
  const held = new Set<string>();

  /** Whether nothing is left to say. */
  async function isSettled({ agentId, acceptedAtMs }: Announcement): Promise<boolean> {
    const peer = await connections.get(db, agentId);
    if (!peer || clock.now() - acceptedAtMs >= LIFETIME_MS) return true;
    const outcome = await handshake.announce(peer, !held.has(agentId));
    if (outcome === "held") held.add(agentId);
    return outcome === "told" || outcome === "refused";
  }

  async function tellOne(announcement: Announcement): Promise<void> {
    const { agentId, mutual } = announcement;
    if (telling.has(agentId)) return;
    telling.add(agentId);
    try {
      if (!(await isSettled(announcement))) {
        pauses.failed(agentId);
        missed.add(agentId);
        return;
      }
      pauses.clear(agentId);
      held.delete(agentId);
      const peer = await connections.get(db, agentId);
      const isFirst = await db.write((tx) => deleteAnnouncement(tx, agentId));
      if (mutual && isFirst && peer) await handshake.request(peer.url, { mutual: false });
    } catch (error) {
      report("connection.unannounced", { agent: shortId(agentId), reason: reasonOf(error) });
    } finally {
      telling.delete(agentId);
    }
  }

  return {
    owe: (tx, agentId, mutual) => insertAnnouncement(tx, { agentId, mutual, acceptedAtMs: clock.now() }),

    async tell() {
      const all = await readAnnouncements(db);
      pauses.keep(new Set(all.map(({ agentId }) => agentId)));
      const due = all.filter(({ agentId }) => !pauses.isPaused(agentId));
      await inParallel(due, PARALLEL_CALLS_MAX, tellOne);
    },

    heard(agentId) {
      if (!missed.delete(agentId)) return false;
      pauses.clear(agentId);
      return true;
    },
  };
}
