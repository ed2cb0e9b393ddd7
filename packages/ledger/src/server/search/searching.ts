import type { Job } from "@darkmatter/surface";
import type { LedgerServerPorts } from "../ports.ts";
import { createGramRarity } from "./gram-rarity.ts";
import { createSearchIndexer } from "./indexer.ts";
import { createSearch, type Search } from "./search.ts";

/** Search, and what keeps its index up in the background. */
export interface Searching extends Search {
  readonly jobs: readonly Job[];
  /** Ends what goes on in the background. */
  stop(): void;
}

export function createSearching({
  db,
  clock,
  verifier,
}: Pick<LedgerServerPorts, "db" | "clock" | "verifier">): Searching {
  const rarity = createGramRarity(clock);
  const indexer = createSearchIndexer({ db, clock, rarity });
  return {
    ...createSearch({ db, clock, verifier, rarity }),
    jobs: [indexer.job],
    stop: () => indexer.stop(),
  };
}
