import type { Migration, Read, Write } from "@darkmatter/store";
import { insertOnly } from "../insert-only.ts";

/** Attempts to commit that were refused: who tried, why not, when. Nothing of what was sent (ledger.md 10). */
export const rejectionMigrations: readonly Migration[] = insertOnly(
  "ledger-server/011-rejections",
  ["ledger_rejections"],
  [
    `CREATE TABLE ledger_rejections (
       account BIGINT NOT NULL,
       agent TEXT NOT NULL,
       code TEXT NOT NULL,
       at_ms BIGINT NOT NULL
     )`,
  ],
);

export interface Rejection {
  readonly account: number;
  readonly agent: string;
  /** Of the answer. */
  readonly code: string;
  readonly atMs: number;
}

export async function insertRejection(tx: Write, { account, agent, code, atMs }: Rejection): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_rejections (account, agent, code, at_ms) VALUES (?, ?, ?, ?)",
    account,
    agent,
    code,
    atMs,
  );
}

/** Attempts to commit that were refused, of all accounts. */
export async function countRejections(read: Read): Promise<number> {
  const row = await read.get<{ count: number }>("SELECT count(*) AS count FROM ledger_rejections");
  return row?.count ?? 0;
}
