import { nodeAssembly } from "@darkmatter/node";
import type { Database } from "@darkmatter/store";
import { migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { sqliteFault } from "@darkmatter/store/testing";

/** A machine's disk: it outlives the processes that use it. */
export interface Disk {
  readonly db: Database;
  /** Brings the tables to this version's, as each start does. */
  prepare(db: Database): Promise<void>;
  /** What happens at the next COMMIT instead: the group in flight is kept, or lost; then `follow` is called. */
  atCommit(fate: "kept" | "lost", follow: () => void): void;
  /** What was to happen does not: the process it was meant for died before. */
  disarm(): void;
  /** Commits so far. */
  readonly commits: number;
  close(): Promise<void>;
}

/** SQLite's code for a disk that failed: nobody tries such a group again. */
const DISK_FAILED = 10;

export interface DiskOptions {
  /** By default as large as on a real disk. Where most tables are empty, small ones take less memory. */
  readonly pageBytes?: number | undefined;
  readonly onCommit: () => void;
  readonly report: (error: unknown) => void;
}

export async function createDisk({ pageBytes, onCommit, report }: DiskOptions): Promise<Disk> {
  let armed: { fate: "kept" | "lost"; follow: () => void } | undefined;
  let commits = 0;
  const db = await openSqlite({
    path: ":memory:",
    ...(pageBytes !== undefined && { pageBytes }),
    report,
    onStatement(sql) {
      if (sql !== "COMMIT") return;
      const fault = armed;
      armed = undefined;
      // Dead from here on: what is on disk is, but nobody hears of it.
      fault?.follow();
      if (fault?.fate === "lost") throw sqliteFault(DISK_FAILED);
      commits++;
      onCommit();
    },
  });
  return {
    db,
    prepare: (through) => migrate(through, [...storeMigrations, ...nodeAssembly.migrations]),
    atCommit(fate, follow) {
      armed = { fate, follow };
    },
    disarm() {
      armed = undefined;
    },
    get commits() {
      return commits;
    },
    close: () => db.close(),
  };
}
