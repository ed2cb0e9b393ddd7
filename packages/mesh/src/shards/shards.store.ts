import type { Migration, Read, Write } from "@darkmatter/store";
import type { Shard } from "./shard.ts";

export const shardMigrations: readonly Migration[] = [
  {
    name: "mesh/020-shards",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_shards (
         seq INTEGER PRIMARY KEY,
         author TEXT NOT NULL,
         shard_id TEXT NOT NULL,
         own INTEGER NOT NULL,
         content TEXT NOT NULL,
         tags TEXT NOT NULL,
         trust_threshold REAL NOT NULL,
         created_at TEXT NOT NULL,
         updated_at TEXT NOT NULL,
         updated_at_ms INTEGER NOT NULL,
         summary TEXT,
         signature_hex TEXT NOT NULL,
         digest_signature_hex TEXT,
         UNIQUE (author, shard_id)
       )`,
      "CREATE INDEX mesh_shards_age ON mesh_shards (own, author, updated_at_ms)",
      "ALTER TABLE mesh_tally ADD COLUMN shards_taken INTEGER NOT NULL DEFAULT 0",
    ],
  },
];

type ShardRow = {
  author: string;
  shard_id: string;
  own: number;
  content: string;
  tags: string;
  trust_threshold: number;
  created_at: string;
  updated_at: string;
  updated_at_ms: number;
  summary: string | null;
  signature_hex: string;
  digest_signature_hex: string | null;
};

/** A shard on disk, with the time it is sorted and pruned by. */
export interface KeptShard extends Shard {
  readonly own: boolean;
  readonly updatedAtMs: number;
}

const fromRow = (row: ShardRow): KeptShard => ({
  shardId: row.shard_id,
  author: row.author,
  own: row.own === 1,
  content: row.content,
  tags: JSON.parse(row.tags) as string[],
  trustThreshold: row.trust_threshold,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  updatedAtMs: row.updated_at_ms,
  summary: row.summary,
  signatureHex: row.signature_hex,
  digestSignatureHex: row.digest_signature_hex,
});

export async function readShard(tx: Read, author: string, shardId: string): Promise<KeptShard | undefined> {
  const sql = "SELECT * FROM mesh_shards WHERE author = ? AND shard_id = ?";
  const row = await tx.get<ShardRow>(sql, author, shardId);
  return row && fromRow(row);
}

/** Own ones, and mirrors of connected authors renewed after a time. */
const SHOWN = `own = 1
  OR (updated_at_ms > ? AND author IN (SELECT agent_id FROM mesh_connections))`;
const WITHOUT_CONTENT =
  "author, shard_id, own, tags, trust_threshold, created_at, updated_at, updated_at_ms, summary, signature_hex, digest_signature_hex";

/** Own ones and mirrors renewed after `sinceMs`, the newest first; of each content `contentMax` code points. */
export async function readShards(tx: Read, sinceMs: number, contentMax: number): Promise<KeptShard[]> {
  const rows = await tx.all<ShardRow>(
    `SELECT ${WITHOUT_CONTENT}, substr(content, 1, +?) AS content FROM mesh_shards WHERE ${SHOWN}
     ORDER BY updated_at_ms DESC, seq DESC`,
    contentMax,
    sinceMs,
  );
  return rows.map(fromRow);
}

/** Those with an id: each author gives its own. */
export async function readShardsById(tx: Read, sinceMs: number, shardId: string): Promise<KeptShard[]> {
  const sql = `SELECT * FROM mesh_shards WHERE shard_id = ? AND (${SHOWN}) ORDER BY own DESC, author`;
  return (await tx.all<ShardRow>(sql, shardId, sinceMs)).map(fromRow);
}

/** Own ones, then the newest mirrors, at most `max`. */
export async function readShardsKept(tx: Read, max: number): Promise<KeptShard[]> {
  const sql = "SELECT * FROM mesh_shards ORDER BY own DESC, updated_at_ms DESC, seq LIMIT +?";
  return (await tx.all<ShardRow>(sql, max)).map(fromRow);
}

/** In the order they were made; those a peer may have whose score is `score`. */
export async function readOwnShards(tx: Read, score = 1): Promise<KeptShard[]> {
  const sql = "SELECT * FROM mesh_shards WHERE own = 1 AND trust_threshold <= ? ORDER BY seq";
  return (await tx.all<ShardRow>(sql, score)).map(fromRow);
}

/** The thresholds of our own shards, each once. */
export async function readThresholds(tx: Read): Promise<number[]> {
  const sql = "SELECT DISTINCT trust_threshold FROM mesh_shards WHERE own = 1";
  return (await tx.all<{ trust_threshold: number }>(sql)).map(({ trust_threshold: one }) => one);
}

export async function countShards(tx: Read, own: boolean): Promise<number> {
  const sql = "SELECT count(*) AS n FROM mesh_shards WHERE own = ?";
  return (await tx.get<{ n: number }>(sql, own ? 1 : 0))?.n ?? 0;
}

/** Puts a shard in the place of the one with its id, if there is one. */
export async function writeShard(tx: Write, shard: KeptShard): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_shards
       (author, shard_id, own, content, tags, trust_threshold, created_at, updated_at, updated_at_ms, summary,
        signature_hex, digest_signature_hex)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (author, shard_id) DO UPDATE SET content = excluded.content, tags = excluded.tags,
       trust_threshold = excluded.trust_threshold, created_at = excluded.created_at,
       updated_at = excluded.updated_at, updated_at_ms = excluded.updated_at_ms, summary = excluded.summary,
       signature_hex = excluded.signature_hex, digest_signature_hex = excluded.digest_signature_hex`,
    shard.author,
    shard.shardId,
    shard.own ? 1 : 0,
    shard.content,
    JSON.stringify(shard.tags),
    shard.trustThreshold,
    shard.createdAt,
    shard.updatedAt,
    shard.updatedAtMs,
    shard.summary,
    shard.signatureHex,
    shard.digestSignatureHex,
  );
}

/** Counts a shard of a peer that says something new. */
export async function countTaken(tx: Write): Promise<void> {
  await tx.run("UPDATE mesh_tally SET shards_taken = shards_taken + 1");
}

/** Removes the oldest mirror of the author with the most: nobody pushes out what others shared. */
export async function deleteOldestMirror(tx: Write): Promise<void> {
  await tx.run(
    `DELETE FROM mesh_shards WHERE seq =
       (SELECT seq FROM mesh_shards WHERE own = 0 AND author =
         (SELECT author FROM mesh_shards WHERE own = 0
          GROUP BY author ORDER BY count(*) DESC, min(updated_at_ms) LIMIT 1)
       ORDER BY updated_at_ms, seq LIMIT 1)`,
  );
}

/** Removes mirrors of authors we are not connected to, and those not renewed after `sinceMs`; how many. */
export function pruneMirrors(tx: Write, sinceMs: number): Promise<number> {
  return tx.run(
    `DELETE FROM mesh_shards WHERE own = 0
       AND (updated_at_ms <= ? OR author NOT IN (SELECT agent_id FROM mesh_connections))`,
    sinceMs,
  );
}

/** Whether there was one. */
export async function deleteOwnShard(tx: Write, shardId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_shards WHERE own = 1 AND shard_id = ?", shardId)) > 0;
}

/** Ids of connected agents whose score (0 without one) reaches a threshold, in the order they were connected. */
export async function readTrusted(tx: Read, threshold: number): Promise<string[]> {
  const rows = await tx.all<{ agent_id: string }>(
    `SELECT c.agent_id FROM mesh_connections c LEFT JOIN mesh_impressions i ON i.about = c.agent_id
     WHERE coalesce(i.score, 0) >= ? ORDER BY c.position`,
    threshold,
  );
  return rows.map(({ agent_id: agentId }) => agentId);
}
