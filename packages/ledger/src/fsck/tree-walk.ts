import { type Frontier, logRootAfter, nodeHash, rootOf } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { logRootAt, storedNode } from "../commits/commits.store.ts";
import { careful, UNREADABLE } from "./careful.ts";
import type { ProblemKind } from "./report.ts";

type Known = string | undefined;

/** Of the largest subtree that positions can count. */
const LEVEL_MAX = 52;

/** A log as it is stored before one of its positions. */
export interface TreeStart {
  readonly size: number;
  /** Stored nodes; a hole where they cannot be read. */
  readonly frontier: readonly Known[];
  /** Of the commit before; `null` before the first. */
  readonly logRoot: Known | null;
}

/** What a log holds of a commit, whatever the commit is. Bare hex. */
export interface TreeEntry {
  /** Scheme 2. */
  readonly integrityHash: string;
  readonly leaf: string;
  readonly nodes: readonly string[];
  readonly logRoot: string;
}

/** Goes through a log's tree and its log roots, entry by entry, each compared with what lies stored before it. */
export class TreeWalk {
  #size: number;
  #frontier: Known[];
  #logRoot: Known | null;

  constructor({ size, frontier, logRoot }: TreeStart) {
    this.#size = size;
    this.#frontier = [...frontier];
    this.#logRoot = logRoot;
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

  /** Takes the next entry; what is wrong with its nodes and its log root. */
  grow(commit: TreeEntry): ProblemKind[] {
    const problems: ProblemKind[] = [];
    if (!this.#grow(commit.leaf, commit.nodes)) problems.push("node");
    if (this.#logRoot !== undefined && logRootAfter(this.#logRoot, commit.integrityHash) !== commit.logRoot)
      problems.push("log_root");
    this.#logRoot = commit.logRoot;
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

/** The log as it is stored where it had `size` commits. */
export async function treeStart(read: Read, size: number): Promise<TreeStart> {
  const frontier: Known[] = [];
  let start = 0;
  for (let level = LEVEL_MAX; level >= 0; level--) {
    const width = 2 ** level;
    if (start + width > size) continue;
    const node = await careful(() => storedNode(read, level, start / width));
    frontier.push(node === UNREADABLE ? undefined : node);
    start += width;
  }
  if (size === 0) return { size, frontier, logRoot: null };
  const logRoot = await careful(() => logRootAt(read, size - 1));
  return { size, frontier, logRoot: logRoot === UNREADABLE ? undefined : logRoot };
}
