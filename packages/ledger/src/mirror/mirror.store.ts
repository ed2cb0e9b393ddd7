import type { Migration, Read, Write } from "@darkmatter/store";

/** Which record on which server: another URL or another agent of it is another record, begun from the start. */
export interface MirrorTarget {
  readonly url: string;
  /** The server's id of the agent the API key belongs to; empty while it has not told it. */
  readonly agentId: string;
}

/** How far a server has this log: everything below `next`, and the checkpoints up to a size. */
export interface MirrorCursor {
  /** Position of the next commit. */
  readonly next: number;
  /** Size of the last checkpoint; 0 for none. */
  readonly checkpointSize: number;
}

/** What the next commit of a chain builds on, over there. Hashes are bare. */
export interface MirrorTip {
  readonly id: string;
  /** Scheme 1. */
  readonly chainHash: string;
  /** Scheme 2. */
  readonly integrityHash: string;
}

/** How the mirror is doing. */
export interface MirrorState extends MirrorTarget, MirrorCursor {
  /** When the server last took something. */
  readonly okMs: number | null;
  /** What keeps it from going on, or went wrong last; a code or a sentence, never the server's own words. */
  readonly trouble: string | null;
  readonly troubleMs: number | null;
}

/** In place of a root's position: the chain of checkpoints. */
export const CHECKPOINT_CHAIN = -1;

export const mirrorMigrations: readonly Migration[] = [
  {
    name: "ledger/040-mirror",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE ledger_mirrors (
         url TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         next INTEGER NOT NULL,
         checkpoint_size INTEGER NOT NULL,
         ok_ms INTEGER,
         trouble TEXT,
         trouble_ms INTEGER,
         PRIMARY KEY (url, agent_id)
       ) WITHOUT ROWID`,
      `CREATE TABLE ledger_mirror_tips (
         url TEXT NOT NULL,
         agent_id TEXT NOT NULL,
         root INTEGER NOT NULL,
         id TEXT NOT NULL,
         chain_hash TEXT NOT NULL,
         integrity_hash TEXT NOT NULL,
         PRIMARY KEY (url, agent_id, root)
       ) WITHOUT ROWID`,
    ],
  },
];

export async function readCursor(read: Read, { url, agentId }: MirrorTarget): Promise<MirrorCursor> {
  const row = await read.get<{ next: number; checkpoint_size: number }>(
    "SELECT next, checkpoint_size FROM ledger_mirrors WHERE url = ? AND agent_id = ?",
    url,
    agentId,
  );
  return { next: row?.next ?? 0, checkpointSize: row?.checkpoint_size ?? 0 };
}

export async function readTip(
  read: Read,
  { url, agentId }: MirrorTarget,
  root: number,
): Promise<MirrorTip | undefined> {
  const row = await read.get<{ id: string; chain_hash: string; integrity_hash: string }>(
    "SELECT id, chain_hash, integrity_hash FROM ledger_mirror_tips WHERE url = ? AND agent_id = ? AND root = ?",
    url,
    agentId,
    root,
  );
  return row && { id: row.id, chainHash: row.chain_hash, integrityHash: row.integrity_hash };
}

/** The agent at a server that something happened to last. */
export async function lastTarget(read: Read, url: string): Promise<MirrorTarget | undefined> {
  const row = await read.get<{ agent_id: string }>(
    "SELECT agent_id FROM ledger_mirrors WHERE url = ? ORDER BY coalesce(ok_ms, 0) DESC, agent_id DESC LIMIT 1",
    url,
  );
  return row && { url, agentId: row.agent_id };
}

/** What the server has taken: the end of a chain, and with it the cursor. */
export async function writeTaken(
  tx: Write,
  { url, agentId }: MirrorTarget,
  cursor: MirrorCursor,
  taken: { readonly root: number; readonly tip: MirrorTip; readonly nowMs: number },
): Promise<void> {
  const { root, tip, nowMs } = taken;
  await tx.run(
    `INSERT INTO ledger_mirror_tips (url, agent_id, root, id, chain_hash, integrity_hash) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (url, agent_id, root)
     DO UPDATE SET id = excluded.id, chain_hash = excluded.chain_hash, integrity_hash = excluded.integrity_hash`,
    url,
    agentId,
    root,
    tip.id,
    tip.chainHash,
    tip.integrityHash,
  );
  await tx.run(
    `INSERT INTO ledger_mirrors (url, agent_id, next, checkpoint_size, ok_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (url, agent_id)
     DO UPDATE SET next = excluded.next, checkpoint_size = excluded.checkpoint_size, ok_ms = excluded.ok_ms`,
    url,
    agentId,
    cursor.next,
    cursor.checkpointSize,
    nowMs,
  );
}

/** Notes what went wrong, or with `null` that nothing is wrong any more. */
export async function writeTrouble(
  tx: Write,
  { url, agentId }: MirrorTarget,
  trouble: string | null,
  nowMs: number,
): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_mirrors (url, agent_id, next, checkpoint_size, trouble, trouble_ms) VALUES (?, ?, 0, 0, ?, ?)
     ON CONFLICT (url, agent_id) DO UPDATE SET trouble = excluded.trouble, trouble_ms = excluded.trouble_ms`,
    url,
    agentId,
    trouble,
    trouble === null ? null : nowMs,
  );
  // Once it is known who one is there, what went wrong before is over.
  if (agentId !== "") await tx.run("DELETE FROM ledger_mirrors WHERE url = ? AND agent_id = ''", url);
}

type MirrorRow = {
  url: string;
  agent_id: string;
  next: number;
  checkpoint_size: number;
  ok_ms: number | null;
  trouble: string | null;
  trouble_ms: number | null;
};

/** The record that something happened to last; `undefined` where nothing was ever mirrored. */
export async function readMirrorState(read: Read): Promise<MirrorState | undefined> {
  const row = await read.get<MirrorRow>(
    `SELECT * FROM ledger_mirrors ORDER BY max(coalesce(ok_ms, 0), coalesce(trouble_ms, 0)) DESC, agent_id DESC LIMIT 1`,
  );
  return (
    row && {
      url: row.url,
      agentId: row.agent_id,
      next: row.next,
      checkpointSize: row.checkpoint_size,
      okMs: row.ok_ms,
      trouble: row.trouble,
      troubleMs: row.trouble_ms,
    }
  );
}
