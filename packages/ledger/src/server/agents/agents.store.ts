import type { Migration, Read, Write } from "@darkmatter/store";

export const agentMigrations: readonly Migration[] = [
  {
    name: "ledger-server/002-agents",
    sql: [
      `CREATE TABLE ledger_agents (
         id TEXT PRIMARY KEY,
         account BIGINT NOT NULL,
         name TEXT NOT NULL,
         role TEXT,
         provider TEXT,
         model TEXT,
         key_hash TEXT UNIQUE,
         key_hint TEXT NOT NULL,
         made_by TEXT NOT NULL,
         spawned_by TEXT,
         created_ms BIGINT NOT NULL,
         last_active_ms BIGINT,
         ended_ms BIGINT,
         webhook_url TEXT,
         webhook_secret TEXT,
         retention_days BIGINT,
         pruned_to BIGINT NOT NULL DEFAULT -1
       )`,
      "CREATE INDEX ledger_agents_account ON ledger_agents (account, created_ms)",
    ],
  },
];

/** Who an agent is, as commits show it. An agent's name never changes. */
export interface AgentIdentity {
  readonly id: string;
  readonly account: number;
  readonly name: string;
}

export interface NewAgent extends AgentIdentity {
  readonly role: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  /** H(key), bare hex. */
  readonly keyHash: string;
  readonly keyHint: string;
  readonly madeBy: "provision" | "dashboard" | "spawn";
  readonly spawnedBy: string | null;
  readonly createdMs: number;
}

export async function insertAgent(tx: Write, agent: NewAgent): Promise<void> {
  await tx.run(
    `INSERT INTO ledger_agents (id, account, name, role, provider, model, key_hash, key_hint, made_by, spawned_by,
       created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    agent.id,
    agent.account,
    agent.name,
    agent.role,
    agent.provider,
    agent.model,
    agent.keyHash,
    agent.keyHint,
    agent.madeBy,
    agent.spawnedBy,
    agent.createdMs,
  );
}

/** The agent whose key has this hash, unless it was ended. */
export async function agentByKeyHash(read: Read, keyHash: string): Promise<AgentIdentity | undefined> {
  return read.get<{ id: string; account: number; name: string }>(
    "SELECT id, account, name FROM ledger_agents WHERE key_hash = ? AND ended_ms IS NULL",
    keyHash,
  );
}

/** An agent of an account: by its id, or by a name that only one of its agents has. */
export async function agentOfAccount(
  read: Read,
  account: number,
  idOrName: string,
): Promise<AgentIdentity | undefined> {
  const byId = await read.get<{ id: string; account: number; name: string }>(
    "SELECT id, account, name FROM ledger_agents WHERE id = ? AND account = ?",
    idOrName,
    account,
  );
  if (byId) return byId;
  const named = await read.all<{ id: string; account: number; name: string }>(
    "SELECT id, account, name FROM ledger_agents WHERE account = ? AND name = ? AND ended_ms IS NULL LIMIT 2",
    account,
    idOrName,
  );
  return named.length === 1 ? named[0] : undefined;
}

/** Notes when agents were last active, by their ids. */
export async function markActive(tx: Write, seen: readonly (readonly [string, number])[]): Promise<void> {
  for (const [id, atMs] of seen)
    await tx.run(
      "UPDATE ledger_agents SET last_active_ms = ? WHERE id = ? AND (last_active_ms IS NULL OR last_active_ms < ?)",
      atMs,
      id,
      atMs,
    );
}

/** An agent as its account sees it. */
export interface AgentRow {
  readonly id: string;
  readonly name: string;
  readonly key_hint: string;
  readonly created_ms: number;
  readonly last_active_ms: number | null;
  readonly webhook_url: string | null;
  readonly retention_days: number | null;
}

/** The agents of an account that are not ended, oldest first. */
export async function agentsOf(read: Read, account: number): Promise<AgentRow[]> {
  return read.all<{ [Name in keyof AgentRow]: AgentRow[Name] }>(
    `SELECT id, name, key_hint, created_ms, last_active_ms, webhook_url, retention_days FROM ledger_agents
     WHERE account = ? AND ended_ms IS NULL ORDER BY created_ms, id`,
    account,
  );
}

/** How many agents of an account were made in this way since then, ended ones among them. */
export async function agentsMadeSince(
  read: Read,
  { account, madeBy }: Pick<NewAgent, "account" | "madeBy">,
  sinceMs: number,
): Promise<number> {
  const row = await read.get<{ made: number }>(
    "SELECT COUNT(*) AS made FROM ledger_agents WHERE account = ? AND created_ms >= ? AND made_by = ?",
    account,
    sinceMs,
    madeBy,
  );
  return row?.made ?? 0;
}

/** What may be changed of an agent. */
export interface AgentChange {
  readonly key_hash?: string;
  readonly key_hint?: string;
  readonly ended_ms?: number;
  readonly webhook_url?: string | null;
  readonly webhook_secret?: string | null;
  readonly retention_days?: number | null;
}

/** Changes an agent of an account; `false` for any id that is not this account's, and for an ended agent. */
export async function changeAgent(
  tx: Write,
  account: number,
  id: string,
  change: AgentChange,
): Promise<boolean> {
  const columns = Object.keys(change);
  const changed = await tx.run(
    `UPDATE ledger_agents SET ${columns.map((column) => `${column} = ?`).join()}
     WHERE id = ? AND account = ? AND ended_ms IS NULL`,
    ...Object.values(change),
    id,
    account,
  );
  return changed === 1;
}
