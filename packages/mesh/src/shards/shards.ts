import { isoTime, newId } from "@darkmatter/core";
import { signText } from "@darkmatter/identity";
import type { Read, Write } from "@darkmatter/store";
import { readStanding } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import type { MeshPorts } from "../ports.ts";
import { parseShard, renewedAtMs, verifyShard } from "./arrived-shard.ts";
import {
  digestText,
  hasTag,
  SHARD_LIFETIME_MS,
  SHARD_RENEWAL_MS,
  SHARD_SHOWN_CODE_POINTS,
  SHARDS_MAX,
  type Shard,
  type ShardDraft,
  saysTheSame,
  signedText,
} from "./shard.ts";
import {
  countShards,
  countTaken,
  deleteOldestMirror,
  deleteOwnShard,
  type KeptShard,
  pruneMirrors,
  readOwnShards,
  readShard,
  readShards,
  readShardsById,
  writeShard,
} from "./shards.store.ts";
import type { Sharing } from "./sharing.ts";

/** What our agent shares, and what it has from peers it trusts. */
export interface Shards {
  /** Signs and stores a shard; it is pushed by `share`, once it is on disk. Throws SHARDS_FULL at 200 own ones. */
  create(tx: Write, draft: ShardDraft): Promise<Shard>;
  /** Pushes a shard of ours to all who may have it; the ids of those that took it within seconds. */
  share(shard: Shard): Promise<string[]>;
  /** No longer renews a shard of ours, so that its mirrors are gone within a day. Whether there was one. */
  withdraw(tx: Write, shardId: string): Promise<boolean>;
  /** A shard of ours; `undefined` when there is none. */
  own(tx: Read, shardId: string): Promise<Shard | undefined>;
  /**
   * The newest first: those with any of `tags` (or one below it, as `pool:llm` is below `pool`), and of `author`. Of
   * each content the first 501 code points.
   */
  find(tx: Read, wanted: Wanted): Promise<KeptShard[]>;
  /** Those with an id, whole: each author gives its own. */
  whole(tx: Read, shardId: string): Promise<KeptShard[]>;
  /** Takes a shard a peer pushes; its id. Throws BAD_REQUEST, TOO_LARGE, FORBIDDEN, DUPLICATE. */
  take(body: Body): Promise<string>;
  /** Gives our shards a new time and pushes them again, when it is due. */
  renew(): Promise<void>;
  /** Drops mirrors that were not renewed for a day, and those of agents we are not connected to. */
  prune(): Promise<void>;
}

export interface Wanted {
  readonly tags?: readonly string[] | undefined;
  readonly author?: string | undefined;
}

/** One more than is shown, so that it is known that there is more. */
const LISTED_CODE_POINTS = SHARD_SHOWN_CODE_POINTS + 1;

export function createShards(ports: MeshPorts, sharing: Sharing, changed: () => void): Shards {
  const { db, clock, random, signer, verifier } = ports;
  const aliveSinceMs = () => clock.now() - SHARD_LIFETIME_MS;

  function signed(shard: Omit<Shard, "signatureHex" | "digestSignatureHex">): KeptShard {
    const signatureHex = signText(signer, signedText(shard));
    const digestSignatureHex = signText(signer, digestText(shard));
    return { ...shard, own: true, updatedAtMs: clock.now(), signatureHex, digestSignatureHex };
  }

  function told(tx: Write): void {
    tx.afterCommit(() => sharing.load());
    tx.afterCommit(changed);
  }

  /** Puts a verified shard among the mirrors, unless we have that or a newer one. */
  async function keep(tx: Write, shard: Shard, updatedAtMs: number): Promise<void> {
    // Our agent may have parted from the author, or thought worse of it, while the signature was checked.
    requireTrust(shard, await readStanding(tx, shard.author));
    const known = await readShard(tx, shard.author, shard.shardId);
    if (known && known.updatedAtMs > updatedAtMs)
      throw meshError("DUPLICATE", "A newer version is known here.");
    const isSame = known !== undefined && saysTheSame(known, shard);
    if (isSame && known.updatedAtMs === updatedAtMs) return;
    await writeShard(tx, { ...shard, own: false, updatedAtMs });
    if (isSame) return;
    await countTaken(tx);
    if (!known && (await countShards(tx, false)) > SHARDS_MAX) await deleteOldestMirror(tx);
    tx.afterCommit(changed);
  }

  return {
    share: (shard) => sharing.share(shard),

    async create(tx, { shardId = newId("shard", random), ...draft }) {
      const isNew = (await readShard(tx, signer.agentId, shardId)) === undefined;
      if (isNew && (await countShards(tx, true)) >= SHARDS_MAX) throw meshError("SHARDS_FULL");
      const now = isoTime(clock.now());
      const shard = signed({ ...draft, shardId, author: signer.agentId, createdAt: now, updatedAt: now });
      await writeShard(tx, shard);
      told(tx);
      return shard;
    },

    async withdraw(tx, shardId) {
      told(tx);
      return deleteOwnShard(tx, shardId);
    },

    own: (tx, shardId) => readShard(tx, signer.agentId, shardId),

    async find(tx, { tags = [], author }) {
      const all = await readShards(tx, aliveSinceMs(), LISTED_CODE_POINTS);
      return all.filter(
        (shard) =>
          (tags.length === 0 || tags.some((tag) => hasTag(shard.tags, tag))) &&
          (author === undefined || shard.author === author),
      );
    },

    whole: (tx, shardId) => readShardsById(tx, aliveSinceMs(), shardId),

    async take(body) {
      const nowMs = clock.now();
      const arrived = parseShard(body, isoTime(nowMs));
      const updatedAtMs = renewedAtMs(arrived, nowMs);
      const author = await readStanding(db, arrived.author);
      const shard = await verifyShard(arrived, author.connection, verifier);
      requireTrust(shard, author);
      await db.write((tx) => keep(tx, shard, updatedAtMs));
      return shard.shardId;
    },

    async renew() {
      const dueMs = clock.now() - SHARD_RENEWAL_MS;
      const isDue = ({ updatedAtMs }: KeptShard) => updatedAtMs <= dueMs;
      if (!(await readOwnShards(db)).some(isDue)) return;
      // All of them, so that they are due together from now on and a peer is called once in a while, not all the time.
      await db.write(async (tx) => {
        const updatedAt = isoTime(clock.now());
        for (const shard of await readOwnShards(tx)) await writeShard(tx, signed({ ...shard, updatedAt }));
      });
      await sharing.shareAll();
    },

    async prune() {
      const gone = await db.write((tx) => pruneMirrors(tx, aliveSinceMs()));
      if (gone > 0) changed();
    },
  };
}

/** Who we do not trust as far as the author asks of us may not leave its notes here (mesh.md 5.4). */
function requireTrust(shard: Shard, { connection, score }: Awaited<ReturnType<typeof readStanding>>): void {
  if (!connection) throw meshError("FORBIDDEN", "Unknown shard author — no public key on file");
  if (score < shard.trustThreshold) throw meshError("FORBIDDEN", "Trust threshold not met");
}
