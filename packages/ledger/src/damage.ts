import { DarkMatterError } from "@darkmatter/core";

const DAMAGE = new Set(["LEDGER_DAMAGED", "DATABASE_DAMAGED"]);

/** What was kept is no longer what it was. A database that is gone, busy or full says nothing about its rows. */
export const isDamage = (error: unknown): boolean =>
  error instanceof DarkMatterError && DAMAGE.has(error.code);
