import type { Migration, Read, Write } from "@darkmatter/store";

export const sessionMigrations: readonly Migration[] = [
  {
    name: "ledger-server/005-sessions",
    sql: [
      `CREATE TABLE ledger_sessions (
         id TEXT PRIMARY KEY,
         account BIGINT NOT NULL,
         access_hash TEXT NOT NULL UNIQUE,
         access_ends_ms BIGINT NOT NULL,
         refresh_hash TEXT NOT NULL UNIQUE,
         refresh_ends_ms BIGINT NOT NULL
       )`,
      "CREATE INDEX ledger_sessions_account ON ledger_sessions (account)",
      `CREATE TABLE ledger_password_resets (
         token_hash TEXT PRIMARY KEY,
         account BIGINT NOT NULL,
         ends_ms BIGINT NOT NULL
       )`,
    ],
  },
];

/** The tokens a session has now, as hashes: H(token), bare hex. */
export interface SessionTokens {
  readonly accessHash: string;
  readonly accessEndsMs: number;
  readonly refreshHash: string;
  readonly refreshEndsMs: number;
}

/** @param id H(the family of its refresh tokens) */
export async function insertSession(
  tx: Write,
  id: string,
  account: number,
  tokens: SessionTokens,
): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_sessions (id, account, access_hash, access_ends_ms, refresh_hash, refresh_ends_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
    id,
    account,
    tokens.accessHash,
    tokens.accessEndsMs,
    tokens.refreshHash,
    tokens.refreshEndsMs,
  );
}

export async function sessionByAccess(
  read: Read,
  accessHash: string,
  nowMs: number,
): Promise<{ readonly account: number; readonly email: string } | undefined> {
  return read.get<{ account: number; email: string }>(
    `SELECT a.id AS account, a.email FROM ledger_sessions s JOIN ledger_accounts a ON a.id = s.account
     WHERE s.access_hash = ? AND s.access_ends_ms > ?`,
    accessHash,
    nowMs,
  );
}

/** Gives the session of a refresh token new tokens; of several calls with one token, one succeeds. */
export async function replaceTokens(
  tx: Write,
  refreshHash: string,
  tokens: SessionTokens,
  nowMs: number,
): Promise<boolean> {
  const moved = await tx.run(
    `UPDATE ledger_sessions SET access_hash = ?, access_ends_ms = ?, refresh_hash = ?, refresh_ends_ms = ?
     WHERE refresh_hash = ? AND refresh_ends_ms > ?`,
    tokens.accessHash,
    tokens.accessEndsMs,
    tokens.refreshHash,
    tokens.refreshEndsMs,
    refreshHash,
    nowMs,
  );
  return moved > 0;
}

/** Ends a session whose refresh token is another one by now; the account it was of. */
export async function endSessionOfSpent(
  tx: Write,
  id: string,
  refreshHash: string,
): Promise<number | undefined> {
  const ended = await tx.get<{ account: number }>(
    "DELETE FROM ledger_sessions WHERE id = ? AND refresh_hash <> ? RETURNING account",
    id,
    refreshHash,
  );
  return ended?.account;
}

/** Ends the session that has this token, whichever of the two it is. */
export async function endSession(tx: Write, tokenHash: string): Promise<void> {
  await tx.run("DELETE FROM ledger_sessions WHERE access_hash = ? OR refresh_hash = ?", tokenHash, tokenHash);
}

export async function endSessionsOf(tx: Write, account: number): Promise<void> {
  await tx.run("DELETE FROM ledger_sessions WHERE account = ?", account);
}

export async function insertReset(
  tx: Write,
  tokenHash: string,
  account: number,
  endsMs: number,
): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_password_resets (token_hash, account, ends_ms) VALUES (?, ?, ?)",
    tokenHash,
    account,
    endsMs,
  );
}

export async function resetAccount(
  read: Read,
  tokenHash: string,
  nowMs: number,
): Promise<number | undefined> {
  const row = await read.get<{ account: number }>(
    "SELECT account FROM ledger_password_resets WHERE token_hash = ? AND ends_ms > ?",
    tokenHash,
    nowMs,
  );
  return row?.account;
}

/** Uses a token up, and with it all others of its account. */
export async function spendReset(tx: Write, tokenHash: string, nowMs: number): Promise<number | undefined> {
  const spent = await tx.get<{ account: number }>(
    "DELETE FROM ledger_password_resets WHERE token_hash = ? AND ends_ms > ? RETURNING account",
    tokenHash,
    nowMs,
  );
  if (!spent) return undefined;
  await tx.run("DELETE FROM ledger_password_resets WHERE account = ?", spent.account);
  return spent.account;
}

/** Drops what is over. */
export async function forgetSessions(tx: Write, nowMs: number): Promise<void> {
  await tx.run("DELETE FROM ledger_sessions WHERE refresh_ends_ms <= ?", nowMs);
  await tx.run("DELETE FROM ledger_password_resets WHERE ends_ms <= ?", nowMs);
}
