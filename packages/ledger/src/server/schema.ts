import type { Migration } from "@darkmatter/store";
import { accountMigrations } from "./accounts/accounts.store.ts";
import { auditMigrations } from "./accounts/audit.store.ts";
import { sessionMigrations } from "./accounts/sessions.store.ts";
import { agentMigrations } from "./agents/agents.store.ts";
import { serverCommitMigrations } from "./commits/commits.store.ts";
import { agentKeyMigrations } from "./keys/agent-keys.store.ts";
import { signingKeyMigrations } from "./keys/signing-keys.store.ts";
import { logMigrations } from "./log/log.store.ts";
import { searchMigrations } from "./search/search.store.ts";
import { shareMigrations } from "./shares/shares.store.ts";
import { statsMigrations } from "./stats/stats.store.ts";
import { windowMigrations } from "./windows.store.ts";

/** Every step of a ledger server's tables, in the order they are applied. A node's ledger has tables of its own. */
export const ledgerServerMigrations: readonly Migration[] = [
  ...accountMigrations,
  ...agentMigrations,
  ...windowMigrations,
  ...auditMigrations,
  ...sessionMigrations,
  ...serverCommitMigrations,
  ...logMigrations,
  ...signingKeyMigrations,
  ...agentKeyMigrations,
  ...shareMigrations,
  ...statsMigrations,
  ...searchMigrations,
];
