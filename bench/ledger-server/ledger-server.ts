import type { Figures } from "../lib/figures.ts";
import { measureCommits } from "./commits.ts";
import { measureSearch } from "./search.ts";

/** What a ledger server takes, beside the least possible program. */
export async function measureLedgerServer(
  figures: Figures,
  size: { readonly short: boolean },
): Promise<void> {
  await measureCommits(figures, size);
  await measureSearch(figures, size);
}
