import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "@darkmatter/core";
import { createSigner, SEED_BYTES } from "@darkmatter/identity";
import { createLedgerJournal, ledgerMigrations } from "@darkmatter/ledger";
import {
  type Database,
  type Journal,
  migrate,
  openSqlite,
  storeMigrations,
  type Write,
} from "@darkmatter/store";
import { type Figures, median } from "../lib/figures.ts";

const FEW = 1000;
const MANY = 1_000_000;
const MANY_SHORT = 50_000;
/** Acts that share a COMMIT in real use under load. */
const GROUP = 64;
/** Long enough that each round meets its share of copying the write-ahead log into the file. */
const GROUPS = 64;
const ROUNDS = { whole: 7, short: 3 };
/** Commits built with one transaction. */
const BUILT_AT_ONCE = 500;

/** A conversation's commits come near each other: sent, its receipts, its answer. */
const COMMITS_A_TRACE = 3;
const TRACES_OPEN = 40;

interface GrowingLedger extends AsyncDisposable {
  /** Appends so many in few transactions. */
  build(commits: number): Promise<void>;
  /** Appends in groups as a busy node does; µs for each append. */
  round(): Promise<number>;
}

/** What an append costs in a long ledger, beside a short one. */
export async function measureAppend(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dmb-append-"));
  try {
    await using long = await growingLedger(join(folder, "long.db"));
    await long.build(short ? MANY_SHORT : MANY);
    const inLong: number[] = [];
    const growth: number[] = [];
    for (let round = 0; round <= (short ? ROUNDS.short : ROUNDS.whole); round++) {
      await using small = await growingLedger(join(folder, `short-${round}.db`));
      await small.build(FEW);
      const shortUs = await small.round();
      const longUs = await long.round();
      // The first round warms up.
      if (round === 0) continue;
      inLong.push(longUs);
      growth.push(longUs / shortUs);
    }
    figures.add("ledger.append_us", median(inLong), "us");
    figures.add("ledger.append_growth", median(growth), "ratio", { most: 1.5, noisy: true });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function growingLedger(path: string): Promise<GrowingLedger> {
  const db = await openSqlite({ path });
  await migrate(db, [...storeMigrations, ...ledgerMigrations]);
  const journal = createLedgerJournal({
    clock: systemClock,
    random: systemRandom,
    signer: createSigner(randomBytes(SEED_BYTES)),
  });
  const append = appender(journal);
  return {
    async build(commits) {
      for (let built = 0; built < commits; built += BUILT_AT_ONCE) {
        await db.write(async (tx) => {
          for (let at = 0; at < BUILT_AT_ONCE; at++) await append(tx);
        });
      }
      await db.purge();
    },
    async round() {
      const startMs = performance.now();
      for (let group = 0; group < GROUPS; group++) await appendGroup(db, append);
      return ((performance.now() - startMs) * 1000) / (GROUPS * GROUP);
    },
    [Symbol.asyncDispose]: () => db.close(),
  };
}

type Append = (tx: Write) => Promise<unknown>;

async function appendGroup(db: Database, append: Append): Promise<void> {
  await Promise.all(Array.from({ length: GROUP }, () => db.write(append)));
}

/** Acts of conversations that run side by side, under ids that fall anywhere in the index. */
function appender(journal: Journal): Append {
  const peer = randomBytes(SEED_BYTES).toString("hex");
  const open: string[] = [];
  let appended = 0;
  return (tx) => {
    const isNew = appended++ % COMMITS_A_TRACE === 0;
    if (isNew) open.push(`msg-${randomBytes(6).toString("hex")}`);
    if (open.length > TRACES_OPEN) open.shift();
    const trace = (isNew ? open.at(-1) : open[systemRandom.integer(open.length)]) ?? "";
    return journal.append(tx, {
      act: isNew ? "message.sent" : "receipt.taken",
      trace,
      messageId: trace,
      peer,
      fields: {
        content: `Is the build of ${trace} green, and if not, which of its steps failed and since when?`,
        metadata: { type: "question", attempt: 1, origin_agent_id: peer },
      },
    });
  };
}
