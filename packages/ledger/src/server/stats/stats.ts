import type { Clock } from "@darkmatter/core";
import { SECOND_MS } from "@darkmatter/core";
import { verifyCheckpoint } from "@darkmatter/proof";
import { latestCheckpoint } from "../../checkpoints/checkpoints.store.ts";
import { readTail } from "../../commits/commits.store.ts";
import { countRejections } from "../commits/rejections.store.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { countAgents } from "./stats.store.ts";

/** What everybody may know of a server. */
export interface Stats {
  readonly agents: number;
  readonly commits: number;
  /** Commits under a checkpoint whose signature was just checked. */
  readonly verified: number;
  /** Attempts to commit that were refused. */
  readonly rejected: number;
}

export type StatsPorts = Pick<LedgerServerPorts, "db" | "clock" | "logKey" | "formerLogKeys" | "verifier">;

const KEPT_MS = 5 * SECOND_MS;

/** Counts, at most once in 5 s: everybody may ask. */
export function createStats(ports: StatsPorts): () => Promise<Stats> {
  return keptFor(ports.clock, KEPT_MS, () => countAll(ports));
}

async function countAll({ db, logKey, formerLogKeys, verifier }: StatsPorts): Promise<Stats> {
  const checkpoint = await latestCheckpoint(db);
  let verified = 0;
  for (const key of [logKey.agentId, ...formerLogKeys.map(({ publicKey }) => publicKey)]) {
    if (checkpoint && (await verifyCheckpoint(checkpoint, key, (...signed) => verifier.verify(...signed))))
      verified = checkpoint.tree_size;
  }
  return {
    agents: await countAgents(db),
    // Every commit has a place in the log, and keeps it.
    commits: (await readTail(db)).size,
    verified,
    rejected: await countRejections(db),
  };
}

/** Asks at most once in a while; those who come meanwhile share the answer. What fails is not kept. */
export function keptFor<T>(clock: Clock, keptMs: number, ask: () => Promise<T>): () => Promise<T> {
  let kept: { readonly atMs: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = clock.monotonic();
    if (kept && now - kept.atMs < keptMs) return kept.answer;
    const asked = { atMs: now, answer: ask() };
    kept = asked;
    asked.answer.catch(() => {
      if (kept === asked) kept = undefined;
    });
    return asked.answer;
  };
}
