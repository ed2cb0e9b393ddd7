import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Side } from "./side.ts";
import { commitsOf, openForReading } from "./verdict.ts";

/** What is wrong with the ledgers. Both nodes have ended. */
export interface LedgerVerdict {
  readonly commits: number;
  /** What looking through the whole of each ledger found: hashes, links, tree, checkpoints, values. */
  readonly brokenChains: readonly string[];
  /** Leaves that the log's end or a checkpoint counts, and no commit fills. */
  readonly leavesWithoutCommit: number;
  /** Rows that say something was done, of which the ledger says nothing. */
  readonly actsWithoutCommit: readonly string[];
}

/** A table's rows as `id`, and the commits there must be for them. */
const ACTS: readonly (readonly [what: string, rows: string, commits: string])[] = [
  ["connected", "SELECT agent_id AS id FROM mesh_connections", commitsOf("connection.opened", "peer")],
  [
    "sent",
    "SELECT message_id AS id FROM mesh_sent WHERE targets <> '[]'",
    commitsOf("message.sent", "message_id"),
  ],
  ["received", "SELECT message_id AS id FROM mesh_inbox", commitsOf("message.received", "message_id")],
  [
    "answered",
    "SELECT message_id || ' ' || json_extract(body, '$.agent_id') AS id FROM mesh_responses",
    commitsOf("message.answered", "message_id || ' ' || peer"),
  ],
  [
    "receipt taken",
    "SELECT message_id || ' ' || agent_id || ' ' || rung AS id FROM mesh_receipts",
    commitsOf(
      "receipt.taken",
      "message_id || ' ' || peer || ' ' || json_extract(fields, '$.receipt.value.rung')",
    ),
  ],
];

export async function judgeLedgers(sides: readonly Pick<Side, "home">[]): Promise<LedgerVerdict> {
  const verdicts = await Promise.all(sides.map(judgeLedger));
  return {
    commits: verdicts.reduce((sum, { commits }) => sum + commits, 0),
    brokenChains: verdicts.flatMap(({ brokenChains }) => brokenChains),
    leavesWithoutCommit: verdicts.reduce((sum, { leavesWithoutCommit }) => sum + leavesWithoutCommit, 0),
    actsWithoutCommit: verdicts.flatMap(({ actsWithoutCommit }) => actsWithoutCommit),
  };
}

async function judgeLedger(side: Pick<Side, "home">): Promise<LedgerVerdict> {
  using db = openForReading(side);
  const [commits = 0] = db.ids("SELECT count(*) AS id FROM ledger_commits").map(Number);
  const counted = db.ids(`SELECT max(size) AS id FROM (SELECT size FROM ledger_tail
    UNION ALL SELECT tree_size FROM ledger_checkpoints)`);
  const actsWithoutCommit = ACTS.flatMap(([what, rows, commitsOfAct]) => {
    const recorded = new Set(db.ids(commitsOfAct));
    return db
      .ids(rows)
      .filter((id) => !recorded.has(id))
      .map((id) => `${what}: ${id}`);
  });
  return {
    commits,
    brokenChains: await fsck(side),
    leavesWithoutCommit: Math.max(0, Number(counted[0] ?? 0) - commits),
    actsWithoutCommit,
  };
}

/** What `darkmatter fsck` says of a ledger whose node has ended; empty when it is sound. */
async function fsck({ home }: Pick<Side, "home">): Promise<string[]> {
  const child = home.start(["fsck", "--json"], ["ignore", "pipe", "inherit"]);
  const [said] = await Promise.all([text(child.stdout as NodeJS.ReadableStream), once(child, "exit")]);
  const report = JSON.parse(said) as {
    isSound?: boolean;
    commits?: number;
    problems?: Record<string, number>;
    error?: string;
  };
  if (report.isSound === true && (report.commits ?? 0) > 0) return [];
  const problems = Object.entries(report.problems ?? {}).map(([kind, times]) => `${kind} × ${times}`);
  return problems.length > 0 ? problems : [report.error ?? said];
}
