import { HOUR_MS } from "@darkmatter/core";
import { type Read, type SeenId, seenIds, type Write } from "@darkmatter/store";
import { SEEN_IDS_MAX, SEEN_IDS_MS } from "./message.ts";

/** How long the ids of agents that may try again for a day are remembered (mesh.md 22.3). */
const RETRIED_IDS_MS = 25 * HOUR_MS;
/** Ids remembered of a connected agent without a rate limit. */
const SHARE_MAX = 1_000_000;
/** Ids remembered of a connected agent whatever its limit: one that was lowered must not shut it out. */
const SHARE_LEAST = 10_000;
/** Whose memory all agents share that we are not connected to. */
const STRANGERS = "";
const MINUTES_REMEMBERED = RETRIED_IDS_MS / 60_000;

/** Whose memory a message takes up, how much of that there is, and for how long. */
export interface SeenShare {
  readonly share: string;
  readonly max: number;
  readonly keepMs: number;
}

/** The memory of agents we are not connected to: for as long as a copy of theirs could be fresh. */
export const STRANGERS_SHARE: SeenShare = { share: STRANGERS, max: SEEN_IDS_MAX, keepMs: SEEN_IDS_MS };

/**
 * The memory of a connected agent: room for what its rate limit lets through in that time. `ratePerMinute` is
 * `undefined` for no limit.
 */
export function shareOf(
  agentId: string,
  ratePerMinute: number | undefined,
  retriesForADay: boolean,
): SeenShare {
  const fits = ratePerMinute === undefined ? SHARE_MAX : ratePerMinute * MINUTES_REMEMBERED;
  return {
    share: agentId,
    max: Math.min(SHARE_MAX, Math.max(SHARE_LEAST, fits)),
    keepMs: retriesForADay ? RETRIED_IDS_MS : SEEN_IDS_MS,
  };
}

/** Whether a message of this id was accepted within the time it is remembered. */
export async function wasSeen(read: Read, messageId: string, nowMs: number): Promise<boolean> {
  const sql = "SELECT 1 AS yes FROM mesh_inbox WHERE message_id = ? AND seen_until_ms >= ?";
  const waiting = await read.get(sql, messageId, nowMs);
  return waiting !== undefined || seenIds.has(read, messageId, nowMs);
}

/**
 * The ids of accepted messages a copy of which could be fresh, for the state file: what programs of the first
 * generation remember. The id of a message that lies in the inbox is remembered by its row there, and noted among the
 * others when it leaves.
 */
export async function liveIds(read: Read, nowMs: number): Promise<readonly SeenId[]> {
  const fromMs = nowMs - SEEN_IDS_MS;
  const rows = await read.all<{ id: string; seen_at_ms: number }>(
    "SELECT message_id AS id, seen_at_ms FROM mesh_inbox WHERE seen_at_ms >= ? ORDER BY seq",
    fromMs,
  );
  const waiting = rows.map(({ id, seen_at_ms: seenAtMs }) => ({ id, seenAtMs }));
  const gone = await seenIds.live(read, nowMs, fromMs, SEEN_IDS_MAX);
  return [...gone, ...waiting].slice(-SEEN_IDS_MAX);
}

/** Notes an id of a state file: whoever brought it, a copy could still be fresh. */
export async function rememberLive(tx: Write, id: string, seenAtMs: number): Promise<void> {
  await seenIds.remember(tx, { id, seenAtMs, untilMs: seenAtMs + SEEN_IDS_MS, share: STRANGERS });
}

/** How full each agent's memory is. */
export interface SeenShares {
  /** Whether there is room for one id more; counts it. Looks at the disk only where it may be full. */
  take(read: Read, share: SeenShare, nowMs: number): Promise<boolean>;
}

/** How long a full memory is not counted again: counting looks at every id there is. */
const RECOUNT_MS = 60_000;

export function createSeenShares(): SeenShares {
  /** Never fewer than there are: a message that is counted and then refused stays counted until the next look. */
  let atMost: Map<string, number> | undefined;
  let countedAtMs = 0;

  async function recount(read: Read, nowMs: number): Promise<Map<string, number>> {
    const counts = new Map(await seenIds.shares(read, nowMs));
    const rows = await read.all<{ share: string; n: number }>(
      "SELECT CASE WHEN seen_shared THEN '' ELSE from_agent_id END AS share, count(*) AS n FROM mesh_inbox GROUP BY 1",
    );
    for (const { share, n } of rows) counts.set(share, (counts.get(share) ?? 0) + n);
    countedAtMs = nowMs;
    return counts;
  }

  return {
    async take(read, { share, max }, nowMs) {
      atMost ??= await recount(read, nowMs);
      const isStale = nowMs - countedAtMs >= RECOUNT_MS || nowMs < countedAtMs;
      if ((atMost.get(share) ?? 0) >= max && isStale) atMost = await recount(read, nowMs);
      const count = atMost.get(share) ?? 0;
      if (count >= max) return false;
      atMost.set(share, count + 1);
      return true;
    },
  };
}
