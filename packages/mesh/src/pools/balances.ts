import { isoTime, toHex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { MeshPorts } from "../ports.ts";
import { type Amount, amountText } from "./amount.ts";
import type { AccessToken, Provider } from "./pool.ts";
import {
  countCall,
  deleteCall,
  insertCall,
  type OpenCall,
  readCalls,
  readToken,
  updateToken,
} from "./pools.store.ts";

/** Taking from balances: first the estimate, before a provider is called; afterwards what it cost. */
export interface Balances {
  /** Takes the estimate; `undefined`, and nothing changes, where the token is revoked or holds less. */
  reserve(tx: Write, tokenId: string, estimate: Amount): Promise<OpenCall | undefined>;
  /**
   * Takes what the call cost instead, at most what the token holds, counts and journals it. The balance that remains.
   * Done once for each call.
   */
  settle(tx: Write, call: OpenCall, provider: Provider, cost: Amount): Promise<Amount>;
  /** Gives back the estimate: the call was not served. */
  refund(tx: Write, call: OpenCall): Promise<void>;
  /**
   * Gives back what calls had taken that ended with the process: their consumers got no whole answer, and none of them
   * can end it.
   */
  recover(tx: Write): Promise<number>;
}

export function createBalances({
  clock,
  random,
  journal,
}: Pick<MeshPorts, "clock" | "random" | "journal">): Balances {
  async function refund(tx: Write, { callId, tokenId, reserved }: OpenCall): Promise<void> {
    if (!(await deleteCall(tx, callId))) return;
    const token = await readToken(tx, tokenId);
    if (token) await updateToken(tx, { ...token, balance: token.balance + reserved });
  }

  async function noted(tx: Write, call: OpenCall, token: AccessToken, provider: Provider, cost: Amount) {
    await journal.append(tx, {
      act: "pool.spent",
      trace: token.consumer,
      peer: token.consumer,
      fields: { pool: provider.poolId, provider: provider.providerId, cost: amountText(cost) },
    });
  }

  return {
    async reserve(tx, tokenId, estimate) {
      const token = await readToken(tx, tokenId);
      if (!token || token.revoked || token.balance < estimate) return undefined;
      const call = { callId: `call-${toHex(random.bytes(8))}`, tokenId, reserved: estimate };
      await insertCall(tx, call);
      await updateToken(tx, { ...token, balance: token.balance - estimate });
      return call;
    },

    async settle(tx, call, provider, cost) {
      const token = await readToken(tx, call.tokenId);
      if (!token) return 0n;
      if (!(await deleteCall(tx, call.callId))) return token.balance;
      const held = token.balance + call.reserved;
      const paid = cost < held ? cost : held;
      await updateToken(tx, {
        ...token,
        balance: held - paid,
        spent: token.spent + paid,
        callsMade: token.callsMade + 1,
        lastUsed: isoTime(clock.now()),
      });
      await countCall(tx, provider, "calls_served");
      await noted(tx, call, token, provider, paid);
      return held - paid;
    },

    refund,

    async recover(tx) {
      const open = await readCalls(tx);
      for (const call of open) await refund(tx, call);
      return open.length;
    },
  };
}
