import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { lockDamaged, lockUnusable, type Trouble } from "../trouble.ts";
import { makeFolders } from "./make-folders.ts";

/** SQLite's result codes. */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

export interface OwnerLock {
  /** Gives ownership up. Safe to call twice. */
  release(): void;
}

export type LockAttempt =
  | { readonly kind: "held"; readonly lock: OwnerLock }
  /** Another process owns the state. It may be stopped: nobody takes over on a timeout. */
  | { readonly kind: "busy" }
  | { readonly kind: "unusable"; readonly trouble: Trouble };

/**
 * Tries once, without waiting, to become the owner of an agent's state: whoever holds `BEGIN EXCLUSIVE` on the lock
 * file. The system frees it the moment a process dies, and keeps it while a process is merely stopped.
 *
 * @NOTE POSIX drops all of a process's locks on a file when it closes any descriptor of it: nothing in the owner may
 * ever open the lock file another way, not even to read it.
 */
export async function tryAcquire(path: string): Promise<LockAttempt> {
  try {
    makeFolders(dirname(path));
    // Imported here so that a session that finds its owner at once never loads it.
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(path, { timeout: 0 });
    try {
      // Without this a killed owner leaves a journal file beside the lock.
      file.exec("PRAGMA journal_mode = MEMORY");
      file.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      file.close();
      throw error;
    }
    chmodSync(path, 0o600);
    return { kind: "held", lock: { release: () => file.isOpen && file.close() } };
  } catch (error) {
    const code = (error as { errcode?: number }).errcode;
    if (code === BUSY) return { kind: "busy" };
    if (code === CORRUPT || code === NOT_A_DATABASE) return { kind: "unusable", trouble: lockDamaged(path) };
    return { kind: "unusable", trouble: lockUnusable(path, (error as Error).message.replace(/\.$/, "")) };
  }
}
