import type { Read } from "@darkmatter/store";
import type { Glance } from "./glance.ts";

type Counts = Omit<Glance, "connections" | "status" | "hasGenericBio" | "hasName">;
type CountsRow = Record<Exclude<keyof Counts, "peers">, number> & { peers: string | null };

/** Numbers of entries have no gaps: those that are no broadcasts are told from the ends and an index. */
const CONVERSATIONS = `
  coalesce((SELECT max(seq) FROM mesh_conversation) - (SELECT min(seq) FROM mesh_conversation) + 1, 0)
    - (SELECT count(*) FROM mesh_conversation WHERE entry_type = 'broadcast')`;

/** What a glance counts, as one read: one is taken after each call of a tool. */
export async function readCounts(tx: Read): Promise<Counts | undefined> {
  const row = await tx.get<CountsRow>(
    `SELECT unread, handled, broadcasts AS broadcastsEver, shards_taken AS shardsTaken,
       (SELECT count(*) FROM mesh_shards WHERE own = 1) AS ownShards,
       (SELECT count(*) FROM mesh_shards WHERE own = 0) AS peerShards,
       (SELECT count(*) FROM mesh_requests) AS pendingRequests,
       (SELECT count(*) FROM mesh_notes WHERE shown = 0) AS notes,
       (SELECT coalesce(max(seq), 0) FROM mesh_notes) AS notesEver,
       (SELECT count(*) FROM mesh_sent) AS sent,
       (SELECT count(*) FROM mesh_sent WHERE status = 'active' AND routed_to <> '[]') AS awaitingReply,
       (SELECT count(*) FROM mesh_conversation
        WHERE entry_type = 'broadcast' AND direction = 'inbound') AS inboundBroadcasts,
       ${CONVERSATIONS} AS conversations,
       (SELECT group_concat(agent_id, ' ' ORDER BY position) FROM mesh_connections) AS peers
     FROM mesh_tally`,
  );
  if (!row) return undefined;
  return { ...row, peers: (row.peers?.split(" ") ?? []).map((agentId) => ({ agentId })) };
}
