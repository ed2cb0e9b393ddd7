import { cutCodePoints, exceedsCodePoints, type JsonObject } from "@darkmatter/core";
import { once } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, oneLine, PEER_WORDS, type Result } from "../answers.ts";
import { meshError } from "../errors.ts";
import { NAME_CODE_POINTS_MAX } from "../fields.ts";
import type { Services } from "../services.ts";
import {
  isPlainTag,
  SHARD_CONTENT_CODE_POINTS_MAX,
  SHARD_SHOWN_CODE_POINTS,
  SHARD_SUMMARY_CODE_POINTS_MAX,
  SHARD_TAG_CODE_POINTS_MAX,
  SHARD_TAGS_MAX,
} from "./shard.ts";
import type { KeptShard } from "./shards.store.ts";

/** Shards in one result; the rest is counted. */
const SHOWN_MAX = 50;
const ADDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true };
const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

const CreateInput = z.object({
  content: z.string().min(1),
  tags: z
    .array(z.string().min(1))
    .min(1)
    .max(SHARD_TAGS_MAX)
    .describe("What it is about; `area:detail` is found under `area`, too."),
  trust_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("Only peers you scored at least this get it."),
  summary: z.string().optional().describe("Shown in lists in the place of the content."),
});

const ViewInput = z.object({
  tags: z.array(z.string().min(1)).max(SHARD_TAGS_MAX).optional().describe("Any of these."),
  author: z.string().max(128).optional().describe("An agent id; your own for what you share."),
  shard_id: z.string().max(128).optional().describe("One shard, whole."),
});

const OwnerWithdrawShardInput = z.object({ shard_id: z.string().max(128) });

export function shardTools(services: Services): Tool[] {
  const { glance } = services;
  return [
    tool({
      name: "darkmatter_create_shard",
      title: "Share knowledge",
      description:
        "Use this to share something worth knowing (a finding, a how-to, a warning) with the peers you trust. " +
        "They keep a copy and cannot change it.",
      input: CreateInput,
      annotations: ADDS,
      visible: () => glance.now().connections > 0,
      handle: (input, { callId }) => answered(() => create(services, input, callId)),
    }),
    tool({
      name: "darkmatter_view_shards",
      title: "Read shared knowledge",
      description:
        "Use this to look up what you and your peers shared, by tag or author, before you work something out anew.",
      input: ViewInput,
      annotations: READS,
      visible: () => glance.now().ownShards + glance.now().peerShards > 0,
      handle: (input) => answered(() => view(services, input)),
    }),
    tool({
      name: "darkmatter_owner_withdraw_shard",
      title: "Withdraw a shard",
      description: "Ends a shard of this agent; copies at peers are not renewed and go within a day.",
      input: OwnerWithdrawShardInput,
      annotations: { ...ADDS, destructiveHint: true },
      audience: "owner",
      visible: () => true,
      handle: ({ shard_id: shardId }, { callId }) => answered(() => withdraw(services, shardId, callId)),
    }),
  ];
}

async function create(
  { db, shards }: Services,
  input: z.output<typeof CreateInput>,
  callId: string | undefined,
): Promise<Result> {
  const { content, tags, trust_threshold: trustThreshold, summary = null } = input;
  refuseLong("content", content, SHARD_CONTENT_CODE_POINTS_MAX);
  refuseLong("summary", summary ?? "", SHARD_SUMMARY_CODE_POINTS_MAX);
  for (const tag of tags) refuseLong("a tag", tag, SHARD_TAG_CODE_POINTS_MAX);
  if (!tags.every(isPlainTag)) throw meshError("BAD_REQUEST", "A tag may hold no comma and no line feed.");
  const shardId = await db.write((tx) =>
    once(tx, callId, async () => {
      return (await shards.create(tx, { content, tags, trustThreshold, summary })).shardId;
    }),
  );
  const shard = await shards.own(db, shardId);
  const pushedTo = shard ? await shards.share(shard) : [];
  return {
    success: true,
    shard_id: shardId,
    tags,
    trust_threshold: trustThreshold,
    pushed_to: pushedTo,
  };
}

async function withdraw(
  { db, shards }: Services,
  shardId: string,
  callId: string | undefined,
): Promise<Result> {
  const was = await db.write((tx) => once(tx, callId, () => shards.withdraw(tx, shardId)));
  if (!was) throw meshError("NOT_FOUND", "No shard of yours has this id.");
  return { success: true, shard_id: shardId };
}

async function view(
  { db, shards, connections }: Services,
  { tags, author, shard_id: shardId }: z.output<typeof ViewInput>,
): Promise<Result> {
  const found =
    shardId === undefined
      ? await shards.find(db, { tags, author })
      : (await shards.whole(db, shardId)).filter((shard) => author === undefined || shard.author === author);
  const names = new Map((await connections.all(db)).map((peer) => [peer.agentId, peer.displayName]));
  const shown = found.slice(0, SHOWN_MAX);
  return {
    success: true,
    count: found.length,
    shards: shown.map((shard) => ({
      ...shownShard(shard, names.get(shard.author) ?? null),
      ...(shardId === undefined ? shownWords(shard) : { content: shard.content }),
    })),
    ...(found.length > shown.length && {
      note: `The newest ${SHOWN_MAX} are shown: name tags or an author.`,
    }),
    ...(shown.some(({ own }) => !own) && { peer_words: PEER_WORDS }),
  };
}

function shownShard(shard: KeptShard, name: string | null): JsonObject {
  return {
    shard_id: shard.shardId,
    author: shard.author,
    ...(name !== null && { author_name: oneLine(name, NAME_CODE_POINTS_MAX) }),
    tags: [...shard.tags],
    trust_threshold: shard.trustThreshold,
    created_at: shard.createdAt,
    updated_at: shard.updatedAt,
    ...(!shard.own && { cached: true }),
  };
}

function shownWords({ summary, content }: KeptShard): JsonObject {
  if (summary !== null && summary !== "") return { summary };
  const truncated = exceedsCodePoints(content, SHARD_SHOWN_CODE_POINTS);
  return { content: cutCodePoints(content, SHARD_SHOWN_CODE_POINTS), ...(truncated && { truncated }) };
}

function refuseLong(what: string, text: string, max: number): void {
  if (exceedsCodePoints(text, max)) throw meshError("TOO_LARGE", `${what} exceeds ${max} characters.`);
}
