import { HOUR_MS, isoTime, MINUTE_MS, parseTime } from "@darkmatter/core";
import type { Impression } from "../impressions/impression.ts";
import { readImpression, readImpressions } from "../impressions/impressions.store.ts";
import { insertNote } from "../messages/notes.store.ts";
import type { Services } from "../services.ts";

export const PARTING_PERIOD_MS = MINUTE_MS;
const DISLIKED_MS = HOUR_MS;
const NOTE =
  "Disconnected from this agent: your score of it was below zero for an hour. You may connect again.";

/** Ends the connections of peers whose score stayed below zero for an hour, and says so to both sides (mesh.md 9.2). */
export async function partFromDisliked(services: Services): Promise<void> {
  const { db, ports, connections, farewell, changed } = services;
  const nowMs = ports.clock.now();
  for (const { about: agentId } of (await readImpressions(db)).filter((one) => isOver(one, nowMs))) {
    const peer = await connections.get(db, agentId);
    if (!peer) continue;
    await db.write(async (tx) => {
      // Our agent may have thought better of it meanwhile.
      const now = await readImpression(tx, agentId);
      if (!now || !isOver(now, nowMs)) return;
      if (!(await connections.close(tx, agentId, "disliked for an hour"))) return;
      await insertNote(tx, { at: isoTime(nowMs), messageId: "", agentId, text: NOTE });
      tx.afterCommit(() => farewell(peer));
      tx.afterCommit(changed);
    });
  }
}

function isOver({ negativeSince }: Impression, nowMs: number): boolean {
  const sinceMs = negativeSince === null ? undefined : parseTime(negativeSince);
  return sinceMs !== undefined && nowMs - sinceMs >= DISLIKED_MS;
}
