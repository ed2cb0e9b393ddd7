import type { Read } from "@darkmatter/store";
import { isDamage } from "../../damage.ts";
import type { StoredCommit } from "./commit.ts";
import { commitsAt } from "./commits.store.ts";

/** Why a commit is not shown as one. */
export const UNREADABLE_ROW = "its row can no longer be read";

/** The commits at these positions. A row that something was done to is left out, without taking the others along. */
export async function readCommits(
  read: Read,
  positions: readonly number[],
): Promise<ReadonlyMap<number, StoredCommit>> {
  const found = (await commitsOrNone(read, positions)) ?? [];
  if (found.length === positions.length || positions.length < 2) return byPosition(found);
  const each: StoredCommit[] = [];
  for (const position of positions) each.push(...((await commitsOrNone(read, [position])) ?? []));
  return byPosition(each);
}

const byPosition = (commits: readonly StoredCommit[]) =>
  new Map(commits.map((commit) => [commit.position, commit]));

/** `undefined` where one of them is damaged. */
async function commitsOrNone(read: Read, positions: readonly number[]): Promise<StoredCommit[] | undefined> {
  try {
    return await commitsAt(read, positions);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
