import { codePointLength, exceedsCodePoints, parseTime } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import type { Standing } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import { agentIdField, type Body, lineField, listField, requireFields, textField } from "../fields.ts";
import {
  digestText,
  isPlainTag,
  SHARD_CONTENT_CODE_POINTS_MAX,
  SHARD_LIFETIME_MS,
  SHARD_SUMMARY_CODE_POINTS_MAX,
  SHARD_TAG_CODE_POINTS_MAX,
  SHARD_TAGS_MAX,
  type Shard,
  signedText,
} from "./shard.ts";

const SHARD_ID_CODE_POINTS_MAX = 128;
/** How far ahead of ours an author's clock may go. */
const AHEAD_MS = 300_000;

/** A shard as it arrived: of the right form, none of it believed. */
export interface ArrivedShard extends Omit<Shard, "signatureHex"> {
  readonly signatureHex: string | undefined;
}

/** Reads a pushed shard. Throws BAD_REQUEST or TOO_LARGE, naming the field. */
export function parseShard(body: Body, nowText: string): ArrivedShard {
  requireFields(body, ["shard_id", "author_agent_id"]);
  const shardId = lineField(body, "shard_id") ?? "";
  if (exceedsCodePoints(shardId, SHARD_ID_CODE_POINTS_MAX)) throw wrong("shard_id too long");
  const content = textField(body, "content") ?? "";
  if (exceedsCodePoints(content, SHARD_CONTENT_CODE_POINTS_MAX)) {
    throw meshError("TOO_LARGE", `Content exceeds ${SHARD_CONTENT_CODE_POINTS_MAX} characters.`);
  }
  const updatedAt = textField(body, "updated_at") ?? nowText;
  return {
    shardId,
    author: agentIdField(body, "author_agent_id") ?? "",
    content,
    tags: tagsField(body),
    trustThreshold: thresholdField(body),
    updatedAt,
    createdAt: timeField(body, "created_at") ?? updatedAt,
    summary: summaryField(body),
    signatureHex: textField(body, "signature_hex"),
    digestSignatureHex: textField(body, "dm_sig") ?? null,
  };
}

/** When a shard was last renewed, in milliseconds since the epoch. Throws BAD_REQUEST when that cannot be. */
export function renewedAtMs({ updatedAt }: Pick<Shard, "updatedAt">, nowMs: number): number {
  const atMs = parseTime(updatedAt);
  if (atMs === undefined) throw wrong("Invalid field: updated_at must be a time with its offset.");
  if (atMs > nowMs + AHEAD_MS) throw wrong("updated_at lies in the future.");
  // It would be pruned at once, and an old copy must not bring back what is gone.
  if (atMs <= nowMs - SHARD_LIFETIME_MS) throw wrong("updated_at is more than a day ago.");
  return Math.trunc(atMs);
}

/**
 * Decides whether a shard is really its author's, and the author a connected agent whose key we have: the key is the
 * author's id (S1). What only `dm_sig` covers (threshold, summary, times) anybody may change on the way from an author
 * of the first generation; from one that speaks `shards/1` it is demanded. Throws FORBIDDEN with the reason.
 */
export async function verifyShard(
  shard: ArrivedShard,
  author: Standing | undefined,
  verifier: Verifier,
): Promise<Shard> {
  const { signatureHex, digestSignatureHex } = shard;
  if (!signatureHex) throw refused("Missing shard signature");
  if (!author || author.publicKeyHex !== shard.author) {
    throw refused("Unknown shard author — no public key on file");
  }
  const speaksDigest = author.features.includes('"shards/1"');
  if (speaksDigest && digestSignatureHex === null) {
    throw refused("Shards need dm_sig from an agent that announced shards/1.");
  }
  const text = signedText(shard);
  if (text === undefined || !(await verifier.verify(shard.author, text, signatureHex))) {
    throw refused("Invalid shard signature");
  }
  if (digestSignatureHex !== null) {
    const whole = digestText(shard);
    if (whole === undefined || !(await verifier.verify(shard.author, whole, digestSignatureHex))) {
      throw refused("Invalid shard signature");
    }
  }
  return { ...shard, signatureHex };
}

function tagsField(body: Body): string[] {
  const tags = listField(body, "tags", SHARD_TAGS_MAX);
  const isTag = (tag: string) => isPlainTag(tag) && !exceedsCodePoints(tag, SHARD_TAG_CODE_POINTS_MAX);
  if (!tags.every(isTag)) {
    throw wrong(
      `Invalid field: tags must be 1 to ${SHARD_TAG_CODE_POINTS_MAX} characters without commas or line feeds.`,
    );
  }
  return tags;
}

function thresholdField({ trust_threshold: value = null }: Body): number {
  if (value === null) return 0;
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) {
    throw wrong("Invalid field: trust_threshold must be a number from 0 to 1.");
  }
  return value;
}

function timeField(body: Body, name: string): string | undefined {
  const text = textField(body, name);
  if (text !== undefined && parseTime(text) === undefined) {
    throw wrong(`Invalid field: ${name} must be a time with its offset.`);
  }
  return text;
}

function summaryField(body: Body): string | null {
  const summary = textField(body, "summary") ?? null;
  if (summary !== null && codePointLength(summary) > SHARD_SUMMARY_CODE_POINTS_MAX) {
    throw wrong(`summary exceeds ${SHARD_SUMMARY_CODE_POINTS_MAX} characters`);
  }
  return summary;
}

const wrong = (text: string) => meshError("BAD_REQUEST", text);
const refused = (text: string) => meshError("FORBIDDEN", text);
