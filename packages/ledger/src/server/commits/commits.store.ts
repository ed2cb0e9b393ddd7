import { toHex } from "@darkmatter/core";
import type { Migration, Read, SqlValue, Write } from "@darkmatter/store";
import { bytesOf, COMMITS_STAY, TAIL } from "../../commits/commits.store.ts";
import type { Placed } from "../../log/append.ts";
import type { CommitDraft, ParentCommit, StoredCommit } from "./commit.ts";
import { type CommitRow, commitOfRow, SELECT_COMMITS } from "./commit-rows.store.ts";
import { idempotencyMigrations } from "./idempotency.store.ts";
import { rejectionMigrations } from "./rejections.store.ts";

// Position, id, leaf, log root and nodes are where a node's ledger has them, so that tree, proofs and checkpoints are
// read by the same code. The payload lies apart: it can be pruned, a commit is never changed.
const table = (position: string, bytes: string, text: string) => `CREATE TABLE ledger_commits (
  position ${position} PRIMARY KEY,
  id ${text} NOT NULL UNIQUE,
  account BIGINT NOT NULL,
  agent TEXT NOT NULL,
  to_agent TEXT NOT NULL,
  trace TEXT,
  branch TEXT NOT NULL,
  parent BIGINT,
  root BIGINT NOT NULL,
  depth BIGINT NOT NULL,
  fork_of TEXT,
  fork_point TEXT,
  event TEXT NOT NULL,
  label TEXT,
  role TEXT,
  provider TEXT,
  model TEXT,
  client_time TEXT NOT NULL,
  key_id TEXT NOT NULL,
  accepted_ms BIGINT NOT NULL,
  claims TEXT,
  payload_hash ${bytes} NOT NULL,
  chain_hash ${bytes} NOT NULL,
  integrity_hash ${bytes} NOT NULL,
  leaf ${bytes} NOT NULL,
  log_root ${bytes} NOT NULL,
  nodes ${bytes} NOT NULL
)`;

const AROUND = [
  "CREATE INDEX ledger_commits_account ON ledger_commits (account, position)",
  "CREATE INDEX ledger_commits_trace ON ledger_commits (account, trace, position) WHERE trace IS NOT NULL",
  "CREATE INDEX ledger_commits_to ON ledger_commits (to_agent, position)",
  "CREATE INDEX ledger_commits_parent ON ledger_commits (parent) WHERE parent IS NOT NULL",
];

const APART = [
  "CREATE TABLE ledger_payloads (position BIGINT PRIMARY KEY, payload TEXT NOT NULL)",
  "CREATE TABLE ledger_pruned (position BIGINT PRIMARY KEY, pruned_ms BIGINT NOT NULL)",
];

export const serverCommitMigrations: readonly Migration[] = [
  {
    name: "ledger-server/010-commits",
    dialects: ["sqlite"],
    sql: [
      table("INTEGER", "BLOB", "TEXT"),
      ...AROUND,
      ...COMMITS_STAY.sqlite,
      ...TAIL,
      ...APART.map((sql) => sql.replace("position BIGINT PRIMARY KEY", "position INTEGER PRIMARY KEY")),
    ],
  },
  {
    name: "ledger-server/010-commits-postgres",
    dialects: ["postgres"],
    sql: [
      table("BIGINT", "BYTEA", 'TEXT COLLATE "C"'),
      ...AROUND,
      ...COMMITS_STAY.postgres,
      ...TAIL,
      ...APART,
    ],
  },
  ...idempotencyMigrations,
  ...rejectionMigrations,
];

/** A draft and its place in the log. */
export interface PlacedDraft {
  readonly draft: CommitDraft;
  readonly placed: Placed;
}

const COLUMNS = [
  ["position", "id", "account", "agent", "to_agent", "trace", "branch", "parent", "root", "depth", "fork_of"],
  [
    "fork_point",
    "event",
    "label",
    "role",
    "provider",
    "model",
    "client_time",
    "key_id",
    "accepted_ms",
    "claims",
  ],
  ["payload_hash", "chain_hash", "integrity_hash", "leaf", "log_root", "nodes"],
].flat();

const INSERT_COMMITS = `INSERT INTO ledger_commits (${COLUMNS.join(", ")}) VALUES `;
const INSERT_PAYLOADS = "INSERT INTO ledger_payloads (position, payload) VALUES ";

const marks = (columns: number) => `(${Array.from({ length: columns }, () => "?").join()})`;
const COMMIT_MARKS = marks(COLUMNS.length);
const PAYLOAD_MARKS = marks(2);

/** Rows of commits and their payloads, so many with one statement. */
export async function insertCommits(
  tx: Write,
  commits: readonly PlacedDraft[],
  rowsAtOnce: number,
): Promise<void> {
  for (let at = 0; at < commits.length; at += rowsAtOnce) {
    const some = commits.slice(at, at + rowsAtOnce);
    await tx.run(INSERT_COMMITS + some.map(() => COMMIT_MARKS).join(), ...some.flatMap(rowOf));
    await tx.run(
      INSERT_PAYLOADS + some.map(() => PAYLOAD_MARKS).join(),
      ...some.flatMap(({ draft, placed }) => [placed.position, draft.payload]),
    );
  }
}

/** In the order of `COLUMNS`. */
function rowOf({ draft, placed }: PlacedDraft): SqlValue[] {
  const { parent } = draft;
  return [
    placed.position,
    draft.id,
    draft.account,
    draft.agent,
    draft.toAgent,
    draft.trace,
    draft.branch,
    parent?.position ?? null,
    parent?.root ?? placed.position,
    (parent?.depth ?? 0) + 1,
    draft.forkOf,
    draft.forkPoint,
    draft.event,
    draft.label,
    draft.role,
    draft.provider,
    draft.model,
    draft.timestamp,
    draft.keyId,
    draft.acceptedMs,
    JSON.stringify(draft.claims),
    bytesOf(draft.payloadHash),
    bytesOf(draft.chainHash),
    bytesOf(draft.integrityHash),
    bytesOf(placed.leaf),
    bytesOf(placed.logRoot),
    bytesOf(placed.nodes.join("")),
  ];
}

type ParentRow = {
  position: number;
  id: string;
  root: number;
  root_id: string;
  depth: number;
  chain_hash: Uint8Array;
  integrity_hash: Uint8Array;
};

/** A commit of an account, as what follows it needs it; `undefined` for any id that is not this account's. */
export async function parentCommit(
  read: Read,
  account: number,
  id: string,
): Promise<ParentCommit | undefined> {
  const row = await read.get<ParentRow>(
    `SELECT c.position, c.id, c.root, r.id AS root_id, c.depth, c.chain_hash, c.integrity_hash
     FROM ledger_commits c JOIN ledger_commits r ON r.position = c.root
     WHERE c.id = ? AND c.account = ?`,
    id,
    account,
  );
  return (
    row && {
      position: row.position,
      id: row.id,
      root: row.root,
      rootId: row.root_id,
      depth: row.depth,
      chainHash: toHex(row.chain_hash),
      integrityHash: toHex(row.integrity_hash),
    }
  );
}

/** Commits that meet a condition on `c`, written in SQL after WHERE. */
export async function commitsWhere(
  read: Read,
  condition: string,
  ...values: readonly (number | string | null)[]
): Promise<StoredCommit[]> {
  const rows = await read.all<CommitRow>(`${SELECT_COMMITS} WHERE ${condition}`, ...values);
  return rows.map(commitOfRow);
}

/** A commit of an account; `undefined` for any id that is not this account's. */
export async function commitOfAccount(
  read: Read,
  account: number,
  id: string,
): Promise<StoredCommit | undefined> {
  const [commit] = await commitsWhere(read, "c.id = ? AND c.account = ?", id, account);
  return commit;
}

/** Placeholders of one statement at most. */
const AT_ONCE = 256;

/** The commits at these positions, in their order. A long chain is read in such pages, not at once. */
export async function commitsAt(read: Read, positions: readonly number[]): Promise<StoredCommit[]> {
  const found: StoredCommit[] = [];
  for (let from = 0; from < positions.length; from += AT_ONCE) {
    const page = positions.slice(from, from + AT_ONCE);
    const marks = page.map(() => "?").join();
    found.push(...(await commitsWhere(read, `c.position IN (${marks}) ORDER BY c.position`, ...page)));
  }
  return found;
}

/** Ids of the rows at these positions, whatever else became of them. */
export async function idsAt(read: Read, positions: readonly number[]): Promise<ReadonlyMap<number, string>> {
  if (positions.length === 0) return new Map();
  const marks = positions.map(() => "?").join();
  const rows = await read.all<{ position: number; id: string }>(
    `SELECT position, id FROM ledger_commits WHERE position IN (${marks})`,
    ...positions,
  );
  return new Map(rows.map(({ position, id }) => [position, String(id)]));
}
