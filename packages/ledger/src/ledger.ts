import { type DarkMatterError, reasonOf } from "@darkmatter/core";
import type { Journal } from "@darkmatter/store";
import { type Guard, type Job, type Route, ready, type Tool } from "@darkmatter/surface";
import { checkpointJobs } from "./checkpoints/checkpoints.jobs.ts";
import { type Checkpoints, createCheckpoints } from "./checkpoints/checkpoints.ts";
import { tryLogKey } from "./checkpoints/log-key.ts";
import { readTail } from "./commits/commits.store.ts";
import { createLedgerJournal } from "./commits/journal.ts";
import { ledgerError } from "./errors.ts";
import { quickCheck } from "./fsck/quick-check.ts";
import type { Problem } from "./fsck/report.ts";
import { ALONE, type LedgerSurroundings, ledgerTools } from "./ledger.tools.ts";
import { createLog } from "./log/log.ts";
import { createMirror } from "./mirror/mirror.ts";
import type { LedgerPorts } from "./ports.ts";
import { createLedgerReader, type LedgerReader } from "./reader.ts";
import { witnessJobs } from "./witnesses/witnesses.jobs.ts";
import { witnessRoutes } from "./witnesses/witnesses.routes.ts";
import { createWitnesses } from "./witnesses/witnesses.ts";

/** A node's ledger: its ways in, as data, and its life. */
export interface Ledger {
  /** For whatever acts: each act becomes a commit. After damage was found it refuses with LEDGER_DAMAGED. */
  readonly journal: Journal;
  readonly routes: readonly Route[];
  readonly tools: readonly Tool[];
  readonly jobs: readonly Job[];
  readonly read: LedgerReader;
  /** Why nothing more is appended, naming the first bad commit; known after `start`. */
  damage(): DarkMatterError | undefined;
  /** Tries the key, and looks at the end of a migrated ledger. Damage is reported, and ends the appending. */
  start(): Promise<void>;
  /** Signs the log as it is, then ends what is under way. */
  stop(): Promise<void>;
}

/** @param guards what its routes ask after whether the node is ready: the node's limit over all requests */
export function createLedger(
  ports: LedgerPorts,
  guards: readonly Guard[] = [],
  surroundings: LedgerSurroundings = ALONE,
): Ledger {
  const { db, signer, report } = ports;
  let damage: Problem | undefined;
  let isReady = false;
  /** Whether the end of the ledger was looked at. */
  let wasChecked = false;
  let hasCommits = false;
  const refusal = () => (damage ? ledgerError("LEDGER_DAMAGED", sentenceOf(damage)) : undefined);
  const refuseDamaged = () => {
    // Tools can be called while the node is still starting.
    if (!wasChecked) throw ledgerError("LEDGER_UNCHECKED");
    const reason = refusal();
    if (reason) throw reason;
  };
  const beforeAppend = () => {
    refuseDamaged();
    hasCommits = true;
  };

  const log = createLog();
  const signing = createCheckpoints(ports, log);
  // Nothing new is signed over what is damaged.
  const checkpoints: Checkpoints = {
    ...signing,
    make: async (tx) => {
      refuseDamaged();
      return signing.make(tx);
    },
  };
  const witnesses = createWitnesses(ports, log, checkpoints);
  const read = createLedgerReader(ports);
  const mirror = ports.mirror && createMirror(ports, checkpoints, ports.mirror);
  const jobs = [
    ...checkpointJobs(db, checkpoints),
    ...witnessJobs(witnesses),
    ...(mirror ? [mirror.job] : []),
  ];

  return {
    journal: createLedgerJournal(ports, beforeAppend),
    routes: witnessRoutes(witnesses, [ready(() => isReady), ...guards]),
    tools: ledgerTools({ ports, surroundings, checkpoints, witnesses, read, hasCommits: () => hasCommits }),
    jobs: jobs.map((job) => ({ ...job, run: async () => (damage ? undefined : job.run()) })),
    read,
    damage: refusal,

    async start() {
      await tryLogKey(ports);
      damage = await quickCheck(db, { agentId: signer.agentId, checkpoints });
      wasChecked = true;
      if (damage) report("ledger.damaged", { ...contextOf(damage) });
      hasCommits = !damage && (await readTail(db)).size > 0;
      isReady = true;
    },

    async stop() {
      isReady = false;
      await mirror?.stop();
      try {
        if (wasChecked && !damage) await db.write((tx) => checkpoints.make(tx));
      } catch (error) {
        // The log is whole without it; whatever is to be stopped still is.
        report("ledger.checkpoint", { reason: reasonOf(error) });
      }
      await witnesses.stop();
    },
  };
}

function sentenceOf({ kind, position, id }: Problem): string {
  const where = id ?? (position === null ? "its end" : `position ${position}`);
  return `The ledger is damaged at ${where} (${kind}).`;
}

function contextOf({ kind, position, id }: Problem): Record<string, string | number> {
  return { kind, ...(position !== null && { position }), ...(id !== null && { id }) };
}
