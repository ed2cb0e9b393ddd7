import type { Migration, Read, Write } from "@darkmatter/store";
import { isCaller, nameOfCaller, type Token } from "./token.ts";

export const a2aMigrations: readonly Migration[] = [
  {
    name: "mesh/030-a2a",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_a2a_tokens (
         id TEXT PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         secret_hash TEXT NOT NULL,
         may_wake INTEGER NOT NULL,
         created_at_ms INTEGER NOT NULL,
         expires_at_ms INTEGER NOT NULL
       )`,
      `CREATE TABLE mesh_a2a_tasks (
         seq INTEGER PRIMARY KEY,
         id TEXT NOT NULL UNIQUE,
         token_id TEXT NOT NULL REFERENCES mesh_a2a_tokens (id) ON DELETE CASCADE,
         context_id TEXT NOT NULL,
         created_at_ms INTEGER NOT NULL,
         canceled_at_ms INTEGER
       )`,
      "CREATE INDEX mesh_a2a_tasks_of ON mesh_a2a_tasks (token_id)",
      `CREATE TABLE mesh_a2a_messages (
         seq INTEGER PRIMARY KEY,
         message_id TEXT NOT NULL UNIQUE,
         task_id TEXT NOT NULL REFERENCES mesh_a2a_tasks (id) ON DELETE CASCADE,
         token_id TEXT NOT NULL,
         client_id TEXT NOT NULL,
         parts TEXT NOT NULL,
         created_at_ms INTEGER NOT NULL,
         answer TEXT,
         proof TEXT,
         answered_at_ms INTEGER,
         UNIQUE (token_id, client_id)
       )`,
      "CREATE INDEX mesh_a2a_messages_of ON mesh_a2a_messages (task_id)",
    ],
  },
];

type TokenRow = {
  id: string;
  name: string;
  secret_hash: string;
  may_wake: number;
  created_at_ms: number;
  expires_at_ms: number;
};

/** A token and what is kept of its secret. */
export interface KeptToken extends Token {
  readonly secretHash: string;
}

/** Oldest first; never more than `TOKENS_MAX`. */
export async function readTokens(tx: Read): Promise<KeptToken[]> {
  const rows = await tx.all<TokenRow>("SELECT * FROM mesh_a2a_tokens ORDER BY created_at_ms, id");
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    secretHash: row.secret_hash,
    mayWake: row.may_wake === 1,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
  }));
}

export async function insertToken(tx: Write, token: KeptToken): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_a2a_tokens (id, name, secret_hash, may_wake, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
    token.id,
    token.name,
    token.secretHash,
    token.mayWake ? 1 : 0,
    token.createdAtMs,
    token.expiresAtMs,
  );
}

/** Removes a token, its tasks, and what of them still waits for our agent. */
export async function deleteToken(tx: Write, id: string): Promise<void> {
  await tx.run(
    "DELETE FROM mesh_inbox WHERE message_id IN (SELECT message_id FROM mesh_a2a_messages WHERE token_id = ?)",
    id,
  );
  await tx.run("DELETE FROM mesh_a2a_tokens WHERE id = ?", id);
}

/** How far our owner trusts a caller: 1 where its token may wake the agent, else 0; `undefined` for an agent. */
export async function readCallerScore(tx: Read, from: string): Promise<number | undefined> {
  if (!isCaller(from)) return undefined;
  const sql = "SELECT may_wake FROM mesh_a2a_tokens WHERE name = ?";
  return (await tx.get<{ may_wake: number }>(sql, nameOfCaller(from)))?.may_wake ?? 0;
}
