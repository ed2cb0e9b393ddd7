import type { Database } from "@darkmatter/store";
import type { Job } from "@darkmatter/surface";
import { addViews } from "./shares.store.ts";

const FLUSH_MS = 10_000;

/** How often shares are looked at. Counted in memory, and written now and then: a look costs no write of its own. */
export interface Views {
  /** Counts a look; how many of this process are not written yet, this one included. */
  count(share: string): number;
  /** Writes what was counted. */
  flush(): Promise<void>;
  readonly jobs: readonly Job[];
}

export function createViews(db: Database): Views {
  // Only shares that exist are counted: their number bounds it.
  let counted = new Map<string, number>();

  async function flush(): Promise<void> {
    if (counted.size === 0) return;
    const taken = counted;
    counted = new Map();
    try {
      await db.write(async (tx) => {
        // In one order, so that two processes that write at once do not wait for each other for ever.
        for (const [share, views] of [...taken].sort()) await addViews(tx, share, views);
      });
    } catch (error) {
      for (const [share, views] of taken) counted.set(share, (counted.get(share) ?? 0) + views);
      throw error;
    }
  }

  return {
    count(share) {
      const views = (counted.get(share) ?? 0) + 1;
      counted.set(share, views);
      return views;
    },
    flush,
    jobs: [{ name: "views of shares", periodMs: FLUSH_MS, run: flush }],
  };
}
