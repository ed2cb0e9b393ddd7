import type { Migration, Read, Write } from "@darkmatter/store";
import { insertOnly } from "../insert-only.ts";

export const signingKeyMigrations: readonly Migration[] = insertOnly(
  "ledger-server/020-signing-keys",
  ["ledger_signing_keys", "ledger_signing_key_ends"],
  [
    `CREATE TABLE ledger_signing_keys (
       account BIGINT NOT NULL,
       key_id TEXT NOT NULL,
       public_key TEXT NOT NULL,
       description TEXT,
       created_ms BIGINT NOT NULL,
       PRIMARY KEY (account, key_id)
     )`,
    // A revocation is a fact of its own: the key's row says what was registered, and stays.
    `CREATE TABLE ledger_signing_key_ends (
       account BIGINT NOT NULL,
       key_id TEXT NOT NULL,
       revoked_ms BIGINT NOT NULL,
       PRIMARY KEY (account, key_id)
     )`,
  ],
);

/** A key that only a customer holds, for attestations (ledger.md 2.8). */
export interface SigningKey {
  readonly keyId: string;
  /** 64 hex. */
  readonly publicKey: string;
  readonly description: string | null;
  readonly createdMs: number;
  readonly status: "active" | "revoked";
  /** `null` while it is active. */
  readonly revokedMs: number | null;
}

type SigningKeyRow = {
  key_id: string;
  public_key: string;
  description: string | null;
  created_ms: number;
  revoked_ms: number | null;
};

const SELECT_KEYS = `SELECT k.key_id, k.public_key, k.description, k.created_ms, e.revoked_ms
  FROM ledger_signing_keys k
  LEFT JOIN ledger_signing_key_ends e ON e.account = k.account AND e.key_id = k.key_id
  WHERE k.account = ?`;

const fromRow = (row: SigningKeyRow): SigningKey => ({
  keyId: row.key_id,
  publicKey: row.public_key,
  description: row.description,
  createdMs: row.created_ms,
  status: row.revoked_ms === null ? "active" : "revoked",
  revokedMs: row.revoked_ms,
});

/** A signing key of an account; `undefined` for any id that is not this account's. */
export async function findSigningKey(
  read: Read,
  account: number,
  keyId: string,
): Promise<SigningKey | undefined> {
  const row = await read.get<SigningKeyRow>(`${SELECT_KEYS} AND k.key_id = ?`, account, keyId);
  return row && fromRow(row);
}

/** All keys of an account, oldest first. */
export async function signingKeysOf(read: Read, account: number): Promise<SigningKey[]> {
  const rows = await read.all<SigningKeyRow>(`${SELECT_KEYS} ORDER BY k.created_ms, k.key_id`, account);
  return rows.map(fromRow);
}

export async function insertSigningKey(
  tx: Write,
  account: number,
  key: Pick<SigningKey, "keyId" | "publicKey" | "description" | "createdMs">,
): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_signing_keys (account, key_id, public_key, description, created_ms)
     VALUES (?, ?, ?, ?, ?)`,
    account,
    key.keyId,
    key.publicKey,
    key.description,
    key.createdMs,
  );
}

/** Whether a revoked key of the account has these bytes, under whatever id. */
export async function isRevokedSigningKey(read: Read, account: number, publicKey: string): Promise<boolean> {
  const row = await read.get(
    `${SELECT_KEYS} AND k.public_key = ? AND e.revoked_ms IS NOT NULL LIMIT 1`,
    account,
    publicKey,
  );
  return row !== undefined;
}

export async function endSigningKey(
  tx: Write,
  account: number,
  keyId: string,
  revokedMs: number,
): Promise<void> {
  await tx.run(
    "INSERT INTO ledger_signing_key_ends (account, key_id, revoked_ms) VALUES (?, ?, ?)",
    account,
    keyId,
    revokedMs,
  );
}
