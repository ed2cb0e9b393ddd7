import type { Migration, Read, Write } from "@darkmatter/store";

export const idempotencyMigrations: readonly Migration[] = [
  {
    name: "ledger-server/012-idempotency",
    sql: [
      `CREATE TABLE ledger_idempotency (
         agent TEXT NOT NULL,
         key TEXT NOT NULL,
         request_hash TEXT NOT NULL,
         position BIGINT NOT NULL,
         kept_ms BIGINT NOT NULL,
         PRIMARY KEY (agent, key)
       )`,
      "CREATE INDEX ledger_idempotency_kept ON ledger_idempotency (kept_ms)",
    ],
  },
];

/** What an agent asked for under a key, and the commit it got. */
export interface KeptRequest {
  readonly agent: string;
  readonly key: string;
  readonly requestHash: string;
  readonly position: number;
  readonly keptMs: number;
}

type KeptRow = { agent: string; key: string; request_hash: string; position: number; kept_ms: number };

/** What is kept under these keys of agents and was asked for after `sinceMs`. */
export async function keptRequests(
  read: Read,
  wanted: readonly { readonly agent: string; readonly key: string }[],
  sinceMs: number,
): Promise<KeptRequest[]> {
  const one = "(agent = ? AND key = ?)";
  const rows = await read.all<KeptRow>(
    `SELECT agent, key, request_hash, position, kept_ms FROM ledger_idempotency
     WHERE kept_ms > ? AND (${wanted.map(() => one).join(" OR ")})`,
    sinceMs,
    ...wanted.flatMap(({ agent, key }) => [agent, key]),
  );
  return rows.map((row) => ({
    agent: row.agent,
    key: row.key,
    requestHash: row.request_hash,
    position: row.position,
    keptMs: row.kept_ms,
  }));
}

/** Keeps a request; one that was kept under its key before is too old to count. */
export async function keepRequest(tx: Write, kept: KeptRequest): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_idempotency (agent, key, request_hash, position, kept_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (agent, key) DO UPDATE
     SET request_hash = excluded.request_hash, position = excluded.position, kept_ms = excluded.kept_ms`,
    kept.agent,
    kept.key,
    kept.requestHash,
    kept.position,
    kept.keptMs,
  );
}

/** Forgets what was kept until then; how many. */
export async function forgetRequests(tx: Write, untilMs: number): Promise<number> {
  return tx.run("DELETE FROM ledger_idempotency WHERE kept_ms <= ?", untilMs);
}
