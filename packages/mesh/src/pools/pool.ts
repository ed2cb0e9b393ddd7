import type { JsonObject } from "@darkmatter/core";
import { mintOf, SOL } from "../wallets/wallet.ts";
import { type Amount, amountText } from "./amount.ts";

export const POOLS_MAX = 10;
export const PROVIDERS_MAX = 20;
export const TOKENS_MAX = 100;
/** Of one consumer in one pool, so that no peer takes the places of all others. */
export const TOKENS_OF_CONSUMER_MAX = 10;

/**
 * Who gets balance by `pool_buy`: `paid`, who paid for it; `open`, any connected agent up to a limit over all it ever
 * got by itself.
 */
export const POLICIES = ["paid", "open"] as const;
export type Policy = (typeof POLICIES)[number];

/** A paid API an agent shares (mesh.md 11.2). */
export interface Pool {
  readonly poolId: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly description: string;
  readonly handlerType: string;
  /** A module of the owner that brings the handler. */
  readonly handlerModule: string | null;
  readonly policy: Policy;
  /** What each consumer may get for nothing in all, under `open`. */
  readonly openMax: Amount;
  readonly createdAt: string;
  readonly shardId: string | null;
}

/** An API behind a pool, without the credential by which it is called. */
export interface Provider {
  readonly poolId: string;
  readonly providerId: string;
  readonly agentId: string;
  readonly baseUrl: string;
  /** Its name may lead to an address in the owner's own networks. */
  readonly privateHost: boolean;
  readonly credentialHeader: string;
  readonly allowedPaths: readonly string[];
  readonly pricePerCall: Amount;
  /** `SOL`, another token's name, or its mint. */
  readonly priceToken: string;
  readonly enabled: boolean;
  readonly callsServed: number;
  readonly failures: number;
  readonly addedAt: string;
  readonly handlerConfig: JsonObject;
}

/** What a consumer calls with. */
export interface AccessToken {
  readonly tokenId: string;
  readonly poolId: string;
  readonly consumer: string;
  readonly balance: Amount;
  readonly mint: string;
  readonly deposited: Amount;
  readonly spent: Amount;
  readonly callsMade: number;
  readonly createdAt: string;
  readonly lastUsed: string | null;
  readonly revoked: boolean;
  readonly source: TokenSource;
}

/** Who let its balance be: the owner, the pool's policy `open`, or a payment. */
export type TokenSource = "owner" | "open" | "paid";

/** A token as it is paid and counted: `SOL`, or the mint's address in the place of a known name. */
export const paidToken = (named: string): string => (named.toUpperCase() === SOL ? SOL : mintOf(named));

export const sameToken = (one: string, other: string): boolean => paidToken(one) === paidToken(other);

/** The paths of enabled providers, each once. */
export function endpointsOf(providers: readonly Provider[]): string[] {
  const enabled = providers.filter((provider) => provider.enabled);
  return [...new Set(enabled.flatMap((provider) => provider.allowedPaths))].sort();
}

/** What other agents are told of a pool by a shard with its tags. */
export function discoveryText(pool: Pool, providers: readonly Provider[]): string {
  const enabled = providers.filter((provider) => provider.enabled);
  const prices = enabled.map(({ pricePerCall }) => pricePerCall).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const [least, most] = [prices[0], prices.at(-1)];
  const token = enabled[0]?.priceToken;
  return [
    `# Pool: ${pool.name}`,
    `Pool ID: ${pool.poolId}`,
    `Description: ${pool.description}`,
    `Tags: ${pool.tags.join(", ")}`,
    `Handler: ${pool.handlerType}`,
    `Providers: ${enabled.length} active`,
    `Endpoints: ${endpointsOf(providers).join(", ")}`,
    ...(least === undefined || most === undefined
      ? []
      : [`Price range: ${priceRange(least, most)} ${token}/call`]),
  ].join("\n");
}

const priceRange = (least: Amount, most: Amount) => `${amountText(least)}-${amountText(most)}`;
