import type { Migration } from "@darkmatter/store";
import { checkpointMigrations } from "./checkpoints/checkpoints.store.ts";
import { commitMigrations } from "./commits/commits.store.ts";
import { disclosureMigrations } from "./disclosures/disclosures.store.ts";
import { mirrorMigrations } from "./mirror/mirror.store.ts";
import { witnessMigrations } from "./witnesses/witnesses.store.ts";

/** Every step of the ledger's tables, in the order they are applied. */
export const ledgerMigrations: readonly Migration[] = [
  ...commitMigrations,
  ...disclosureMigrations,
  ...checkpointMigrations,
  ...witnessMigrations,
  ...mirrorMigrations,
];
