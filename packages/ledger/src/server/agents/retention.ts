import { DAY_MS, HOUR_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import { audit } from "../accounts/audit.store.ts";
import type { LedgerServerPorts } from "../ports.ts";
import {
  commitsAfter,
  prunePayloads,
  type Retained,
  retainedAgents,
  setPrunedTo,
} from "./retention.store.ts";

/** Commits looked at in one transaction: others wait no longer than for these. */
const PAGE = 200;

/**
 * Removes payloads older than their agents keep them (ledger.md 1.7): text only. Commits, hashes, links and the log stay
 * as they are, so that chains go on to verify.
 */
export function retentionJobs({ db, clock }: Pick<LedgerServerPorts, "db" | "clock">): Job[] {
  const now = () => Math.floor(clock.now());

  /** Prunes up to the agent's first commit that is young enough; where to go on, if there is more. */
  async function prunePage(kept: Retained): Promise<number | undefined> {
    const { agent, account, prunedTo } = kept;
    const page = await commitsAfter(db, account, prunedTo, PAGE);
    const untilMs = now() - kept.days * DAY_MS;
    const young = page.findIndex((commit) => commit.agent === agent && commit.acceptedMs >= untilMs);
    const old = young < 0 ? page : page.slice(0, young);
    const last = old.at(-1);
    if (!last) return undefined;
    const positions = old.filter((commit) => commit.agent === agent).map(({ position }) => position);
    await db.write(async (tx) => {
      const number = await prunePayloads(tx, positions, now());
      await setPrunedTo(tx, agent, last.position);
      if (number > 0)
        await audit(tx, { atMs: now(), account, act: "payloads.pruned", subject: agent, number });
    });
    return old.length === PAGE ? last.position : undefined;
  }

  return [
    {
      name: "ledger.retention",
      periodMs: HOUR_MS,
      async run() {
        for (const kept of await retainedAgents(db)) {
          let prunedTo: number | undefined = kept.prunedTo;
          while (prunedTo !== undefined) prunedTo = await prunePage({ ...kept, prunedTo });
        }
      },
    },
  ];
}
