import { MINUTE_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { LedgerServerPorts } from "../ports.ts";
import { markActive } from "./agents.store.ts";

/** Agents remembered between two writes; those beyond are seen at their next call. */
const AGENTS_MAX = 10_000;

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
    const now = seen;
    seen = new Map();
    await db.write((tx) => markActive(tx, now));
  }

  return {
    saw(agentId) {
      if (seen.size < AGENTS_MAX || seen.has(agentId)) seen.set(agentId, Math.floor(clock.now()));
    },
    flush,
    jobs: [{ name: "ledger.activity", periodMs: MINUTE_MS, run: flush }],
  };
}
