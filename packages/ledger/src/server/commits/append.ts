import type { Database, Write } from "@darkmatter/store";
import { writeTail } from "../../commits/commits.store.ts";
import { lockTail, type Placed, placeInLog } from "../../log/append.ts";
import type { CommitDraft } from "./commit.ts";
import { insertCommit } from "./commits.store.ts";

/** A request that may be repeated without a second commit. */
export interface Idempotency {
  readonly key: string;
  /** Of the request's body. */
  readonly requestHash: string;
}

/** Brings drafts into the log. */
export interface Appender {
  /** Resolves once the commit is on disk. */
  append(draft: CommitDraft): Promise<Placed>;
}

export function createAppender(db: Database): Appender {
  return { append: (draft) => db.write((tx) => appendCommit(tx, draft)) };
}

/** The one way into a server's log, for commits of every kind, within the transaction of what makes them. */
export async function appendCommit(tx: Write, draft: CommitDraft): Promise<Placed> {
  const placed = placeInLog(await lockTail(tx), draft);
  await insertCommit(tx, draft, placed);
  await writeTail(tx, placed.tail);
  return placed;
}
