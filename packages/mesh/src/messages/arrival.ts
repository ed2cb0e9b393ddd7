import { type Clock, isoTime } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { countSent } from "../connections/connections.store.ts";
import { DELIVERY_GAIN } from "../impressions/impression.ts";
import type { Impressions } from "../impressions/impressions.ts";
import { markArrived } from "./outbox.store.ts";
import { noteRouted } from "./sent.store.ts";

/** Agents that have a message of ours. */
export interface Arrivals {
  /** Notes that an agent said so, by whichever word of its own: the message is not sent there again. */
  note(tx: Write, messageId: string, agentId: string): Promise<void>;
  /** Counts what arrived and lets trust follow it (mesh.md 14). */
  count(tx: Write, agentId: string): Promise<void>;
}

export function createArrivals(clock: Clock, impressions: Impressions): Arrivals {
  async function count(tx: Write, agentId: string): Promise<void> {
    await countSent(tx, agentId, isoTime(clock.now()));
    await impressions.nudge(tx, agentId, DELIVERY_GAIN);
  }

  return {
    count,
    async note(tx, messageId, agentId) {
      if (!(await markArrived(tx, messageId, agentId, clock.now()))) return;
      await noteRouted(tx, messageId, agentId);
      await count(tx, agentId);
    },
  };
}
