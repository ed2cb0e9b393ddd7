import { amountNumber } from "./amount.ts";
import type { AccessToken, Pool, Provider } from "./pool.ts";

/** A pool by the names of mesh.md 11.2, without what lies in it. */
export const poolFields = (pool: Pool) => ({
  pool_id: pool.poolId,
  name: pool.name,
  tags: [...pool.tags],
  description: pool.description,
  handler_type: pool.handlerType,
  created_at: pool.createdAt,
  shard_id: pool.shardId,
});

/** A provider likewise. Its credential never leaves the database. */
export const providerFields = (provider: Provider) => ({
  provider_id: provider.providerId,
  base_url: provider.baseUrl,
  credential_header: provider.credentialHeader,
  allowed_paths: [...provider.allowedPaths],
  price_per_call: amountNumber(provider.pricePerCall),
  price_token: provider.priceToken,
  enabled: provider.enabled,
  calls_served: provider.callsServed,
  failures: provider.failures,
  added_at: provider.addedAt,
  handler_config: provider.handlerConfig,
});

export const tokenFields = (token: AccessToken) => ({
  token_id: token.tokenId,
  consumer_agent_id: token.consumer,
  balance: amountNumber(token.balance),
  token_mint: token.mint,
  total_deposited: amountNumber(token.deposited),
  total_spent: amountNumber(token.spent),
  calls_made: token.callsMade,
  created_at: token.createdAt,
  last_used: token.lastUsed,
  revoked: token.revoked,
});
