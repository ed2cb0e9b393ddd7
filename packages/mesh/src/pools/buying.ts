import { isFresh, isoTime, MINUTE_MS, toHex } from "@darkmatter/core";
import { poolBuyText } from "@darkmatter/identity";
import { seenIds, type Write } from "@darkmatter/store";
import { type Answer, json } from "@darkmatter/surface";
import type { Connections } from "../connections/connections.ts";
import type { Body } from "../fields.ts";
import type { MeshPorts } from "../ports.ts";
import { type Amount, amountNumber, amountText, parseAmount } from "./amount.ts";
import {
  type AccessToken,
  type Pool,
  paidToken,
  sameToken,
  TOKENS_MAX,
  TOKENS_OF_CONSUMER_MAX,
  type TokenSource,
} from "./pool.ts";
import { insertToken, readPool, readProviders, readTokens } from "./pools.store.ts";

/** What peers paid and did not use yet. */
export interface PoolCredit {
  /** Uses it up: `false`, and nothing changes, where it is less than asked for. `amount` is decimal text. */
  spend(tx: Write, what: { peer: string; token: string; amount: string }): Promise<boolean>;
}

export interface Grant {
  readonly pool: Pool;
  readonly consumer: string;
  readonly amount: Amount;
  readonly mint: string;
}

export interface Buying {
  /** The answer to a `pool_buy`. */
  buy(body: Body): Promise<Answer>;
  /** A token with a balance, by the owner's word. `undefined` when the pool holds as many as it may. */
  grant(tx: Write, grant: Grant): Promise<AccessToken | undefined>;
}

/** A purchase is not taken twice for as long as its time could be fresh. */
const REPLAY_MS = 15 * MINUTE_MS;
const PAYMENT_TOKEN = /^[A-Za-z0-9_.:$-]{1,64}$/;

const UNSIGNED = "The consumer must sign this purchase";

const failure = (status: number, error: string): Answer => json(status, { success: false, error });

interface Purchase {
  readonly poolId: string;
  readonly consumer: string;
  readonly amount: Amount;
  readonly mint: string;
}

export function createBuying(
  { db, clock, random, verifier }: MeshPorts,
  connections: Pick<Connections, "get">,
  credit: PoolCredit,
): Buying {
  async function insert(tx: Write, { pool, consumer, amount, mint }: Grant, source: TokenSource) {
    const token: AccessToken = {
      tokenId: `at-${toHex(random.bytes(16))}`,
      poolId: pool.poolId,
      consumer,
      balance: amount,
      mint,
      deposited: amount,
      spent: 0n,
      callsMade: 0,
      createdAt: isoTime(clock.now()),
      lastUsed: null,
      revoked: false,
      source,
    };
    await insertToken(tx, token);
    return token;
  }

  /**
   * Whether the consumer itself asks: it signed this purchase, now, and for the first time. The caller's name alone
   * proves nothing, and would give anybody what another paid for. `unsigned` as the first generation asks.
   */
  async function proofOf(body: Body, purchase: Purchase): Promise<"signed" | "unsigned" | "forged"> {
    const { timestamp, from_public_key_hex: key, signature_hex: signature } = body;
    if (signature === undefined || signature === null) return "unsigned";
    if (typeof timestamp !== "string" || typeof signature !== "string") return "forged";
    if (key !== purchase.consumer || !isFresh(timestamp, clock.now())) return "forged";
    const text = poolBuyText({
      poolId: purchase.poolId,
      consumer: purchase.consumer,
      amount: amountText(purchase.amount),
      paymentToken: purchase.mint,
      timestamp,
    });
    const isValid = text !== undefined && (await verifier.verify(purchase.consumer, text, signature));
    return isValid ? "signed" : "forged";
  }

  function isFirst(tx: Write, body: Body): Promise<boolean> {
    const nowMs = clock.now();
    // Hexadecimal of either case is the same signature.
    const id = `pool_buy:${String(body.signature_hex).toLowerCase()}`;
    return seenIds.remember(tx, { id, seenAtMs: nowMs, untilMs: nowMs + REPLAY_MS, share: "pools" });
  }

  async function granted(tx: Write, body: Body, purchase: Purchase, signed: boolean): Promise<Answer> {
    const { consumer, amount, mint } = purchase;
    const pool = await readPool(tx, purchase.poolId);
    if (!pool) return failure(404, "Pool not found");
    const tokens = (await readTokens(tx, pool.poolId)).filter(isInUse);
    const own = tokens.filter((token) => token.consumer === consumer);
    if (tokens.length >= TOKENS_MAX || own.length >= TOKENS_OF_CONSUMER_MAX) {
      return failure(429, "Token limit reached");
    }
    if (signed && !(await isFirst(tx, body))) return failure(403, "This purchase was made before");
    const grant = { pool, consumer, amount, mint };
    if (await isOpen(tx, grant)) return bought(await insert(tx, grant, "open"));
    if (!signed) return failure(403, UNSIGNED);
    const isPaid = await credit.spend(tx, {
      peer: consumer,
      token: paidToken(mint),
      amount: amountText(amount),
    });
    return isPaid
      ? bought(await insert(tx, grant, "paid"))
      : failure(402, "No confirmed payment covers this amount: pay this agent first, then buy");
  }

  return {
    async buy(body) {
      const purchase = readPurchaseOf(body);
      if (!purchase) return json(400, { error: "Missing pool_id, consumer_agent_id, or invalid amount" });
      const consumer = await connections.get(db, purchase.consumer);
      if (!consumer) return json(403, { error: "Consumer not connected" });
      if (!(await readPool(db, purchase.poolId))) return failure(404, "Pool not found");
      const priced = (await readProviders(db, purchase.poolId)).filter(({ enabled }) => enabled);
      if (priced.length > 0 && !priced.some(({ priceToken }) => sameToken(priceToken, purchase.mint))) {
        return failure(400, "Invalid payment_token: no provider of this pool is paid in it");
      }
      const proof = await proofOf(body, purchase);
      if (proof === "forged") return failure(403, "Invalid signature or time of the purchase");
      // All agents that announce something sign what they buy: who does not only names one.
      if (proof === "unsigned" && consumer.features.length > 0) return failure(403, UNSIGNED);
      return db.write((tx) => granted(tx, body, purchase, proof === "signed"));
    },

    async grant(tx, grant) {
      const tokens = (await readTokens(tx, grant.pool.poolId)).filter(isInUse);
      return tokens.length >= TOKENS_MAX ? undefined : insert(tx, grant, "owner");
    },
  };
}

/** One that is used up takes no place: whoever buys again and again could not after ten times. */
const isInUse = ({ revoked, balance }: AccessToken) => !revoked && balance > 0n;

function readPurchaseOf(body: Body): Purchase | undefined {
  const { pool_id: poolId, consumer_agent_id: consumer, payment_token: mint = "SOL" } = body;
  const amount = parseAmount(body.amount);
  const isWhole = typeof poolId === "string" && typeof consumer === "string" && typeof mint === "string";
  if (!isWhole || poolId === "" || amount === undefined || amount === 0n) return undefined;
  return PAYMENT_TOKEN.test(mint) ? { poolId, consumer, amount, mint } : undefined;
}

/** Whether the owner lets any connected agent have it: all that one ever got so counts, spent or not. */
async function isOpen(tx: Write, { pool, consumer, amount }: Grant): Promise<boolean> {
  if (pool.policy !== "open") return false;
  const got = (await readTokens(tx, pool.poolId))
    .filter((token) => token.consumer === consumer && token.source === "open")
    .reduce((sum, { deposited }) => sum + deposited, 0n);
  return got + amount <= pool.openMax;
}

function bought(token: AccessToken): Answer {
  return json(200, {
    success: true,
    token_id: token.tokenId,
    pool_id: token.poolId,
    balance: amountNumber(token.balance),
    payment_token: token.mint,
  });
}
