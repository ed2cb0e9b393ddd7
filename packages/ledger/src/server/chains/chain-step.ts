import { DarkMatterError } from "@darkmatter/core";
import {
  inclusionProof,
  leafHash,
  logRootAfter,
  nodeHash,
  type ReadNode,
  verifyInclusion,
} from "@darkmatter/proof";
import { secondsTime } from "../../times.ts";
import type { StoredCommit } from "../commits/commit.ts";
import type { ClientProofs } from "./client-proofs.ts";
import { type Findings, findingsOf } from "./findings.ts";
import type { TreeRows } from "./tree-rows.ts";

/** A tree that steps are proven to be in: under a signed checkpoint, or the log as it now is. */
export interface Anchor {
  readonly size: number;
  readonly root: string;
}

/** One commit of a chain and what recomputing it shows (ledger.md 2.11). */
export interface ReadableStep {
  readonly kind: "readable";
  /** From 0, root first. */
  readonly index: number;
  readonly id: string;
  readonly position: number;
  readonly commit: StoredCommit;
  readonly found: Findings;
  /** It follows the step before it, and says so. */
  readonly linkHolds: boolean;
  /** Its leaf is that of the commit, and leads to the anchor's root. */
  readonly isInLog: boolean;
  /** What is wrong with it; `null` where nothing is. */
  readonly fault: Fault | null;
}

/** A commit whose row can no longer be read as one. */
export interface UnreadableStep {
  readonly kind: "unreadable";
  readonly index: number;
  readonly id: string;
  readonly position: number;
  readonly fault: Fault;
}

export type Step = ReadableStep | UnreadableStep;

export interface Fault {
  readonly reason: string;
  /** The commit's own row is wrong; otherwise only its way through rows of others. */
  readonly isOwn: boolean;
}

/** What a step is compared with. */
export interface StepSurroundings {
  /** `undefined` for the first step. */
  readonly before: Step | undefined;
  readonly root: number;
  readonly anchor: Anchor;
  readonly tree: TreeRows;
  readonly proofs: ClientProofs;
}

/** Looks at one commit. */
export async function stepOf(
  commit: StoredCommit,
  index: number,
  around: StepSurroundings,
): Promise<ReadableStep> {
  const found = await findingsOf(commit, around.proofs);
  const linkFault = linkFaultOf(commit, index, around);
  const rowFault = await rowFaultOf(commit, around.tree);
  const leadsUp = await leadsTo(commit, around.anchor, around.tree.readNode);
  const own = (found.status === "broken" ? found.reason : null) ?? linkFault ?? rowFault;
  return {
    kind: "readable",
    index,
    id: commit.id,
    position: commit.position,
    commit,
    found,
    linkHolds: linkFault === null,
    isInLog: rowFault === null && leadsUp,
    fault:
      own !== null
        ? { reason: own, isOwn: true }
        : leadsUp
          ? null
          : { reason: "the tree does not lead from its leaf to the root", isOwn: false },
  };
}

function linkFaultOf(commit: StoredCommit, index: number, { before, root }: StepSurroundings): string | null {
  // The steps were found by following the links: only the first can name a parent that is not there.
  if (commit.parent !== (before?.position ?? null)) return "its parent is missing";
  if (commit.depth !== index + 1) return "it stands at another depth than it says";
  if (commit.root !== root) return "it names another first commit";
  return null;
}

/** What of the log's own columns in the commit's row is not as it must be; `null` where all is. */
async function rowFaultOf(commit: StoredCommit, tree: TreeRows): Promise<string | null> {
  const { position } = commit;
  const leaf = leafHash({
    accepted_at: secondsTime(commit.acceptedMs),
    commit_id: commit.id,
    integrity_hash: commit.integrityHash,
    log_position: position,
  });
  if (leaf !== commit.leaf) return "its leaf is not that of this commit at this place";
  const previous = position === 0 ? null : tree.row(position - 1)?.logRoot;
  if (previous === undefined || logRootAfter(previous, commit.integrityHash) !== commit.logRoot)
    return "its log root does not follow from the one before";
  return (await nodesHold(commit, tree))
    ? null
    : "its nodes of the tree are not those that its leaf completes";
}

async function nodesHold({ position, leaf }: StoredCommit, tree: TreeRows): Promise<boolean> {
  const nodes = tree.row(position)?.nodes ?? [];
  let node = leaf;
  let level = 0;
  for (let at = position; at % 2 === 1; at = (at - 1) / 2) {
    try {
      node = nodeHash(await tree.readNode(level, at - 1), node);
    } catch (error) {
      // What is missing is a node of another row: that row's step is the one to name.
      if (!(error instanceof DarkMatterError)) throw error;
      return nodes.length > level;
    }
    if (nodes[level++] !== node) return false;
  }
  return nodes.length === level;
}

async function leadsTo(
  { position, leaf }: StoredCommit,
  anchor: Anchor,
  readNode: ReadNode,
): Promise<boolean> {
  if (position >= anchor.size) return false;
  try {
    const proof = await inclusionProof(readNode, position, anchor.size);
    return verifyInclusion({ leaf, index: position, size: anchor.size, proof, root: anchor.root });
  } catch (error) {
    if (error instanceof DarkMatterError) return false;
    throw error;
  }
}
