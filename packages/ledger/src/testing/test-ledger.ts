import type { Clock, Random } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, type Signer, type Verifier } from "@darkmatter/identity";
import type { Database, Journal, JournalEvent } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { type Checkpoints, createCheckpoints } from "../checkpoints/checkpoints.ts";
import type { Commit } from "../commits/commit.ts";
import { commitsWhere } from "../commits/commits.store.ts";
import { createLedgerJournal } from "../commits/journal.ts";
import { createDisclosures, type Disclosures } from "../disclosures/disclosures.ts";
import { createLog, type Log } from "../log/log.ts";
import { createLedgerReader, type LedgerReader } from "../reader.ts";
import { ledgerMigrations } from "../schema.ts";

const SEED_BYTES = 32;
/** 2026-11-21T10:00:00Z */
const START_MS = 1_795_255_200_000;

/** A ledger of its own: everything that makes and reads commits, and nothing that talks to others. */
export interface TestLedger extends AsyncDisposable {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly agentName: () => Promise<string>;
  readonly journal: Journal;
  readonly log: Log;
  readonly checkpoints: Checkpoints;
  readonly disclosures: Disclosures;
  readonly reader: LedgerReader;
  /** Appends an act in a transaction of its own; its scheme-2 hash. */
  append(event?: Partial<JournalEvent>): Promise<string>;
  /** All of it, in order. */
  commits(): Promise<Commit[]>;
}

export interface TestLedgerOptions {
  /** A database with the ledger's tables; one in memory otherwise. It is closed with the ledger. */
  readonly db?: Database;
  readonly clock?: Clock;
  /** Of its key and its chance. */
  readonly seed?: number;
  readonly random?: Random;
}

export async function testLedger(options: TestLedgerOptions = {}): Promise<TestLedger> {
  const seed = options.seed ?? 1;
  const db = options.db ?? (await memoryDatabase(ledgerMigrations));
  const ports = {
    clock: options.clock ?? virtualClock({ startMs: START_MS }),
    random: options.random ?? seededRandom(seed),
    signer: createSigner(new Uint8Array(SEED_BYTES).fill(seed)),
    verifier: createVerifier({ threads: "never" }),
    agentName: async () => `agent ${seed}`,
  };
  const log = createLog();
  const journal = createLedgerJournal(ports);
  return {
    ...ports,
    db,
    journal,
    log,
    checkpoints: createCheckpoints(ports, log),
    disclosures: createDisclosures(ports),
    reader: createLedgerReader(ports),
    append: async (event) => {
      const hash = await db.write((tx) => journal.append(tx, testEvent(event)));
      return hash ?? "";
    },
    commits: () => commitsWhere(db, "position >= 0 ORDER BY position"),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

/** A message sent, unless told otherwise. */
export function testEvent(event: Partial<JournalEvent> = {}): JournalEvent {
  const messageId = event.trace ?? event.messageId ?? "msg-1a0cdccd0c92";
  return {
    act: "message.sent",
    trace: messageId,
    messageId,
    peer: "ab".repeat(SEED_BYTES),
    fields: { content: "is the build green?", metadata: { type: "question", attempt: 1 } },
    ...event,
  };
}
