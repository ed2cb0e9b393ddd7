import type { Migration, Read, Write } from "@darkmatter/store";

const accounts = (id: string) => `CREATE TABLE ledger_accounts (
  id ${id},
  email TEXT NOT NULL UNIQUE,
  password TEXT,
  created_ms BIGINT NOT NULL
)`;

export const accountMigrations: readonly Migration[] = [
  {
    name: "ledger-server/001-accounts",
    dialects: ["sqlite"],
    sql: [accounts("INTEGER PRIMARY KEY AUTOINCREMENT")],
  },
  {
    name: "ledger-server/001-accounts-postgres",
    dialects: ["postgres"],
    sql: [accounts("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")],
  },
];

export interface Account {
  readonly id: number;
  readonly email: string;
  /** The password's hash; `null` until one was set. */
  readonly password: string | null;
}

/** The new account's id; `undefined` when the email is known already. */
export async function insertAccount(
  tx: Write,
  account: { readonly email: string; readonly password: string | null; readonly createdMs: number },
): Promise<number | undefined> {
  const row = await tx.get<{ id: number }>(
    `INSERT INTO ledger_accounts (email, password, created_ms) VALUES (?, ?, ?)
     ON CONFLICT (email) DO NOTHING RETURNING id`,
    account.email,
    account.password,
    account.createdMs,
  );
  return row?.id;
}

export async function accountByEmail(read: Read, email: string): Promise<Account | undefined> {
  return read.get<{ id: number; email: string; password: string | null }>(
    "SELECT id, email, password FROM ledger_accounts WHERE email = ?",
    email,
  );
}

export async function setPassword(tx: Write, account: number, password: string): Promise<void> {
  await tx.run("UPDATE ledger_accounts SET password = ? WHERE id = ?", password, account);
}

/** Keeps acts apart that count something of one account, or depend on its password. */
export async function lockAccount(tx: Write, account: number): Promise<void> {
  await tx.lock(`ledger-account/${account}`);
}
