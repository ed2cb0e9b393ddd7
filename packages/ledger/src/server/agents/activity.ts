import { MINUTE_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { LedgerServerPorts } from "../ports.ts";
import { markActive } from "./agents.store.ts";

/** Agents remembered between two writes; those beyond are seen at their next call. */
const AGENTS_MAX = 10_000;
/** Agents written in one transaction: others wait no longer than for these. */
const AT_ONCE = 200;

/** When agents were last seen: kept in memory and written together, not with every call. */
export interface Activity {
  saw(agentId: string): void;
  /** Writes what was seen since the last time. */
  flush(): Promise<void>;
  readonly jobs: readonly Job[];
}

export function createActivity({ db, clock }: Pick<LedgerServerPorts, "db" | "clock">): Activity {
  let seen = new Map<string, number>();

  async function flush(): Promise<void> {
    if (seen.size === 0) return;
    // In one order, so that two processes never wait for each other.
    const all = [...seen].sort(([one], [other]) => (one < other ? -1 : 1));
    seen = new Map();
    for (let from = 0; from < all.length; from += AT_ONCE)
      await db.write((tx) => markActive(tx, all.slice(from, from + AT_ONCE)));
  }

  return {
    saw(agentId) {
      if (seen.size < AGENTS_MAX || seen.has(agentId)) seen.set(agentId, Math.floor(clock.now()));
    },
    flush,
    jobs: [{ name: "ledger.activity", periodMs: MINUTE_MS, run: flush }],
  };
}
