import { isoTime, type Json, type JsonObject } from "@darkmatter/core";
import type { VirtualClock } from "@darkmatter/core/testing";
import { signText } from "@darkmatter/identity";
import { digestText, type Shard, signedText } from "../shards/shard.ts";
import type { Stranger } from "./stranger.ts";

/**
 * A shard of a stranger as it should be, with `fields` instead before it is signed, and `altered` after; with `dm_sig`
 * when `whole`.
 */
export function strangersShard(
  clock: VirtualClock,
  { id, signer }: Stranger,
  { altered = {}, whole = false, ...fields }: JsonObject & { altered?: JsonObject; whole?: boolean } = {},
): JsonObject {
  const now = isoTime(clock.now());
  const body: Record<string, Json> = {
    shard_id: "shard-1",
    author_agent_id: id,
    content: "API uses JWT",
    tags: ["api:auth"],
    trust_threshold: 0,
    created_at: now,
    updated_at: now,
    summary: null,
    ...fields,
  };
  const shard = {
    shardId: body.shard_id,
    author: body.author_agent_id,
    content: body.content,
    tags: body.tags,
    trustThreshold: body.trust_threshold,
    createdAt: body.created_at,
    updatedAt: body.updated_at,
    summary: body.summary,
  } as unknown as Shard;
  const signatures = {
    signature_hex: signText(signer, signedText(shard)),
    ...(whole && { dm_sig: signText(signer, digestText(shard)) }),
  };
  return { ...body, ...signatures, ...altered };
}
