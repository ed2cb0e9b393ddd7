import { DarkMatterError } from "@darkmatter/core";
import { type Frontier, fieldCommitment, logRootAfter, nodeHash, rootOf } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import {
  type Commit,
  type CommitPayload,
  type Field,
  hashesOf,
  payloadOf,
  rootBelow,
} from "../commits/commit.ts";
import { commitAt, lastOfTrace, storedNode } from "../commits/commits.store.ts";
import type { Erasure } from "../disclosures/disclosures.store.ts";
import { careful, isDamage, UNREADABLE } from "./careful.ts";
import type { ProblemKind } from "./report.ts";

type Known = string | undefined;

/** Of the largest subtree that positions can count. */
const LEVEL_MAX = 52;

/**
 * Goes through the log commit by commit. Each is compared with what lies stored before it, not with what should lie
 * there: so damage is met where it is and nowhere else, and when nothing is met the whole follows by induction.
 */
export class Walk {
  readonly #read: Read;
  readonly #agentId: string;
  #size: number;
  /** Stored nodes; a hole where they cannot be read. */
  #frontier: Known[];
  /** Of the commit before; `null` before the first. */
  #logRoot: Known | null;

  /** @param start the log as it is stored before the first commit to be looked at */
  constructor(
    read: Read,
    agentId: string,
    start: { size: number; frontier: readonly Known[]; logRoot: Known | null },
  ) {
    this.#read = read;
    this.#agentId = agentId;
    this.#size = start.size;
    this.#frontier = [...start.frontier];
    this.#logRoot = start.logRoot;
  }

  get size(): number {
    return this.#size;
  }

  /** As the last commit has it stored; `undefined` when that one cannot be read. */
  get logRoot(): Known | null {
    return this.#logRoot;
  }

  /** `undefined` when a node of it cannot be read. */
  get frontier(): Frontier | undefined {
    return this.#frontier.every((node) => node !== undefined) ? (this.#frontier as string[]) : undefined;
  }

  /** The tree's root so far; `undefined` when a node it stands on cannot be read. */
  get treeRoot(): string | undefined {
    return this.frontier && rootOf(this.frontier);
  }

  /** Steps over a commit that cannot be read. */
  skip(): void {
    this.#grow(undefined, []);
    this.#logRoot = undefined;
  }

  /** Looks at the next commit; what is wrong with it. */
  async step(commit: Commit): Promise<ProblemKind[]> {
    const problems = await this.#chainProblems(commit);
    if (!this.#grow(commit.leaf, commit.nodes)) problems.push("node");
    if (this.#logRoot !== undefined && logRootAfter(this.#logRoot, commit.integrityHash) !== commit.logRoot)
      problems.push("log_root");
    this.#logRoot = commit.logRoot;
    return problems;
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

  /** Takes the next leaf and its stored nodes into the frontier; whether they follow from those below them. */
  #grow(leaf: Known, nodes: readonly string[]): boolean {
    let root = leaf;
    let level = 0;
    let isRight = true;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2, level++) {
      const left = this.#frontier.pop();
      const stored = nodes[level];
      if (left !== undefined && root !== undefined && nodeHash(left, root) !== stored) isRight = false;
      root = leaf === undefined ? undefined : stored;
    }
    this.#frontier.push(root);
    this.#size++;
    return isRight && nodes.length === (leaf === undefined ? 0 : level);
  }
}

/** A walk that does not begin at the beginning, but where the log had `size` commits. */
export async function walkFrom(read: Read, agentId: string, size: number): Promise<Walk> {
  const frontier: Known[] = [];
  let start = 0;
  for (let level = LEVEL_MAX; level >= 0; level--) {
    const width = 2 ** level;
    if (start + width > size) continue;
    const node = await careful(() => storedNode(read, level, start / width));
    frontier.push(node === UNREADABLE ? undefined : node);
    start += width;
  }
  const last = size === 0 ? undefined : await careful(() => commitAt(read, size - 1));
  const logRoot = last === UNREADABLE ? undefined : last?.logRoot;
  return new Walk(read, agentId, { size, frontier, logRoot: size === 0 ? null : logRoot });
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
    if (isDamage(error)) return undefined;
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
