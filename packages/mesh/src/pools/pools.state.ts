import type { JsonObject } from "@darkmatter/core";
import { isPrivateHost, parseUrl } from "@darkmatter/net";
import type { Read, Write } from "@darkmatter/store";
import { z } from "zod";
import { type Amount, parseAmount } from "./amount.ts";
import { isCredentialHeader, isHeaderValue } from "./headers.ts";
import { POOLS_MAX, PROVIDERS_MAX, TOKENS_MAX } from "./pool.ts";
import { poolFields, providerFields, tokenFields } from "./pool-fields.ts";
import {
  insertProvider,
  insertToken,
  readPool,
  readPools,
  readProviders,
  readToken,
  readTokens,
  writePool,
} from "./pools.store.ts";

const text = z.string();
const money = z
  .number()
  .default(0)
  .transform((value): Amount => parseAmount(value) ?? 0n);
const count = z.number().int().min(0).max(1e12).default(0);

const StateProvider = z.object({
  provider_id: text,
  agent_id: text.default(""),
  base_url: text,
  credential_header: text.default("Authorization"),
  credential_value: text.default(""),
  allowed_paths: z.array(text).default([]),
  price_per_call: money,
  price_token: text.default("SOL"),
  enabled: z.boolean().default(true),
  calls_served: count,
  failures: count,
  added_at: text.default(""),
  handler_config: z.record(text, z.json()).default({}),
});

const StateToken = z.object({
  token_id: text,
  consumer_agent_id: text,
  balance: money,
  token_mint: text.default("SOL"),
  total_deposited: money,
  total_spent: money,
  calls_made: count,
  created_at: text.default(""),
  last_used: text.nullish(),
  revoked: z.boolean().default(false),
});

/** A pool in the state file of the first generation (mesh.md 16). */
export const StatePool = z.object({
  pool_id: text,
  name: text.default(""),
  tags: z.array(text).default([]),
  description: text.default(""),
  providers: z.array(StateProvider).default([]),
  access_tokens: z.array(StateToken).default([]),
  created_at: text.default(""),
  shard_id: text.nullish(),
  handler_type: text.default("passthrough"),
});
export type StatePool = z.output<typeof StatePool>;
type StateProvider = z.output<typeof StateProvider>;

/** Takes over the pools of a state file. Who gets balance by itself is for the owner to say anew: nobody does. */
export async function loadPools(tx: Write, pools: readonly StatePool[]): Promise<void> {
  for (const pool of pools.slice(0, POOLS_MAX)) {
    const poolId = pool.pool_id;
    if (await readPool(tx, poolId)) continue;
    await writePool(tx, {
      poolId,
      name: pool.name,
      tags: pool.tags,
      description: pool.description,
      handlerType: pool.handler_type,
      handlerModule: null,
      policy: "paid",
      openMax: 0n,
      createdAt: pool.created_at,
      shardId: pool.shard_id ?? null,
    });
    const known = new Set<string>();
    for (const provider of pool.providers.slice(0, PROVIDERS_MAX)) {
      if (!known.has(provider.provider_id)) await loadProvider(tx, poolId, provider);
      known.add(provider.provider_id);
    }
    for (const token of pool.access_tokens.slice(0, TOKENS_MAX)) {
      if (await readToken(tx, token.token_id)) continue;
      await insertToken(tx, {
        tokenId: token.token_id,
        poolId,
        consumer: token.consumer_agent_id,
        balance: token.balance,
        mint: token.token_mint,
        deposited: token.total_deposited,
        spent: token.total_spent,
        callsMade: token.calls_made,
        createdAt: token.created_at,
        lastUsed: token.last_used ?? null,
        revoked: token.revoked,
        source: "owner",
      });
    }
  }
}

/** A provider that could not have been added here is out of use. */
async function loadProvider(tx: Write, poolId: string, provider: StateProvider): Promise<void> {
  const url = parseUrl(provider.base_url);
  const credential = provider.credential_value;
  const isUsable =
    typeof url !== "string" && isCredentialHeader(provider.credential_header) && isHeaderValue(credential);
  await insertProvider(
    tx,
    {
      poolId,
      providerId: provider.provider_id,
      agentId: provider.agent_id,
      baseUrl: provider.base_url,
      privateHost: typeof url !== "string" && isPrivateHost(url.hostname),
      credentialHeader: provider.credential_header,
      allowedPaths: provider.allowed_paths,
      pricePerCall: provider.price_per_call,
      priceToken: provider.price_token,
      enabled: provider.enabled && isUsable,
      callsServed: provider.calls_served,
      failures: provider.failures,
      addedAt: provider.added_at,
      handlerConfig: provider.handler_config as JsonObject,
    },
    credential,
  );
}

/** The pools as such a file holds them, without the credentials of providers: those never leave the database. */
export async function shownPools(tx: Read): Promise<JsonObject[]> {
  const shown: JsonObject[] = [];
  for (const pool of await readPools(tx)) {
    const providers = (await readProviders(tx, pool.poolId)).map((provider) => ({
      ...providerFields(provider),
      agent_id: provider.agentId,
      credential_value: "",
    }));
    const access_tokens = (await readTokens(tx, pool.poolId)).map(tokenFields);
    shown.push({ ...poolFields(pool), providers, access_tokens });
  }
  return shown;
}
