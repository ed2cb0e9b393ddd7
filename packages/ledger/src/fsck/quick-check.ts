import { rootAt } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import { lastPosition, logRootAt, readTail } from "../commits/commits.store.ts";
import { nodeReader } from "../log/nodes.ts";
import { careful, UNREADABLE } from "./careful.ts";
import { isEnd } from "./fsck.ts";
import { type Problem, ProblemCounter } from "./report.ts";
import { storedCommits } from "./rows.ts";
import { walkFrom } from "./walk.ts";

/** Commits looked at, at most: a start must not wait for a long ledger. */
const CHECKED_MAX = 1000;

/**
 * A look at the end of the ledger before anything is added to it: the record of the end, the commits since the last
 * checkpoint, and that checkpoint's roots. `undefined` when all is well, the first problem otherwise.
 */
export async function quickCheck(
  read: Read,
  { agentId, checkpoints }: { readonly agentId: string; readonly checkpoints: Checkpoints },
): Promise<Problem | undefined> {
  const tail = await careful(() => readTail(read));
  const last = await careful(() => lastPosition(read));
  const latest = await careful(() => checkpoints.latest(read));
  if (tail === UNREADABLE || last === UNREADABLE || latest === UNREADABLE) return problem("unreadable");
  const size = (last ?? -1) + 1;
  if (latest && !(await isAsSigned(read, latest, size)))
    return { kind: "checkpoint_root", position: latest.log_position, id: latest.checkpoint_id };

  const start = Math.max(latest?.tree_size ?? 0, size - CHECKED_MAX);
  const walk = await walkFrom(read, agentId, start);
  const counter = new ProblemCounter();
  for (const commit of await storedCommits(read, start, size)) {
    const position = walk.size;
    if (commit === UNREADABLE || commit === "missing") {
      walk.skip();
      counter.addCommit([commit === UNREADABLE ? "unreadable" : "missing"], position, null);
    } else counter.addCommit(await walk.step(commit), position, commit.id);
  }
  if (!isEnd(tail, walk)) counter.add(["tail"], null, null);
  return counter.first ?? undefined;
}

const problem = (kind: Problem["kind"]): Problem => ({ kind, position: null, id: null });

/** Whether a checkpoint's roots are those of the log it lies in, which has `size` commits. */
export async function isAsSigned(
  read: Read,
  latest: { readonly tree_size: number; readonly tree_root: string; readonly log_root: string },
  size: number,
): Promise<boolean> {
  if (latest.tree_size > size) return false;
  const treeRoot = await careful(() => rootAt(nodeReader(read), latest.tree_size));
  const logRoot = await careful(() => logRootAt(read, latest.tree_size - 1));
  return treeRoot === latest.tree_root && logRoot === latest.log_root;
}
