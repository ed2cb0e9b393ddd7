import { toHex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { Caller } from "../callers.ts";
import type { StoredCommit } from "../commits/commit.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { insertShare, type Share, type Shared } from "./shares.store.ts";

/** What the maker of a share wishes of it. */
export interface ShareWishes {
  /** At most 200 characters. */
  readonly label?: string | null;
  /** Unix ms. */
  readonly expiresMs?: number | null;
}

/** What a share of a trace publishes. */
export type SharedTrace = Extract<Shared, { readonly kind: "trace" }>;

/** Makes shares: whoever knows the id of one may see what it publishes. */
export interface Shares {
  /** Publishes a commit of the caller's account with its ancestors, and nothing else. */
  makeShare(
    tx: Write,
    caller: Caller,
    commit: Pick<StoredCommit, "id" | "position" | "root" | "account">,
    wishes?: ShareWishes,
  ): Promise<Share>;
  /** Publishes the caller's account's commits of a trace, up to a place in the log. */
  makeTraceShare(tx: Write, caller: Caller, shared: SharedTrace, wishes?: ShareWishes): Promise<Share>;
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
    makeTraceShare: (tx, caller, shared, wishes = {}) => make(tx, caller, shared, wishes),
  };
}
