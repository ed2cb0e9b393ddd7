import { toHex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { Caller } from "../callers.ts";
import type { StoredCommit } from "../commits/commit.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { insertShare, newestOfTrace, type Share, type Shared } from "./shares.store.ts";

/** What the maker of a share wishes of it. */
export interface ShareWishes {
  /** At most 200 characters. */
  readonly label?: string | null;
  /** Unix ms. */
  readonly expiresMs?: number | null;
}

/** Makes shares: whoever knows the id of one may see what it publishes. */
export interface Shares {
  /** Publishes a commit of the caller's account with its ancestors, and nothing else. */
  makeShare(
    tx: Write,
    caller: Caller,
    commit: Pick<StoredCommit, "id" | "position" | "root" | "account">,
    wishes?: ShareWishes,
  ): Promise<Share>;
  /** Publishes a trace as it is now; `undefined` for a trace of which this account has no commit. */
  makeTraceShare(tx: Write, caller: Caller, trace: string, wishes?: ShareWishes): Promise<Share | undefined>;
}

export function createShares({ clock, random }: Pick<LedgerServerPorts, "clock" | "random">): Shares {
  async function make(tx: Write, caller: Caller, shared: Shared, wishes: ShareWishes): Promise<Share> {
    const share = {
      id: `share_${toHex(random.bytes(8))}`,
      account: caller.account,
      shared,
      label: wishes.label ?? null,
      createdMs: Math.floor(clock.now()),
      expiresMs: wishes.expiresMs ?? null,
    };
    const madeBy = caller.kind === "key" ? caller.agentId : "account";
    await insertShare(tx, { ...share, madeBy });
    return { ...share, revokedMs: null, views: 0 };
  }

  return {
    async makeShare(tx, caller, commit, wishes = {}) {
      if (commit.account !== caller.account) throw new Error("A share of another account's commit.");
      return make(
        tx,
        caller,
        { kind: "chain", commitId: commit.id, root: commit.root, until: commit.position },
        wishes,
      );
    },
    async makeTraceShare(tx, caller, trace, wishes = {}) {
      const until = await newestOfTrace(tx, caller.account, trace);
      return until === undefined ? undefined : make(tx, caller, { kind: "trace", trace, until }, wishes);
    },
  };
}
