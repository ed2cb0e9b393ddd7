import { hasCode } from "@darkmatter/core";
import { isDamage } from "../damage.ts";

export const UNREADABLE = Symbol("unreadable");

/** Whoever looks for damage counts what the disk refuses, too: no node and no server that goes on does. */
export const isUnreadable = (error: unknown): boolean =>
  isDamage(error) || hasCode(error, "DATABASE_FAILED") || hasCode(error, "DISK_FAILED");

/** What a read answers, or that it cannot be had. */
export async function careful<T>(read: () => Promise<T>): Promise<T | typeof UNREADABLE> {
  try {
    return await read();
  } catch (error) {
    if (isUnreadable(error)) return UNREADABLE;
    throw error;
  }
}
