import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** A database as a crash would have left it. */
export interface Crash {
  readonly path: string;
  /** Acts that had been acknowledged by then, as the test counts them. */
  readonly acknowledged: number;
}

/** A database file in a folder, copied as it lies on disk before each statement while it is watched. */
export function crashesOf(folder: string) {
  const path = join(folder, "ledger.db");
  const crashes: Crash[] = [];
  let acknowledged = 0;
  let isWatched = false;
  return {
    path,
    crashes,
    onStatement(): void {
      if (!isWatched) return;
      const at = join(folder, `crash-${crashes.length}`);
      mkdirSync(at);
      for (const suffix of ["", "-wal"])
        if (existsSync(path + suffix)) copyFileSync(path + suffix, join(at, `ledger.db${suffix}`));
      crashes.push({ path: join(at, "ledger.db"), acknowledged });
    },
    acknowledge(acts: number): void {
      acknowledged += acts;
    },
    /** Runs acts, before each of whose statements there may be a crash. */
    async watch(acts: () => Promise<void>): Promise<void> {
      isWatched = true;
      await acts();
      isWatched = false;
    },
  };
}
