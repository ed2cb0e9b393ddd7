import type { Passport } from "../../ledger-client/answers.ts";
import type { LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { isListNumber } from "../commit-naming.ts";

/** How far back a number may reach. */
const PAGE_MAX = 200;

/** A commit that a person named. */
export interface NamedCommit {
  readonly id: string;
  /** What it is, where only its number was said: whoever said it may have looked at another list. */
  readonly byNumber?: Passport;
}

/**
 * The commit a person means at a server: by its id, which may be of none, or its number in `recent --server` (1 is the
 * newest).
 * @throws NOT_ON_SERVER
 */
export async function namedCommit(client: LedgerClient, named: string): Promise<NamedCommit> {
  if (!isListNumber(named)) return { id: named };
  let before = 0;
  let cursor: string | undefined;
  for (;;) {
    const { results, nextCursor } = await client.search({ limit: Math.min(PAGE_MAX, Number(named)), cursor });
    const found = results[Number(named) - 1 - before];
    if (found) return { id: found.id, byNumber: found };
    before += results.length;
    if (results.length === 0 || !nextCursor) {
      throw clientError("NOT_ON_SERVER", `There is no commit number ${named}: this account holds ${before}.`);
    }
    cursor = nextCursor;
  }
}

/** Its id alone. @throws NOT_ON_SERVER */
export async function serverCommit(client: LedgerClient, named: string): Promise<string> {
  return (await namedCommit(client, named)).id;
}
