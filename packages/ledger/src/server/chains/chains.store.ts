import { toHex } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";

/** A commit's place in its chain, without the commit. */
export interface Link {
  readonly position: number;
  readonly id: string;
  /** Of the payload's text; 0 where it is gone. */
  readonly payloadBytes: number;
}

type LinkRow = { position: number; id: string; bytes: number | null };

/** Where a commit of an account stands in the log; `undefined` for any id that is not this account's. */
export async function positionOf(read: Read, account: number, id: string): Promise<number | undefined> {
  const row = await read.get<{ position: number }>(
    "SELECT position FROM ledger_commits WHERE id = ? AND account = ?",
    id,
    account,
  );
  return row?.position;
}

/**
 * The first `count` links of a commit's chain, the commit first. A link that leads forward, or out of the account,
 * leads nowhere: the links end there.
 */
export async function linksFrom(
  read: Read,
  account: number,
  position: number,
  count: number,
): Promise<Link[]> {
  const rows = await read.all<LinkRow>(
    `WITH RECURSIVE chain (position, id, parent, step) AS (
       SELECT position, id, parent, 1 FROM ledger_commits WHERE position = ? AND account = ?
       UNION ALL
       SELECT c.position, c.id, c.parent, chain.step + 1
       FROM chain JOIN ledger_commits c ON c.position = chain.parent
       WHERE c.position < chain.position AND c.account = ? AND chain.step < ?
     ) SELECT chain.position, chain.id, octet_length(y.payload) AS bytes
     FROM chain LEFT JOIN ledger_payloads y ON y.position = chain.position ORDER BY chain.position DESC`,
    position,
    account,
    account,
    count,
  );
  return rows.map(({ bytes, ...link }) => ({ ...link, payloadBytes: bytes ?? 0 }));
}

/** What a commit's row keeps of the log's tree. Bare hex; a column that is not what it was may hold anything. */
export interface TreeRow {
  readonly leaf: string;
  /** Roots of the subtrees that the leaf completes, from level 1. */
  readonly nodes: readonly string[];
  readonly logRoot: string;
}

const HASH_HEX = 64;
/** Placeholders of one statement at most. */
const AT_ONCE = 256;

export async function treeRowsAt(read: Read, positions: readonly number[]): Promise<Map<number, TreeRow>> {
  const found = new Map<number, TreeRow>();
  for (let from = 0; from < positions.length; from += AT_ONCE) {
    const page = positions.slice(from, from + AT_ONCE);
    const rows = await read.all<{
      position: number;
      leaf: Uint8Array;
      log_root: Uint8Array;
      nodes: Uint8Array;
    }>(
      `SELECT position, leaf, log_root, nodes FROM ledger_commits WHERE position IN (${page.map(() => "?").join()})`,
      ...page,
    );
    for (const row of rows) {
      const nodes = hexOf(row.nodes);
      found.set(row.position, {
        leaf: hexOf(row.leaf),
        logRoot: hexOf(row.log_root),
        nodes: Array.from({ length: Math.ceil(nodes.length / HASH_HEX) }, (_, at) =>
          nodes.slice(at * HASH_HEX, (at + 1) * HASH_HEX),
        ),
      });
    }
  }
  return found;
}

/** SQLite keeps whatever it is given: a column that was changed by hand may hold no bytes. */
const hexOf = (bytes: unknown): string => (bytes instanceof Uint8Array ? toHex(bytes) : "");

/** Places of the commits addressed to an agent, newest first, and how long their payloads are. */
export async function addressedTo(
  read: Read,
  account: number,
  agentId: string,
  page: { readonly before: number; readonly sinceMs: number; readonly limit: number },
): Promise<{ readonly position: number; readonly bytes: number }[]> {
  const rows = await read.all<{ position: number; bytes: number | null }>(
    `SELECT c.position, octet_length(y.payload) AS bytes
     FROM ledger_commits c LEFT JOIN ledger_payloads y ON y.position = c.position
     WHERE c.to_agent = ? AND c.account = ? AND c.position < ? AND c.accepted_ms >= ?
     ORDER BY c.position DESC LIMIT CAST(? AS BIGINT)`,
    agentId,
    account,
    page.before,
    page.sinceMs,
    page.limit,
  );
  return rows.map(({ position, bytes }) => ({ position, bytes: bytes ?? 0 }));
}

/** How many days a commit's agent keeps payloads; `undefined` for any id that is not this account's. */
export async function retentionOf(
  read: Read,
  account: number,
  id: string,
): Promise<{ readonly acceptedMs: number; readonly days: number | null } | undefined> {
  const row = await read.get<{ accepted_ms: number; days: number | null }>(
    `SELECT c.accepted_ms, a.retention_days AS days FROM ledger_commits c
     JOIN ledger_agents a ON a.id = c.agent WHERE c.id = ? AND c.account = ?`,
    id,
    account,
  );
  return row && { acceptedMs: row.accepted_ms, days: row.days };
}
