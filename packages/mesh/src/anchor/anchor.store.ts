import type { Migration, Read, Write } from "@darkmatter/store";
import type { RelayKind, RelayRules } from "./relay-kind.ts";

/** The tables of an anchor, in a database of its own. */
export const anchorMigrations: readonly Migration[] = [
  {
    name: "anchor/001-directory-and-buffers",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE anchor_agents (
         agent_id TEXT PRIMARY KEY,
         url TEXT NOT NULL,
         signed_ms INTEGER NOT NULL,
         seen_ms INTEGER NOT NULL,
         alive_ms INTEGER NOT NULL
       ) WITHOUT ROWID`,
      "CREATE INDEX anchor_agents_alive ON anchor_agents (alive_ms)",
      // Numbers are never given out twice: what a client acknowledges is nothing that came later.
      `CREATE TABLE anchor_entries (
         seq INTEGER PRIMARY KEY AUTOINCREMENT,
         kind TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         at_ms INTEGER NOT NULL,
         bytes INTEGER NOT NULL DEFAULT 0,
         body TEXT NOT NULL
       )`,
      "CREATE INDEX anchor_entries_of ON anchor_entries (agent_id, kind, seq)",
      "CREATE INDEX anchor_entries_at ON anchor_entries (kind, at_ms)",
      `CREATE TABLE anchor_polls (
         kind TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         timestamp TEXT NOT NULL,
         until_ms INTEGER NOT NULL,
         PRIMARY KEY (kind, agent_id, timestamp)
       ) WITHOUT ROWID`,
      "CREATE INDEX anchor_polls_until ON anchor_polls (until_ms)",
      "CREATE TABLE anchor_birth (one INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    ],
  },
];

/** Where an agent said it is, and when it last did. */
export interface Registration {
  readonly agentId: string;
  readonly url: string;
  /** The time it signed. */
  readonly signedMs: number;
  readonly seenMs: number;
}

type AgentRow = { agent_id: string; url: string; signed_ms: number; seen_ms: number };

export async function readRegistration(tx: Read, agentId: string): Promise<Registration | undefined> {
  const sql = "SELECT agent_id, url, signed_ms, seen_ms FROM anchor_agents WHERE agent_id = ?";
  const row = await tx.get<AgentRow>(sql, agentId);
  return row && { agentId: row.agent_id, url: row.url, signedMs: row.signed_ms, seenMs: row.seen_ms };
}

export async function saveRegistration(tx: Write, registration: Registration): Promise<void> {
  const { agentId, url, signedMs, seenMs } = registration;
  await tx.run(
    `INSERT INTO anchor_agents (agent_id, url, signed_ms, seen_ms, alive_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (agent_id) DO UPDATE
     SET url = excluded.url, signed_ms = excluded.signed_ms, seen_ms = excluded.seen_ms, alive_ms = excluded.alive_ms`,
    agentId,
    url,
    signedMs,
    seenMs,
    seenMs,
  );
}

/** An agent that asks for what is held for it is alive, wherever it is. */
export async function noteAlive(tx: Write, agentId: string, nowMs: number): Promise<void> {
  await tx.run("UPDATE anchor_agents SET alive_ms = ? WHERE agent_id = ?", nowMs, agentId);
}

export async function countRegistrations(tx: Read): Promise<number> {
  return (await tx.get<{ n: number }>("SELECT COUNT(*) AS n FROM anchor_agents"))?.n ?? 0;
}

/** Forgets the agents that gave no sign since `sinceMs`. */
export async function forgetSilent(tx: Write, sinceMs: number): Promise<void> {
  await tx.run("DELETE FROM anchor_agents WHERE alive_ms < ?", sinceMs);
}

/** Adds an entry to an agent's buffer; the oldest beyond its size go. */
export async function addEntry(
  tx: Write,
  { kind, entriesMax }: RelayRules,
  entry: { readonly agentId: string; readonly body: string; readonly atMs: number },
): Promise<void> {
  const { agentId, body, atMs } = entry;
  await tx.run(
    "INSERT INTO anchor_entries (kind, agent_id, body, bytes, at_ms) VALUES (?, ?, ?, ?, ?)",
    kind,
    agentId,
    body,
    Buffer.byteLength(body),
    atMs,
  );
  await tx.run(
    `DELETE FROM anchor_entries WHERE seq IN (
       SELECT seq FROM anchor_entries WHERE agent_id = ? AND kind = ? ORDER BY seq DESC LIMIT -1 OFFSET ?)`,
    agentId,
    kind,
    entriesMax,
  );
}

export interface Entry {
  readonly seq: number;
  readonly body: string;
}

/** What is held for an agent and still lives, oldest first; never more than fits an answer of `bytesMax`. */
export async function readEntries(
  tx: Read,
  agentId: string,
  { kind, lifetimeMs }: RelayRules,
  { nowMs, bytesMax }: { readonly nowMs: number; readonly bytesMax: number },
): Promise<Entry[]> {
  const of = "FROM anchor_entries WHERE agent_id = ? AND kind = ? AND at_ms >= ?";
  const which = [agentId, kind, nowMs - lifetimeMs] as const;
  // Bodies that do not fit are not even read: a poll that takes nothing away can be made again and again.
  const sizes = await tx.all<{ seq: number; bytes: number }>(
    `SELECT seq, bytes ${of} ORDER BY seq`,
    ...which,
  );
  let size = 0;
  let last = sizes[0]?.seq ?? 0;
  for (const { seq, bytes } of sizes) {
    size += bytes;
    if (size > bytesMax) break;
    last = seq;
  }
  return tx.all<{ seq: number; body: string }>(
    `SELECT seq, body ${of} AND seq <= ? ORDER BY seq`,
    ...which,
    last,
  );
}

export async function dropEntries(tx: Write, agentId: string, kind: RelayKind, upTo: number): Promise<void> {
  const sql = "DELETE FROM anchor_entries WHERE agent_id = ? AND kind = ? AND seq <= ?";
  await tx.run(sql, agentId, kind, upTo);
}

export async function dropExpired(tx: Write, { kind, lifetimeMs }: RelayRules, nowMs: number): Promise<void> {
  await tx.run("DELETE FROM anchor_entries WHERE kind = ? AND at_ms < ?", kind, nowMs - lifetimeMs);
}

/** Bytes of everything held. Their sum is read past the bodies, which lie behind it in each row. */
export async function heldBytes(tx: Read): Promise<number> {
  const sql = "SELECT COALESCE(SUM(bytes), 0) AS n FROM anchor_entries";
  return (await tx.get<{ n: number }>(sql))?.n ?? 0;
}

/** Remembers that a poll was made; `false` when it was before: a signature is good for one. */
export async function usePoll(
  tx: Write,
  poll: { readonly kind: RelayKind; readonly agentId: string; readonly timestamp: string },
  untilMs: number,
): Promise<boolean> {
  const { kind, agentId, timestamp } = poll;
  const changed = await tx.run(
    "INSERT INTO anchor_polls (kind, agent_id, timestamp, until_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    kind,
    agentId,
    timestamp,
    untilMs,
  );
  return changed > 0;
}

export async function forgetPolls(tx: Write, nowMs: number): Promise<void> {
  await tx.run("DELETE FROM anchor_polls WHERE until_ms < ?", nowMs);
}

/** The name of this database, kept from its first start on: numbers of entries mean nothing in another. */
export async function birthName(tx: Write, fresh: string): Promise<string> {
  await tx.run("INSERT INTO anchor_birth (one, name) VALUES (1, ?) ON CONFLICT DO NOTHING", fresh);
  return (await tx.get<{ name: string }>("SELECT name FROM anchor_birth"))?.name ?? fresh;
}
