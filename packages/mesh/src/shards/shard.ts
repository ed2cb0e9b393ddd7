import { DAY_MS, HOUR_MS, type JsonObject } from "@darkmatter/core";
import { type SignedText, shardDigestText, shardText } from "@darkmatter/identity";

/** A note its author shares with peers it trusts, or the read-only mirror of one (mesh.md 11.1). */
export interface Shard {
  readonly shardId: string;
  readonly author: string;
  readonly content: string;
  readonly tags: readonly string[];
  /** In [0, 1]: who keeps it must have at least this score with its author, and the author with them. */
  readonly trustThreshold: number;
  /** ISO 8601, as the author wrote them. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly summary: string | null;
  readonly signatureHex: string;
  /** Over everything, from authors that speak `shards/1`. */
  readonly digestSignatureHex: string | null;
}

/** What our agent says of a new shard. */
export interface ShardDraft {
  readonly content: string;
  readonly tags: readonly string[];
  readonly trustThreshold: number;
  readonly summary: string | null;
  /** Of one of ours whose place it takes, with peers too. */
  readonly shardId?: string | undefined;
}

/** Each of our own, and of the mirrors. */
export const SHARDS_MAX = 200;
export const SHARD_CONTENT_CODE_POINTS_MAX = 65_536;
export const SHARD_SUMMARY_CODE_POINTS_MAX = 1000;
export const SHARD_TAGS_MAX = 50;
export const SHARD_TAG_CODE_POINTS_MAX = 128;
/** How much of a content a list shows. */
export const SHARD_SHOWN_CODE_POINTS = 500;
/** A mirror that was not renewed for so long goes. */
export const SHARD_LIFETIME_MS = DAY_MS;
/** Authors renew what they share this often. */
export const SHARD_RENEWAL_MS = 12 * HOUR_MS;

/** `pool` finds `pool` and `pool:llm`, not `pools`. */
export function hasTag(tags: readonly string[], asked: string): boolean {
  return tags.some((tag) => tag === asked || tag.startsWith(`${asked}:`));
}

/** Whether a tag stands for itself in the signed text, where tags are joined by commas. */
export const isPlainTag = (tag: string): boolean => tag !== "" && !/[,\n]/.test(tag);

type Unsigned = Omit<Shard, "signatureHex" | "digestSignatureHex">;

/** What `signature_hex` covers: neither times, threshold nor summary (mesh.md 3). */
export const signedText = ({ shardId, author, content, tags }: Unsigned): SignedText =>
  shardText({ shardId, authorId: author, content, tags });

/** What `dm_sig` covers: all of it. */
export const digestText = (shard: Unsigned): SignedText =>
  shardDigestText({
    shardId: shard.shardId,
    authorId: shard.author,
    updatedAt: shard.updatedAt,
    shard: {
      content: shard.content,
      tags: [...shard.tags],
      trust_threshold: shard.trustThreshold,
      created_at: shard.createdAt,
      summary: shard.summary,
    },
  });

/** A shard as it travels, and as a state file holds it. */
export const wireShard = (shard: Shard): JsonObject => ({
  shard_id: shard.shardId,
  author_agent_id: shard.author,
  content: shard.content,
  tags: [...shard.tags],
  trust_threshold: shard.trustThreshold,
  created_at: shard.createdAt,
  updated_at: shard.updatedAt,
  summary: shard.summary,
  signature_hex: shard.signatureHex,
});

/** Whether two say the same, whenever it was said. */
export const saysTheSame = (one: Shard, other: Shard): boolean =>
  one.content === other.content &&
  one.summary === other.summary &&
  one.trustThreshold === other.trustThreshold &&
  JSON.stringify(one.tags) === JSON.stringify(other.tags);
