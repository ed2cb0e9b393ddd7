import { hasCode, isoTime, type JsonObject, toHex } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Background } from "../background.ts";
import { meshError } from "../errors.ts";
import type { MeshPorts } from "../ports.ts";
import type { Shards } from "../shards/shards.ts";
import { type Amount, amountNumber } from "./amount.ts";
import {
  discoveryText,
  endpointsOf,
  POOLS_MAX,
  type Policy,
  type Pool,
  PROVIDERS_MAX,
  type Provider,
} from "./pool.ts";
import {
  deletePool,
  deleteProvider,
  enableProvider,
  insertProvider,
  readPool,
  readPools,
  readProviders,
  revokeToken,
  writePool,
  writeShardId,
} from "./pools.store.ts";

export interface PoolDraft {
  readonly name: string;
  readonly tags: readonly string[];
  readonly description: string;
  readonly handlerType: string;
  readonly handlerModule: string | null;
  readonly policy: Policy;
  readonly openMax: Amount;
}

export interface ProviderDraft {
  readonly baseUrl: string;
  readonly privateHost: boolean;
  readonly credentialHeader: string;
  readonly credentialValue: string;
  readonly allowedPaths: readonly string[];
  readonly pricePerCall: Amount;
  readonly priceToken: string;
  readonly handlerConfig: JsonObject;
}

/** The paid APIs this agent shares, as their owner manages them (mesh.md 11.2). Each change is published anew. */
export interface Pools {
  all(tx: Read): Promise<Pool[]>;
  /** @throws NOT_FOUND */
  get(tx: Read, poolId: string): Promise<Pool>;
  providers(tx: Read, poolId: string): Promise<Provider[]>;
  /** @throws TOO_MANY at 10 */
  create(tx: Write, draft: PoolDraft): Promise<Pool>;
  remove(tx: Write, poolId: string): Promise<void>;
  setPolicy(tx: Write, poolId: string, policy: Policy, openMax: Amount): Promise<void>;
  /** @throws TOO_MANY at 20 */
  addProvider(tx: Write, poolId: string, draft: ProviderDraft): Promise<Provider>;
  removeProvider(tx: Write, poolId: string, providerId: string): Promise<void>;
  enableProvider(tx: Write, poolId: string, providerId: string, enabled: boolean): Promise<void>;
  revoke(tx: Write, poolId: string, tokenId: string): Promise<void>;
  /** What other agents may know; `undefined` for no such pool. */
  info(tx: Read, poolId: string): Promise<JsonObject | undefined>;
}

export type PoolSharing = Pick<Shards, "create" | "share" | "withdraw">;

export function createPools(
  { clock, random, signer }: MeshPorts,
  shards: PoolSharing,
  background: Background,
): Pools {
  const id = (prefix: string) => `${prefix}-${toHex(random.bytes(6))}`;

  async function get(tx: Read, poolId: string): Promise<Pool> {
    const pool = await readPool(tx, poolId);
    if (!pool) throw meshError("NOT_FOUND", "No pool has that id. See darkmatter pool list.");
    return pool;
  }

  /** Tells of the pool by a shard, from its first provider on; each change takes the place of what was told before. */
  async function publish(tx: Write, poolId: string): Promise<void> {
    const pool = await get(tx, poolId);
    const providers = await readProviders(tx, poolId);
    const shardId = pool.shardId ?? undefined;
    if (shardId === undefined && !providers.some(({ enabled }) => enabled)) return;
    const content = discoveryText(pool, providers);
    try {
      const draft = { content, tags: pool.tags, trustThreshold: 0, summary: null, shardId };
      const shard = await shards.create(tx, draft);
      await writeShardId(tx, poolId, shard.shardId);
      tx.afterCommit(() => background.start("pools.shared", async () => void (await shards.share(shard))));
    } catch (error) {
      // The pool serves those who know of it all the same.
      if (!hasCode(error, "SHARDS_FULL")) throw error;
      await writeShardId(tx, poolId, null);
    }
  }

  function found(isThere: boolean, what: string): void {
    if (!isThere) throw meshError("NOT_FOUND", `The pool has no such ${what}. See darkmatter pool show.`);
  }

  return {
    all: readPools,
    get,
    providers: readProviders,

    async create(tx, draft) {
      if ((await readPools(tx)).length >= POOLS_MAX) {
        throw meshError("TOO_MANY", `An agent has at most ${POOLS_MAX} pools. Remove one first.`);
      }
      const pool: Pool = { ...draft, poolId: id("pool"), createdAt: isoTime(clock.now()), shardId: null };
      await writePool(tx, pool);
      return pool;
    },

    async remove(tx, poolId) {
      const { shardId } = await get(tx, poolId);
      if (shardId !== null) await shards.withdraw(tx, shardId);
      await deletePool(tx, poolId);
    },

    async setPolicy(tx, poolId, policy, openMax) {
      await writePool(tx, { ...(await get(tx, poolId)), policy, openMax });
    },

    async addProvider(tx, poolId, { credentialValue, ...draft }) {
      await get(tx, poolId);
      if ((await readProviders(tx, poolId)).length >= PROVIDERS_MAX) {
        throw meshError("TOO_MANY", `A pool has at most ${PROVIDERS_MAX} providers. Remove one first.`);
      }
      const provider: Provider = {
        ...draft,
        poolId,
        providerId: id("pv"),
        agentId: signer.agentId,
        enabled: true,
        callsServed: 0,
        failures: 0,
        addedAt: isoTime(clock.now()),
      };
      await insertProvider(tx, provider, credentialValue);
      await publish(tx, poolId);
      return provider;
    },

    async removeProvider(tx, poolId, providerId) {
      found(await deleteProvider(tx, poolId, providerId), "provider");
      await publish(tx, poolId);
    },

    async enableProvider(tx, poolId, providerId, enabled) {
      found(await enableProvider(tx, poolId, providerId, enabled), "provider");
      await publish(tx, poolId);
    },

    async revoke(tx, poolId, tokenId) {
      found(await revokeToken(tx, poolId, tokenId), "token");
    },

    async info(tx, poolId) {
      const pool = await readPool(tx, poolId);
      if (!pool) return undefined;
      const providers = (await readProviders(tx, poolId)).filter(({ enabled }) => enabled);
      return {
        pool_id: pool.poolId,
        name: pool.name,
        tags: [...pool.tags],
        description: pool.description,
        handler_type: pool.handlerType,
        provider_count: providers.length,
        endpoints: endpointsOf(providers),
        prices: providers.map(({ pricePerCall, priceToken }) => ({
          price_per_call: amountNumber(pricePerCall),
          price_token: priceToken,
        })),
        created_at: pool.createdAt,
      };
    },
  };
}
