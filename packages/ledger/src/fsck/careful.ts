import { DarkMatterError } from "@darkmatter/core";

/** What reading a damaged file may meet; anything else is no damage. */
const DAMAGE = new Set(["DATABASE_DAMAGED", "DATABASE_FAILED", "DISK_FAILED", "LEDGER_DAMAGED"]);

export function isDamage(error: unknown): boolean {
  return error instanceof DarkMatterError && DAMAGE.has(error.code);
}

export const UNREADABLE = Symbol("unreadable");

/** What a read answers, or that it cannot be had. */
export async function careful<T>(read: () => Promise<T>): Promise<T | typeof UNREADABLE> {
  try {
    return await read();
  } catch (error) {
    if (isDamage(error)) return UNREADABLE;
    throw error;
  }
}
