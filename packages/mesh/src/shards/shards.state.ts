import { exceedsCodePoints, type JsonObject, parseTime } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { z } from "zod";
import {
  isPlainTag,
  SHARD_CONTENT_CODE_POINTS_MAX,
  SHARD_TAG_CODE_POINTS_MAX,
  SHARD_TAGS_MAX,
  SHARDS_MAX,
  type Shard,
  signedText,
  wireShard,
} from "./shard.ts";
import { countShards, readShard, readShardsKept, writeShard } from "./shards.store.ts";

const text = z.string();

/** A shard in the state file of the first generation (mesh.md 16). */
export const StateShard = z.object({
  shard_id: text,
  author_agent_id: text,
  content: text.default(""),
  tags: z.array(text).default([]),
  trust_threshold: z.number().default(0),
  created_at: text.default(""),
  updated_at: text.default(""),
  summary: text.nullish(),
  signature_hex: text.nullish(),
  dm_sig: text.nullish(),
});
export type StateShard = z.output<typeof StateShard>;

/** Takes over shards of a state file; those this node would not have taken from anybody are left out. */
export async function loadShards(tx: Write, shards: readonly StateShard[], self: string): Promise<void> {
  const room = {
    own: SHARDS_MAX - (await countShards(tx, true)),
    cached: SHARDS_MAX - (await countShards(tx, false)),
  };
  for (const entry of shards) {
    const shard = shardOf(entry);
    const updatedAtMs = parseTime(shard.updatedAt);
    const own = shard.author === self;
    const kind = own ? "own" : "cached";
    if (updatedAtMs === undefined || !isUsable(shard) || room[kind] <= 0) continue;
    if (await readShard(tx, shard.author, shard.shardId)) continue;
    await writeShard(tx, { ...shard, own, updatedAtMs: Math.trunc(updatedAtMs) });
    room[kind]--;
  }
}

/** All our own and the newest of the others, as many as such a file holds. */
export async function shownShards(tx: Read): Promise<JsonObject[]> {
  return (await readShardsKept(tx, SHARDS_MAX)).map((shard) => ({
    ...wireShard(shard),
    ...(shard.digestSignatureHex !== null && { dm_sig: shard.digestSignatureHex }),
  }));
}

const shardOf = (entry: StateShard): Shard => ({
  shardId: entry.shard_id,
  author: entry.author_agent_id,
  content: entry.content,
  tags: entry.tags,
  trustThreshold: entry.trust_threshold,
  createdAt: entry.created_at,
  updatedAt: entry.updated_at,
  summary: entry.summary ?? null,
  signatureHex: entry.signature_hex ?? "",
  digestSignatureHex: entry.dm_sig ?? null,
});

function isUsable(shard: Shard): boolean {
  const { content, tags, trustThreshold } = shard;
  return (
    signedText(shard) !== undefined &&
    trustThreshold >= 0 &&
    trustThreshold <= 1 &&
    tags.length <= SHARD_TAGS_MAX &&
    tags.every((tag) => isPlainTag(tag) && !exceedsCodePoints(tag, SHARD_TAG_CODE_POINTS_MAX)) &&
    !exceedsCodePoints(content, SHARD_CONTENT_CODE_POINTS_MAX)
  );
}
