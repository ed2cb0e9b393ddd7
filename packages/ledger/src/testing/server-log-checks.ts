import { leafHash, logRootAfter, rootOf, verifyInclusion } from "@darkmatter/proof";
import { expect } from "vitest";
import { readTail } from "../commits/commits.store.ts";
import { createLog } from "../log/log.ts";
import { commitsWhere } from "../server/commits/commits.store.ts";
import { soundnessOf } from "../server/commits/passport.ts";
import { secondsTime } from "../times.ts";
import type { TestServer } from "./test-server.ts";

/** Recomputes a server's whole log from its rows: no gap, no fork, every leaf, root and proof. Answers its commits. */
export async function expectSoundLog({ db }: Pick<TestServer, "db">, size: number) {
  const commits = await commitsWhere(db, "c.position >= 0 ORDER BY c.position");
  expect(commits.map(({ position }) => position)).toEqual(Array.from({ length: size }, (_, at) => at));
  let logRoot: string | null = null;
  for (const commit of commits) {
    expect(soundnessOf(commit).status).not.toBe("broken");
    const { acceptedMs, id: commit_id, integrityHash: integrity_hash, position: log_position } = commit;
    const leaf = leafHash({ accepted_at: secondsTime(acceptedMs), commit_id, integrity_hash, log_position });
    logRoot = logRootAfter(logRoot, integrity_hash);
    expect([commit.leaf, commit.logRoot]).toEqual([leaf, logRoot]);
    expect(commit.payload).not.toBeNull();
  }
  const root = size === 0 ? undefined : treeRootOf(commits.map(({ leaf }) => leaf));
  expect(await readTail(db)).toMatchObject({ size, logRoot });
  const log = createLog();
  expect((await log.head(db))?.treeRoot).toBe(root);
  for (let index = 0; index < size; index += 7) {
    const proof = await log.inclusion(db, index, size);
    const { leaf } = commits[index] ?? { leaf: "" };
    expect(verifyInclusion({ leaf, index, size, proof, root: root ?? "" })).toBe(true);
  }
  return commits;
}

/** RFC 9162 2.1.1, word for word. */
export function treeRootOf(leaves: readonly string[]): string {
  if (leaves.length === 1) return leaves[0] ?? "";
  let middle = 1;
  while (2 * middle < leaves.length) middle *= 2;
  return rootOf([treeRootOf(leaves.slice(0, middle)), treeRootOf(leaves.slice(middle))]);
}
