import type { Migration, Read, Write } from "@darkmatter/store";

const shares = (text: string) => `CREATE TABLE ledger_shares (
  id TEXT PRIMARY KEY,
  account BIGINT NOT NULL,
  made_by TEXT NOT NULL,
  commit_id ${text},
  trace TEXT,
  root BIGINT,
  until BIGINT NOT NULL,
  label TEXT,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  revoked_ms BIGINT,
  views BIGINT NOT NULL DEFAULT 0
)`;

const AROUND = [
  // Who may be seen under a trace's name. It stays when the shares end: an address that was given away leads nowhere
  // else. Kept apart from the shares, whose times are those of several machines.
  "CREATE TABLE ledger_shared_traces (trace TEXT PRIMARY KEY, account BIGINT NOT NULL)",
  "CREATE INDEX ledger_shares_account ON ledger_shares (account, created_ms)",
  "CREATE INDEX ledger_shares_root ON ledger_shares (root) WHERE root IS NOT NULL",
  "CREATE INDEX ledger_shares_trace ON ledger_shares (trace, created_ms) WHERE trace IS NOT NULL",
];

export const shareMigrations: readonly Migration[] = [
  { name: "ledger-server/030-shares", dialects: ["sqlite"], sql: [shares("TEXT"), ...AROUND] },
  {
    name: "ledger-server/030-shares-postgres",
    dialects: ["postgres"],
    sql: [shares('TEXT COLLATE "C"'), ...AROUND],
  },
];

/** What is published: a commit with its ancestors, or the commits of a trace up to a place in the log. */
export type Shared =
  | { readonly kind: "chain"; readonly commitId: string; readonly root: number; readonly until: number }
  | { readonly kind: "trace"; readonly trace: string; readonly until: number };

/** A share. `until` is the last position of the log it may show: what comes later is no part of it. */
export interface Share {
  /** `share_<16 hex>` */
  readonly id: string;
  readonly account: number;
  readonly shared: Shared;
  readonly label: string | null;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly revokedMs: number | null;
  readonly views: number;
}

type ShareRow = {
  id: string;
  account: number;
  commit_id: string | null;
  trace: string | null;
  root: number | null;
  until: number;
  label: string | null;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
  views: number;
};

const COLUMNS =
  "id, account, commit_id, trace, root, until, label, created_ms, expires_ms, revoked_ms, views";

function sharedOf({ commit_id, trace, root, until }: ShareRow): Shared {
  if (commit_id !== null && root !== null) return { kind: "chain", commitId: commit_id, root, until };
  return { kind: "trace", trace: trace ?? "", until };
}

const fromRow = (row: ShareRow): Share => ({
  id: row.id,
  account: row.account,
  shared: sharedOf(row),
  label: row.label,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
  revokedMs: row.revoked_ms,
  views: row.views,
});

export async function insertShare(
  tx: Write,
  share: Omit<Share, "revokedMs" | "views"> & { readonly madeBy: string },
): Promise<void> {
  const { shared } = share;
  const isChain = shared.kind === "chain";
  await tx.run(
    `INSERT INTO ledger_shares (id, account, made_by, commit_id, trace, root, until, label, created_ms, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    share.id,
    share.account,
    share.madeBy,
    isChain ? shared.commitId : null,
    isChain ? null : shared.trace,
    isChain ? shared.root : null,
    shared.until,
    share.label,
    share.createdMs,
    share.expiresMs,
  );
  if (!isChain)
    await tx.run(
      "INSERT INTO ledger_shared_traces (trace, account) VALUES (?, ?) ON CONFLICT (trace) DO NOTHING",
      shared.trace,
      share.account,
    );
}

/** A share by its id, whoever asks; whether it may still be shown is for the caller. */
export async function shareById(read: Read, id: string): Promise<Share | undefined> {
  const row = await read.get<ShareRow>(`SELECT ${COLUMNS} FROM ledger_shares WHERE id = ?`, id);
  return row && fromRow(row);
}

/** Shares of an account that were not revoked, newest first. */
export async function sharesOf(read: Read, account: number, limit: number): Promise<Share[]> {
  const rows = await read.all<ShareRow>(
    `SELECT ${COLUMNS} FROM ledger_shares WHERE account = ? AND revoked_ms IS NULL
     ORDER BY created_ms DESC, id LIMIT CAST(? AS BIGINT)`,
    account,
    limit,
  );
  return rows.map(fromRow);
}

/** Ends a share of an account; when it was ended, `undefined` for any id that is not this account's. */
export async function revokeShare(
  tx: Write,
  account: number,
  id: string,
  nowMs: number,
): Promise<number | undefined> {
  const row = await tx.get<{ revoked_ms: number }>(
    `UPDATE ledger_shares SET revoked_ms = COALESCE(revoked_ms, CAST(? AS BIGINT)) WHERE id = ? AND account = ?
     RETURNING revoked_ms`,
    nowMs,
    id,
    account,
  );
  return row?.revoked_ms;
}

export async function addViews(tx: Write, id: string, views: number): Promise<void> {
  await tx.run("UPDATE ledger_shares SET views = views + ? WHERE id = ?", views, id);
}

/** The newest active share that ends with this commit of an account. */
export async function shareOfCommit(
  read: Read,
  account: number,
  commitId: string,
  nowMs: number,
): Promise<Share | undefined> {
  const row = await read.get<ShareRow>(
    `SELECT ${COLUMNS} FROM ledger_shares WHERE account = ? AND commit_id = ? AND ${ACTIVE}
     ORDER BY created_ms DESC, id LIMIT 1`,
    account,
    commitId,
    nowMs,
  );
  return row && fromRow(row);
}

/** What makes a share one that is shown: neither revoked nor over. Takes the time in ms. */
const ACTIVE = "revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?)";

/** Whether a commit is the tip, or an ancestor of the tip, of a chain that an active share publishes. */
export async function isCovered(
  read: Read,
  commit: { readonly position: number; readonly root: number; readonly account: number },
  nowMs: number,
): Promise<boolean> {
  // All shares of the chain's tree are walked at once; UNION passes an ancestor of several once only.
  // The plus keeps both engines from reading the whole account at each step: they know the place already.
  const row = await read.get(
    `WITH RECURSIVE shown (position, parent) AS (
       SELECT c.position, c.parent FROM ledger_shares s JOIN ledger_commits c ON c.position = s.until
       WHERE s.root = ? AND s.account = ? AND s.until >= ? AND ${ACTIVE}
       UNION
       SELECT c.position, c.parent FROM shown JOIN ledger_commits c ON c.position = shown.parent
       WHERE shown.parent >= ? AND +c.account = ?
     ) SELECT position FROM shown WHERE position = ? LIMIT 1`,
    commit.root,
    commit.account,
    commit.position,
    nowMs,
    commit.position,
    commit.account,
    commit.position,
  );
  return row !== undefined;
}

/**
 * The oldest active share of a trace by the account that shared a trace of this name first. Names are every account's
 * own: nobody takes one over by sharing later, nor when those shares have ended.
 */
export async function activeTraceShare(read: Read, trace: string, nowMs: number): Promise<Share | undefined> {
  const row = await read.get<ShareRow>(
    `SELECT ${COLUMNS} FROM ledger_shares
     WHERE trace = ? AND account = (SELECT account FROM ledger_shared_traces WHERE trace = ?) AND ${ACTIVE}
     ORDER BY created_ms, id LIMIT 1`,
    trace,
    trace,
    nowMs,
  );
  return row && fromRow(row);
}

/** The position of the newest commit of an account's trace; `undefined` for a trace that is not this account's. */
export async function newestOfTrace(read: Read, account: number, trace: string): Promise<number | undefined> {
  const row = await read.get<{ position: number | null }>(
    "SELECT MAX(position) AS position FROM ledger_commits WHERE account = ? AND trace = ?",
    account,
    trace,
  );
  return row?.position ?? undefined;
}

/** A trace's commits up to a place in the log: their positions, and the ids of those that none of them follows. */
export async function traceTips(
  read: Read,
  account: number,
  trace: string,
  until: number,
): Promise<{ readonly tips: readonly string[]; readonly positions: ReadonlySet<number> }> {
  const rows = await read.all<{ position: number; id: string; parent: number | null }>(
    `SELECT position, id, parent FROM ledger_commits
     WHERE account = ? AND trace = ? AND position <= ? ORDER BY position`,
    account,
    trace,
    until,
  );
  const parents = new Set(rows.map(({ parent }) => parent));
  return {
    tips: rows.filter(({ position }) => !parents.has(position)).map(({ id }) => id),
    positions: new Set(rows.map(({ position }) => position)),
  };
}

/** The commit that has this id, in whatever account: only to be shown where a share covers it. */
export async function placeOfCommit(
  read: Read,
  id: string,
): Promise<{ position: number; root: number; account: number } | undefined> {
  return read.get<{ position: number; root: number; account: number }>(
    "SELECT position, root, account FROM ledger_commits WHERE id = ?",
    id,
  );
}
