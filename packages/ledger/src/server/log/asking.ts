import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Checkpoints } from "../../checkpoints/checkpoints.ts";
import { createOlderState } from "../../witnesses/older-state.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { type AskedWitness, type AskParts, createAskWitness } from "./ask-witness.ts";
import { allWitnesses } from "./log.store.ts";

/** At least this long between rounds: a witness takes ten requests a minute. */
const ROUND_GAP_MS = 10 * SECOND_MS;
/** A witness that did not answer is asked again after this long, though the log did not grow. */
const RETRY_MS = MINUTE_MS;

/** Having registered witnesses sign what this log says of itself (ledger.md 2.10). */
export interface Asking {
  /** Asks all that have not signed the newest checkpoint. */
  round(): Promise<readonly AskedWitness[]>;
  /** Does a round when one is due. */
  poll(): Promise<void>;
}

export interface AskingParts extends Omit<AskParts, "older"> {
  readonly checkpoints: Checkpoints;
}

export function createAsking({ checkpoints, ...parts }: AskingParts): Asking {
  const { db, clock, logKey, verifier, report } = parts.ports;
  const older = createOlderState({ db, signer: logKey, verifier, report }, parts.log, checkpoints);
  const ask = createAskWitness({ ...parts, older });
  const reportFailures = failureReports(report);
  let lastRoundMs = Number.NEGATIVE_INFINITY;
  /** Of the tree that was asked about last. */
  let askedSize = 0;
  let isOwed = false;
  let running: Promise<readonly AskedWitness[]> | undefined;

  async function doRound(): Promise<readonly AskedWitness[]> {
    const checkpoint = await checkpoints.latest(db);
    if (!checkpoint) return [];
    lastRoundMs = clock.monotonic();
    const witnesses = (await allWitnesses(db)).filter(({ endpoint }) => endpoint !== null);
    const asked = await Promise.all(witnesses.map((witness) => ask(witness, checkpoint)));
    askedSize = checkpoint.tree_size;
    isOwed = asked.some(({ outcome }) => outcome === "unanswered");
    reportFailures(asked);
    return asked;
  }

  /** Whoever comes while a round about the newest checkpoint is under way shares it: nobody is asked twice. */
  async function round(): Promise<readonly AskedWitness[]> {
    if (running) {
      const asked = await running;
      if ((await checkpoints.latest(db))?.tree_size === askedSize) return asked;
    }
    running ??= doRound().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    round,
    async poll() {
      const sinceMs = clock.monotonic() - lastRoundMs;
      if (sinceMs < ROUND_GAP_MS) return;
      const latest = await checkpoints.latest(db);
      const isNews = latest !== undefined && latest.tree_size !== askedSize;
      if (isNews || (isOwed && sinceMs >= RETRY_MS)) await round();
    },
  };
}

/** A witness that stays away is reported when it begins to, not each minute. */
function failureReports(report: LedgerServerPorts["report"]) {
  let failing: ReadonlySet<string> = new Set();

  return (asked: readonly AskedWitness[]): void => {
    const failed = asked.filter(({ outcome, reason }) => outcome !== "signed" && reason !== "ABORTED");
    for (const { witnessId, outcome, reason } of failed) {
      if (!failing.has(witnessId)) report(`ledger.witness_${outcome}`, { witness: witnessId, reason });
    }
    failing = new Set(failed.map(({ witnessId }) => witnessId));
  };
}
