import type { LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { isListNumber } from "../commit-naming.ts";

/** How far back a number may reach. */
const PAGE_MAX = 200;

/**
 * The id of the commit a person means at a server: its id, or its number in `recent --server` (1 is the newest).
 * @throws NOT_ON_SERVER
 */
export async function serverCommit(client: LedgerClient, named: string): Promise<string> {
  if (!isListNumber(named)) return named;
  let before = 0;
  let cursor: string | undefined;
  for (;;) {
    const { results, nextCursor } = await client.search({ limit: Math.min(PAGE_MAX, Number(named)), cursor });
    const found = results[Number(named) - 1 - before];
    if (found) return found.id;
    before += results.length;
    if (results.length === 0 || !nextCursor) {
      throw clientError("NOT_ON_SERVER", `There is no commit number ${named}: this account holds ${before}.`);
    }
    cursor = nextCursor;
  }
}
