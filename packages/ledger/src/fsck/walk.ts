import { DarkMatterError } from "@darkmatter/core";
import { fieldCommitment } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import {
  type Commit,
  type CommitPayload,
  type Field,
  hashesOf,
  payloadOf,
  rootBelow,
} from "../commits/commit.ts";
import { lastOfTrace } from "../commits/commits.store.ts";
import type { Erasure } from "../disclosures/disclosures.store.ts";
import { careful, isUnreadable, UNREADABLE } from "./careful.ts";
import type { ProblemKind } from "./report.ts";
import { type TreeStart, TreeWalk, treeStart } from "./tree-walk.ts";

/**
 * Goes through a node's log commit by commit. Each is compared with what lies stored before it, not with what should
 * lie there: so damage is met where it is and nowhere else, and when nothing is met the whole follows by induction.
 */
export class Walk extends TreeWalk {
  readonly #read: Read;
  readonly #agentId: string;

  /** @param start the log as it is stored before the first commit to be looked at */
  constructor(read: Read, agentId: string, start: TreeStart) {
    super(start);
    this.#read = read;
    this.#agentId = agentId;
  }

  /** Looks at the next commit; what is wrong with it. */
  async step(commit: Commit): Promise<ProblemKind[]> {
    return [...(await this.#chainProblems(commit)), ...this.grow(commit)];
  }

  async #chainProblems(commit: Commit): Promise<ProblemKind[]> {
    const problems: ProblemKind[] = [];
    const before = await careful(() => lastOfTrace(this.#read, commit.trace, commit.position));
    const parent = before === UNREADABLE ? undefined : before;
    const isLinked =
      before !== UNREADABLE &&
      commit.parent === (parent?.position ?? null) &&
      commit.root === rootBelow(commit, parent);
    if (!isLinked || isOffTrace(commit)) problems.push("parent");
    const hashes = hashesOf(this.#agentId, commit, parent);
    if (hashes.payloadHash !== commit.payloadHash) problems.push("payload_hash");
    // Without the parent's hashes nothing can be said of these two.
    if (before !== UNREADABLE) {
      if (hashes.chainHash !== commit.chainHash) problems.push("chain_hash");
      if (hashes.integrityHash !== commit.integrityHash) problems.push("integrity_hash");
      if (hashes.leaf !== commit.leaf) problems.push("leaf");
    }
    return problems;
  }
}

/** A walk that does not begin at the beginning, but where the log had `size` commits. */
export async function walkFrom(read: Read, agentId: string, size: number): Promise<Walk> {
  return new Walk(read, agentId, await treeStart(read, size));
}

/** What is wrong with one commit: its hashes, links, leaf, nodes and log root, each computed again. */
export async function checkCommit(read: Read, agentId: string, commit: Commit): Promise<ProblemKind[]> {
  const walk = await walkFrom(read, agentId, commit.position);
  return walk.step(commit);
}

/** A message's commits have its id as their trace, all others the agent they are about: no hash covers the trace. */
function isOffTrace(commit: Commit): boolean {
  const payload = readablePayload(commit);
  const about = payload?.message_id ?? payload?.peer ?? undefined;
  return about !== undefined && about !== commit.trace;
}

function readablePayload(commit: Commit): CommitPayload | undefined {
  try {
    return payloadOf(commit);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** What is wrong with the values of a commit. */
export function valueProblems(
  commit: Commit,
  fields: readonly Field[],
  erasures: readonly Erasure[],
): ProblemKind[] {
  const commitments = new Map(Object.entries(readablePayload(commit)?.fields ?? {}));
  const problems: ProblemKind[] = [];
  if (!fields.every((field) => opens(field, commitments.get(field.name)))) problems.push("value");
  const known = new Set([...fields, ...erasures].map(({ name }) => name));
  if ([...commitments.keys()].some((name) => !known.has(name))) problems.push("value_lost");
  return problems;
}

function opens(field: Field, commitment: string | undefined): boolean {
  try {
    return fieldCommitment(field) === commitment;
  } catch (error) {
    // A damaged value may have no canonical text.
    if (error instanceof DarkMatterError) return false;
    throw error;
  }
}
