import type { JsonObject } from "@darkmatter/core";
import type { Migration, Read, SqlValue, Write } from "@darkmatter/store";
import type { AccessToken, Policy, Pool, Provider, TokenSource } from "./pool.ts";

/** Amounts are texts of whole billionths: SQLite's integers end where JavaScript's still are exact. */
export const poolMigrations: readonly Migration[] = [
  {
    name: "mesh/030-pools",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_pools (
         seq INTEGER PRIMARY KEY,
         pool_id TEXT NOT NULL UNIQUE,
         name TEXT NOT NULL,
         tags TEXT NOT NULL,
         description TEXT NOT NULL,
         handler_type TEXT NOT NULL,
         handler_module TEXT,
         policy TEXT NOT NULL,
         open_max TEXT NOT NULL,
         created_at TEXT NOT NULL,
         shard_id TEXT
       )`,
      `CREATE TABLE mesh_pool_providers (
         seq INTEGER PRIMARY KEY,
         pool_id TEXT NOT NULL,
         provider_id TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         base_url TEXT NOT NULL,
         private_host INTEGER NOT NULL,
         credential_header TEXT NOT NULL,
         credential_value TEXT NOT NULL,
         allowed_paths TEXT NOT NULL,
         price_per_call TEXT NOT NULL,
         price_token TEXT NOT NULL,
         enabled INTEGER NOT NULL,
         calls_served INTEGER NOT NULL,
         failures INTEGER NOT NULL,
         added_at TEXT NOT NULL,
         handler_config TEXT NOT NULL,
         UNIQUE (pool_id, provider_id)
       )`,
      `CREATE TABLE mesh_pool_tokens (
         seq INTEGER PRIMARY KEY,
         token_id TEXT NOT NULL UNIQUE,
         pool_id TEXT NOT NULL,
         consumer TEXT NOT NULL,
         balance TEXT NOT NULL,
         mint TEXT NOT NULL,
         deposited TEXT NOT NULL,
         spent TEXT NOT NULL,
         calls_made INTEGER NOT NULL,
         created_at TEXT NOT NULL,
         last_used TEXT,
         revoked INTEGER NOT NULL,
         source TEXT NOT NULL
       )`,
      "CREATE INDEX mesh_pool_tokens_pool ON mesh_pool_tokens (pool_id)",
      // What this agent bought of others.
      `CREATE TABLE mesh_pool_purchases (
         seq INTEGER PRIMARY KEY,
         peer TEXT NOT NULL,
         pool_id TEXT NOT NULL,
         token_id TEXT NOT NULL,
         UNIQUE (peer, pool_id)
       )`,
    ],
  },
];

type PoolRow = {
  pool_id: string;
  name: string;
  tags: string;
  description: string;
  handler_type: string;
  handler_module: string | null;
  policy: string;
  open_max: string;
  created_at: string;
  shard_id: string | null;
};

type ProviderRow = {
  pool_id: string;
  provider_id: string;
  agent_id: string;
  base_url: string;
  private_host: number;
  credential_header: string;
  credential_value: string;
  allowed_paths: string;
  price_per_call: string;
  price_token: string;
  enabled: number;
  calls_served: number;
  failures: number;
  added_at: string;
  handler_config: string;
};

type TokenRow = {
  token_id: string;
  pool_id: string;
  consumer: string;
  balance: string;
  mint: string;
  deposited: string;
  spent: string;
  calls_made: number;
  created_at: string;
  last_used: string | null;
  revoked: number;
  source: string;
};

const poolOf = (row: PoolRow): Pool => ({
  poolId: row.pool_id,
  name: row.name,
  tags: JSON.parse(row.tags) as string[],
  description: row.description,
  handlerType: row.handler_type,
  handlerModule: row.handler_module,
  policy: row.policy as Policy,
  openMax: BigInt(row.open_max),
  createdAt: row.created_at,
  shardId: row.shard_id,
});

const providerOf = (row: ProviderRow): Provider => ({
  poolId: row.pool_id,
  providerId: row.provider_id,
  agentId: row.agent_id,
  baseUrl: row.base_url,
  privateHost: row.private_host === 1,
  credentialHeader: row.credential_header,
  allowedPaths: JSON.parse(row.allowed_paths) as string[],
  pricePerCall: BigInt(row.price_per_call),
  priceToken: row.price_token,
  enabled: row.enabled === 1,
  callsServed: row.calls_served,
  failures: row.failures,
  addedAt: row.added_at,
  handlerConfig: JSON.parse(row.handler_config) as JsonObject,
});

const tokenOf = (row: TokenRow): AccessToken => ({
  tokenId: row.token_id,
  poolId: row.pool_id,
  consumer: row.consumer,
  balance: BigInt(row.balance),
  mint: row.mint,
  deposited: BigInt(row.deposited),
  spent: BigInt(row.spent),
  callsMade: row.calls_made,
  createdAt: row.created_at,
  lastUsed: row.last_used,
  revoked: row.revoked === 1,
  source: row.source as TokenSource,
});

export async function readPool(tx: Read, poolId: string): Promise<Pool | undefined> {
  const row = await tx.get<PoolRow>("SELECT * FROM mesh_pools WHERE pool_id = ?", poolId);
  return row && poolOf(row);
}

export async function readPools(tx: Read): Promise<Pool[]> {
  return (await tx.all<PoolRow>("SELECT * FROM mesh_pools ORDER BY seq")).map(poolOf);
}

export async function writePool(tx: Write, pool: Pool): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_pools (pool_id, name, tags, description, handler_type, handler_module, policy, open_max,
       created_at, shard_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (pool_id) DO UPDATE SET name = excluded.name, tags = excluded.tags,
       description = excluded.description, handler_type = excluded.handler_type,
       handler_module = excluded.handler_module, policy = excluded.policy, open_max = excluded.open_max,
       shard_id = excluded.shard_id`,
    pool.poolId,
    pool.name,
    JSON.stringify(pool.tags),
    pool.description,
    pool.handlerType,
    pool.handlerModule,
    pool.policy,
    String(pool.openMax),
    pool.createdAt,
    pool.shardId,
  );
}

export async function writeShardId(tx: Write, poolId: string, shardId: string | null): Promise<void> {
  await tx.run("UPDATE mesh_pools SET shard_id = ? WHERE pool_id = ?", shardId, poolId);
}

export async function deletePool(tx: Write, poolId: string): Promise<void> {
  for (const table of ["mesh_pools", "mesh_pool_providers", "mesh_pool_tokens"]) {
    await tx.run(`DELETE FROM ${table} WHERE pool_id = ?`, poolId);
  }
}

export async function readProviders(tx: Read, poolId: string): Promise<Provider[]> {
  const sql = "SELECT * FROM mesh_pool_providers WHERE pool_id = ? ORDER BY seq";
  return (await tx.all<ProviderRow>(sql, poolId)).map(providerOf);
}

export async function insertProvider(tx: Write, provider: Provider, credentialValue: string): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_pool_providers (pool_id, provider_id, agent_id, base_url, private_host, credential_header,
       credential_value, allowed_paths, price_per_call, price_token, enabled, calls_served, failures, added_at,
       handler_config) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    provider.poolId,
    provider.providerId,
    provider.agentId,
    provider.baseUrl,
    provider.privateHost ? 1 : 0,
    provider.credentialHeader,
    credentialValue,
    JSON.stringify(provider.allowedPaths),
    String(provider.pricePerCall),
    provider.priceToken,
    provider.enabled ? 1 : 0,
    provider.callsServed,
    provider.failures,
    provider.addedAt,
    JSON.stringify(provider.handlerConfig),
  );
}

/** The secret by which a provider is called; asked for by the call alone. */
export async function readCredential(
  tx: Read,
  { poolId, providerId }: Provider,
): Promise<string | undefined> {
  const sql =
    "SELECT credential_value AS value FROM mesh_pool_providers WHERE pool_id = ? AND provider_id = ?";
  return (await tx.get<{ value: string }>(sql, poolId, providerId))?.value;
}

export async function deleteProvider(tx: Write, poolId: string, providerId: string): Promise<boolean> {
  const sql = "DELETE FROM mesh_pool_providers WHERE pool_id = ? AND provider_id = ?";
  return (await tx.run(sql, poolId, providerId)) > 0;
}

export async function enableProvider(
  tx: Write,
  poolId: string,
  providerId: string,
  enabled: boolean,
): Promise<boolean> {
  const sql = "UPDATE mesh_pool_providers SET enabled = ? WHERE pool_id = ? AND provider_id = ?";
  return (await tx.run(sql, enabled ? 1 : 0, poolId, providerId)) > 0;
}

export async function countCall(
  tx: Write,
  { poolId, providerId }: Provider,
  counter: "calls_served" | "failures",
): Promise<void> {
  await tx.run(
    `UPDATE mesh_pool_providers SET ${counter} = ${counter} + 1 WHERE pool_id = ? AND provider_id = ?`,
    poolId,
    providerId,
  );
}

export async function readToken(tx: Read, tokenId: string): Promise<AccessToken | undefined> {
  const row = await tx.get<TokenRow>("SELECT * FROM mesh_pool_tokens WHERE token_id = ?", tokenId);
  return row && tokenOf(row);
}

export async function readTokens(tx: Read, poolId: string): Promise<AccessToken[]> {
  const sql = "SELECT * FROM mesh_pool_tokens WHERE pool_id = ? ORDER BY seq";
  return (await tx.all<TokenRow>(sql, poolId)).map(tokenOf);
}

export async function insertToken(tx: Write, token: AccessToken): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_pool_tokens (token_id, pool_id, consumer, balance, mint, deposited, spent, calls_made,
       created_at, last_used, revoked, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    token.tokenId,
    token.poolId,
    token.consumer,
    String(token.balance),
    token.mint,
    String(token.deposited),
    String(token.spent),
    token.callsMade,
    token.createdAt,
    token.lastUsed,
    token.revoked ? 1 : 0,
    token.source,
  );
}

export async function revokeToken(tx: Write, poolId: string, tokenId: string): Promise<boolean> {
  const sql = "UPDATE mesh_pool_tokens SET revoked = 1 WHERE pool_id = ? AND token_id = ?";
  return (await tx.run(sql, poolId, tokenId)) > 0;
}

export async function updateToken(tx: Write, token: AccessToken): Promise<void> {
  const values: SqlValue[] = [String(token.balance), String(token.spent), token.callsMade, token.lastUsed];
  await tx.run(
    "UPDATE mesh_pool_tokens SET balance = ?, spent = ?, calls_made = ?, last_used = ? WHERE token_id = ?",
    ...values,
    token.tokenId,
  );
}

export async function readPurchase(tx: Read, peer: string, poolId: string): Promise<string | undefined> {
  const sql = "SELECT token_id FROM mesh_pool_purchases WHERE peer = ? AND pool_id = ?";
  return (await tx.get<{ token_id: string }>(sql, peer, poolId))?.token_id;
}

/** The latest token bought of a pool takes the place of an earlier one. */
export async function writePurchase(tx: Write, peer: string, poolId: string, tokenId: string): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_pool_purchases (peer, pool_id, token_id) VALUES (?, ?, ?)
     ON CONFLICT (peer, pool_id) DO UPDATE SET token_id = excluded.token_id`,
    peer,
    poolId,
    tokenId,
  );
}
