import { createSeenIds, type Read, type SeenId } from "@darkmatter/store";
import { SEEN_IDS_MAX, SEEN_IDS_MS } from "./message.ts";

/**
 * The ids of accepted messages: one memory for all senders, so that copies that arrive twice are known. The id of a
 * message that lies in the inbox is remembered by its row there, and noted here when it leaves.
 */
export const seenMessages = createSeenIds({ keepMs: SEEN_IDS_MS, max: SEEN_IDS_MAX });

/** Whether a message of this id was accepted within the time a replay of it could be fresh. */
export async function wasSeen(read: Read, messageId: string, nowMs: number): Promise<boolean> {
  const sql = "SELECT 1 AS yes FROM mesh_inbox WHERE message_id = ? AND seen_at_ms >= ?";
  const waiting = await read.get(sql, messageId, nowMs - SEEN_IDS_MS);
  return waiting !== undefined || seenMessages.has(read, messageId, nowMs);
}

/** Every id remembered now, for the state file. */
export async function liveIds(read: Read, nowMs: number): Promise<readonly SeenId[]> {
  const rows = await read.all<{ id: string; seen_at_ms: number }>(
    "SELECT message_id AS id, seen_at_ms FROM mesh_inbox WHERE seen_at_ms >= ? ORDER BY seq",
    nowMs - SEEN_IDS_MS,
  );
  const waiting = rows.map(({ id, seen_at_ms: seenAtMs }) => ({ id, seenAtMs }));
  return [...(await seenMessages.live(read, nowMs)), ...waiting];
}
