import type { SignedCheckpoint } from "../../checkpoint.ts";
import { createContradictions } from "../contradictions.ts";
import type { Entries, Side } from "./entries.ts";
import type { Problem } from "./statement.ts";

/** A checkpoint of somebody's log, and whose file holds it. */
interface Seen {
  readonly file: string;
  readonly checkpoint: SignedCheckpoint;
}

/** What is wrong between a log's own bundles, and between them and what others witnessed of it. */
export function historyProblems(sides: readonly Side[], entries: Entries): readonly Problem[] {
  const byAgent = Map.groupBy(sides, ({ agentId }) => agentId);
  return [...byAgent].flatMap(([agentId, own]) => {
    const problem = (files: readonly string[], what: string, commit: string | null = null): Problem => {
      return { files: [...new Set(files)], agentId, commit, what };
    };
    const accusers = sides.filter(({ bundle }) =>
      bundle.node.evidence.some((one) => one.agent_id === agentId),
    );
    return [
      ...twoHistories(own, witnessedOf(agentId, sides)).map(([files, what]) => problem(files, what)),
      ...own.flatMap((side) =>
        witnessedOf(agentId, sides).flatMap((seen) => {
          const what = disconnection(side, seen.checkpoint);
          return what === undefined ? [] : [problem([side.file, seen.file], what)];
        }),
      ),
      ...samePlace(entries, agentId).map(([commit, files]) =>
        problem(files, "two commits have one place in its log", commit),
      ),
      ...branches(entries, agentId).map(([commit, files]) =>
        problem(files, "two commits follow the same one in its conversation", commit),
      ),
      ...accusers.map(({ file }) => problem([file], "it is proven to have shown two histories of its log")),
    ];
  });
}

function witnessedOf(agentId: string, sides: readonly Side[]): readonly Seen[] {
  return sides.flatMap(({ file, bundle }) =>
    bundle.node.witnessed
      .filter((one) => one.agent_id === agentId)
      .map(({ checkpoint }) => ({ file, checkpoint })),
  );
}

function ownCheckpoints({ checkpoint, node }: Side["bundle"]): readonly SignedCheckpoint[] {
  return [...node.consistency.map((one) => one.checkpoint), ...(checkpoint ? [checkpoint] : [])];
}

/** Signed checkpoints that cannot all be true. */
function twoHistories(own: readonly Side[], witnessed: readonly Seen[]): [files: string[], what: string][] {
  const contradictions = createContradictions();
  const all = own.flatMap((side) =>
    ownCheckpoints(side.bundle).map((checkpoint) => ({ file: side.file, checkpoint })),
  );
  return [...all, ...witnessed].flatMap(({ file, checkpoint }): [string[], string][] => {
    const reason = contradictions.add(checkpoint);
    return reason === undefined ? [] : [[[file], `the log shows two histories: ${reason}`]];
  });
}

/** Why what a witness signed cannot be a state of the log that the bundle is from. */
function disconnection({ bundle }: Side, seen: SignedCheckpoint): string | undefined {
  const { checkpoint: own, steps } = bundle;
  const place = steps.find(({ flat }) => flat._proof.tree_size === seen.tree_size)?.flat._proof;
  if (place && place.tree_root !== seen.tree_root) {
    return `its witness signed another history: ${seen.checkpoint_id} has another tree of ${seen.tree_size} commits`;
  }
  if (!own) return undefined;
  if (seen.tree_size > own.tree_size) {
    // A log only grows: what was signed later is not smaller.
    return seen.timestamp < own.timestamp
      ? `its witness signed another history: ${seen.checkpoint_id} is older, and has more commits`
      : undefined;
  }
  // Older than the conversation: nothing in the bundle speaks of that time.
  if (seen.tree_size <= steps[0]!.flat._proof.log_position) return undefined;
  const isKnown = ownCheckpoints(bundle).some(
    ({ tree_size, tree_root, log_root }) =>
      tree_size === seen.tree_size && tree_root === seen.tree_root && log_root === seen.log_root,
  );
  return isKnown
    ? undefined
    : `its witness signed ${seen.checkpoint_id}, which its history does not lead through`;
}

/** Commits of one trace that have one parent, or none: a log that only grows has one after each. */
function branches({ logs }: Entries, agentId: string): [commit: string, files: string[]][] {
  const byParent = Map.groupBy(logs.get(agentId) ?? [], ({ said: { step } }) =>
    JSON.stringify([step.passport.trace_id, step.flat.parent_integrity_hash]),
  );
  return [...byParent.values()].flatMap(([first, ...others]) =>
    others.map(({ said, side }): [string, string[]] => [said.commit, [first?.side.file ?? "", side.file]]),
  );
}

function samePlace({ logs }: Entries, agentId: string): [commit: string, files: string[]][] {
  const entries = logs.get(agentId) ?? [];
  return entries.flatMap((entry, at): [string, string[]][] => {
    const before = entries[at - 1];
    if (!before || before.position !== entry.position) return [];
    return [[entry.said.commit, [before.side.file, entry.side.file]]];
  });
}
