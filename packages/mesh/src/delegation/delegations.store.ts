import type { Migration, Read, Row, Write } from "@darkmatter/store";
import type { Delegation, DelegationState, Work } from "./work.ts";

export const delegationMigrations: readonly Migration[] = [
  {
    name: "mesh/040-delegations",
    dialects: ["sqlite"],
    sql: [
      // Rows stay: that work was handed is never forgotten.
      `CREATE TABLE mesh_delegations (
         id TEXT PRIMARY KEY,
         kind TEXT NOT NULL,
         subject TEXT NOT NULL,
         peer TEXT NOT NULL,
         state TEXT NOT NULL,
         public_key TEXT NOT NULL,
         granted_at_ms INTEGER NOT NULL,
         not_after_ms INTEGER NOT NULL,
         pid INTEGER,
         mark TEXT,
         ended_at_ms INTEGER,
         outcome TEXT,
         UNIQUE (kind, subject)
       )`,
      "CREATE INDEX mesh_delegations_by_age ON mesh_delegations (granted_at_ms)",
      "CREATE INDEX mesh_delegations_open ON mesh_delegations (state) WHERE state <> 'ended'",
      `CREATE TABLE mesh_delegations_waiting (
         seq INTEGER PRIMARY KEY,
         kind TEXT NOT NULL,
         subject TEXT NOT NULL,
         UNIQUE (kind, subject)
       )`,
      "CREATE TABLE mesh_delegations_switch (id INTEGER PRIMARY KEY CHECK (id = 1), is_on INTEGER NOT NULL)",
    ],
  },
];

type DelegationRow = Row & {
  id: string;
  kind: string;
  subject: string;
  peer: string;
  state: string;
  public_key: string;
  granted_at_ms: number;
  not_after_ms: number;
  pid: number | null;
  mark: string | null;
  ended_at_ms: number | null;
  outcome: string | null;
};

const fromRow = (row: DelegationRow): Delegation => ({
  id: row.id,
  kind: row.kind as Work["kind"],
  subject: row.subject,
  peer: row.peer,
  state: row.state as DelegationState,
  publicKey: row.public_key,
  grantedAtMs: row.granted_at_ms,
  notAfterMs: row.not_after_ms,
  pid: row.pid,
  endedAtMs: row.ended_at_ms,
  outcome: row.outcome,
});

/** Writes a hand-over down; `false` when this work was handed before. */
export async function insertDelegation(tx: Write, one: Delegation): Promise<boolean> {
  const rows = await tx.run(
    `INSERT INTO mesh_delegations (id, kind, subject, peer, state, public_key, granted_at_ms, not_after_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, subject) DO NOTHING`,
    one.id,
    one.kind,
    one.subject,
    one.peer,
    one.state,
    one.publicKey,
    one.grantedAtMs,
    one.notAfterMs,
  );
  return rows === 1;
}

export async function wasHanded(tx: Read, kind: Work["kind"], subject: string): Promise<boolean> {
  const row = await tx.get("SELECT 1 FROM mesh_delegations WHERE kind = ? AND subject = ?", kind, subject);
  return row !== undefined;
}

export async function countOpen(tx: Read): Promise<number> {
  const row = await tx.get<{ open: number }>(
    "SELECT count(*) AS open FROM mesh_delegations WHERE state <> 'ended'",
  );
  return row?.open ?? 0;
}

export async function countGrantedSince(tx: Read, sinceMs: number): Promise<number> {
  const row = await tx.get<{ granted: number }>(
    "SELECT count(*) AS granted FROM mesh_delegations WHERE granted_at_ms > ?",
    sinceMs,
  );
  return row?.granted ?? 0;
}

export async function markRunning(tx: Write, id: string, pid: number, mark: string | null): Promise<void> {
  await tx.run(
    "UPDATE mesh_delegations SET state = 'running', pid = ?, mark = ? WHERE id = ? AND state = 'granted'",
    pid,
    mark,
    id,
  );
}

/** `false` when it had ended before. */
export async function markEnded(tx: Write, id: string, atMs: number, outcome: string): Promise<boolean> {
  const rows = await tx.run(
    "UPDATE mesh_delegations SET state = 'ended', ended_at_ms = ?, outcome = ? WHERE id = ? AND state <> 'ended'",
    atMs,
    outcome,
    id,
  );
  return rows === 1;
}

/** Newest first. */
export async function readDelegations(tx: Read, limit: number): Promise<Delegation[]> {
  const rows = await tx.all<DelegationRow>(
    "SELECT * FROM mesh_delegations ORDER BY granted_at_ms DESC, id LIMIT +?",
    limit,
  );
  return rows.map(fromRow);
}

/** What an earlier run left open, with what tells its processes from others'. */
export async function readOpen(tx: Read): Promise<{ delegation: Delegation; mark: string | null }[]> {
  const rows = await tx.all<DelegationRow>(
    "SELECT * FROM mesh_delegations WHERE state <> 'ended' ORDER BY granted_at_ms, id",
  );
  return rows.map((row) => ({ delegation: fromRow(row), mark: row.mark }));
}

/** Rows that wait at most; work beyond that stays in the inbox and is not handed by itself. */
export const WAITING_MAX = 1000;

export async function addWaiting(tx: Write, kind: Work["kind"], subject: string): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_delegations_waiting (kind, subject)
     SELECT ?, ? WHERE (SELECT count(*) FROM mesh_delegations_waiting) < ? ON CONFLICT (kind, subject) DO NOTHING`,
    kind,
    subject,
    WAITING_MAX,
  );
}

export async function removeWaiting(tx: Write, kind: Work["kind"], subject: string): Promise<void> {
  await tx.run("DELETE FROM mesh_delegations_waiting WHERE kind = ? AND subject = ?", kind, subject);
}

/** Oldest first. */
export function readWaiting(tx: Read): Promise<{ kind: Work["kind"]; subject: string }[]> {
  return tx.all("SELECT kind, subject FROM mesh_delegations_waiting ORDER BY seq");
}

/** What the owner last said; `undefined` before. */
export async function readSwitch(tx: Read): Promise<boolean | undefined> {
  const row = await tx.get<{ is_on: number }>("SELECT is_on FROM mesh_delegations_switch WHERE id = 1");
  return row && row.is_on === 1;
}

export async function writeSwitch(tx: Write, isOn: boolean): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_delegations_switch (id, is_on) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET is_on = excluded.is_on",
    isOn ? 1 : 0,
  );
}
