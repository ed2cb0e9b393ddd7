import { isoTime, toHex } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { MeshPorts } from "../ports.ts";
import { type Amount, amountText } from "./amount.ts";
import type { AccessToken, Provider } from "./pool.ts";
import { countCall, readToken, updateToken } from "./pools.store.ts";

/** What a call under way has set aside of its token's balance. */
export interface Reserve {
  readonly callId: string;
  readonly tokenId: string;
  readonly amount: Amount;
}

/**
 * Taking from balances: the estimate is set aside before a provider is called; what the call cost is taken afterwards,
 * in one commit with its entry in the ledger. Reserves live in memory, where the one process that owns the state
 * counts them all: a crash gives them back, since it leaves the consumer without an answer, and none can bring it about.
 */
export interface Balances {
  /** `undefined`, and nothing is set aside, where the token is revoked or holds less than all calls under way need. */
  reserve(tx: Read, tokenId: string, estimate: Amount): Promise<Reserve | undefined>;
  /** Takes what a call cost, at most what others have not set aside; counts and journals it. What remains. */
  settle(tx: Write, reserve: Reserve, provider: Provider, cost: Amount): Promise<Amount>;
  /** The call is over, settled on disk or not served. Does nothing the second time. */
  release(reserve: Reserve): void;
}

type Ports = Pick<MeshPorts, "clock" | "random" | "journal">;

export function createBalances({ clock, random, journal }: Ports): Balances {
  /** By token: the reserves of its calls under way. */
  const held = new Map<string, Set<Reserve>>();

  function heldOf(tokenId: string): Amount {
    return [...(held.get(tokenId) ?? [])].reduce((sum, { amount }) => sum + amount, 0n);
  }

  function release(reserve: Reserve): void {
    const reserves = held.get(reserve.tokenId);
    reserves?.delete(reserve);
    if (reserves?.size === 0) held.delete(reserve.tokenId);
  }

  async function noted(tx: Write, token: AccessToken, provider: Provider, cost: Amount) {
    await journal.append(tx, {
      act: "pool.spent",
      trace: token.consumer,
      peer: token.consumer,
      fields: { pool: provider.poolId, provider: provider.providerId, cost: amountText(cost) },
    });
  }

  return {
    async reserve(tx, tokenId, estimate) {
      const reserve = { callId: `call-${toHex(random.bytes(8))}`, tokenId, amount: estimate };
      const reserves = held.get(tokenId) ?? new Set();
      held.set(tokenId, reserves.add(reserve));
      // Before the balance is read: whatever is released later was not yet taken from the balance that is read then.
      const needed = heldOf(tokenId);
      const token = await readToken(tx, tokenId);
      if (token && !token.revoked && token.balance >= needed) return reserve;
      release(reserve);
      return undefined;
    },

    async settle(tx, reserve, provider, cost) {
      const token = await readToken(tx, reserve.tokenId);
      if (!token) return 0n;
      const { balance } = token;
      const free = balance - (heldOf(reserve.tokenId) - reserve.amount);
      const most = least(balance, free > reserve.amount ? free : reserve.amount);
      const paid = least(cost, most);
      await updateToken(tx, {
        ...token,
        balance: balance - paid,
        spent: token.spent + paid,
        callsMade: token.callsMade + 1,
        lastUsed: isoTime(clock.now()),
      });
      await countCall(tx, provider, "calls_served");
      await noted(tx, token, provider, paid);
      return balance - paid;
    },

    release,
  };
}

const least = (one: Amount, other: Amount): Amount => (one < other ? one : other);
