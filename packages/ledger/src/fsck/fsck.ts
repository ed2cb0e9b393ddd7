import type { Verifier } from "@darkmatter/identity";
import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import { lastPosition, nextPosition, readTail } from "../commits/commits.store.ts";
import type { Tail } from "../commits/tail.ts";
import { countStrayFields } from "../disclosures/disclosures.store.ts";
import { careful, UNREADABLE } from "./careful.ts";
import { checkpointProblems } from "./checkpoint-check.ts";
import { type FsckReport, ProblemCounter, type ProblemKind } from "./report.ts";
import { type Stored, storedBetween } from "./rows.ts";
import type { TreeWalk } from "./tree-walk.ts";
import { valueProblems, type Walk, walkFrom } from "./walk.ts";

export interface FsckOptions {
  /** Whose ledger it is. */
  readonly agentId: string;
  readonly checkpoints: Checkpoints;
  readonly verifier: Verifier;
  /** Asks the engine for its file: a node does not start on one that is damaged. */
  readonly isFileWhole?: (() => boolean) | undefined;
  /** Told now and then how many commits of how many were looked at. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lets others have a turn, now and then. */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** Commits read at once: what bounds the memory. */
const PAGE = 256;
/** After so many unreadable commits in a row the rest is given up: what says that they exist may be damaged, too. */
const UNREADABLE_MAX = 1_000_000;

/**
 * Looks through a whole ledger: hashes of both schemes, links, leaves, every node of the tree, log roots, the end's
 * record, checkpoints with their signatures and witnesses, and the values that are still there. Changes nothing, and
 * goes on after what it finds: also in a database of which parts cannot be read.
 *
 * @throws the signal's reason when aborted
 */
export async function fsck(read: Read, options: FsckOptions): Promise<FsckReport> {
  return new Fsck(read, options).run();
}

class Fsck {
  readonly #read: Read;
  readonly #options: FsckOptions;
  readonly #counter = new ProblemCounter();
  #values = 0;
  #erased = 0;
  /** Checkpoints the walk has not reached yet, oldest first. */
  #ahead: SignedCheckpoint[] = [];
  #previous: SignedCheckpoint | undefined;

  constructor(read: Read, options: FsckOptions) {
    this.#read = read;
    this.#options = options;
  }

  async run(): Promise<FsckReport> {
    const counter = this.#counter;
    const tail = await careful(() => readTail(this.#read));
    const last = await careful(() => lastPosition(this.#read));
    if (last === UNREADABLE && tail === UNREADABLE) counter.add(["unreadable"], null, null);
    const recorded = tail === UNREADABLE ? 0 : tail.size;
    // The end's record may be wrong, and so may the last row: the log is as long as either says.
    const stored = last === UNREADABLE ? recorded : (last ?? -1) + 1;
    const signed = await this.#readCheckpoints();

    const walk = await this.#walk(stored);
    if (recorded > stored) counter.addCommit(["missing"], stored, null, recorded - stored);
    for (const checkpoint of this.#ahead) await this.#checkCheckpoint(checkpoint, undefined);
    if (!isEnd(tail, walk)) counter.add(["tail"], null, null);
    const stray = await careful(() => countStrayFields(this.#read, stored));
    if (stray !== 0) counter.add(["value"], null, null, stray === UNREADABLE ? 1 : stray);
    if (this.#options.isFileWhole?.() === false) counter.add(["file"], null, null);

    return {
      isSound: counter.first === null,
      commits: Math.max(stored, recorded),
      badCommits: counter.badCommits,
      checkpoints: signed,
      badCheckpoints: counter.badCheckpoints,
      values: this.#values,
      erased: this.#erased,
      first: counter.first,
      problems: counter.counts,
    };
  }

  async #readCheckpoints(): Promise<number> {
    const signed = await careful(() => this.#options.checkpoints.from(this.#read, 0));
    if (signed === UNREADABLE) this.#counter.addCheckpoint(["unreadable"], null, null);
    else this.#ahead = signed;
    return this.#ahead.length;
  }

  async #walk(end: number): Promise<Walk> {
    const { agentId, progress, signal, turn } = this.#options;
    let walk = await walkFrom(this.#read, agentId, 0);
    let unreadable = 0;
    while (walk.size < end && unreadable < UNREADABLE_MAX) {
      signal?.throwIfAborted();
      await turn?.();
      const gap = await this.#gap(walk.size, end);
      if (gap > 0) {
        this.#counter.addCommit(["missing"], walk.size, null, gap);
        walk = await walkFrom(this.#read, agentId, walk.size + gap);
        continue;
      }
      const page = await storedBetween(this.#read, walk.size, Math.min(walk.size + PAGE, end));
      for (const stored of page) await this.#step(walk, stored);
      const isLost = page.every(({ commit }) => commit === UNREADABLE);
      unreadable = isLost ? unreadable + page.length : 0;
      progress?.(walk.size, end);
    }
    if (walk.size < end) this.#counter.addCommit(["unreadable"], walk.size, null, end - walk.size);
    return walk;
  }

  /** Rows that are missing from here on: counted, not tried, since a damaged number may claim any amount of them. */
  async #gap(from: number, end: number): Promise<number> {
    const next = await careful(() => nextPosition(this.#read, from));
    return next === UNREADABLE ? 0 : (next ?? end) - from;
  }

  async #step(walk: Walk, stored: Stored): Promise<void> {
    const position = walk.size;
    const { commit, fields, erasures } = stored;
    if (commit === UNREADABLE || commit === "missing") {
      walk.skip();
      this.#counter.addCommit([commit === UNREADABLE ? "unreadable" : "missing"], position, null);
    } else {
      const problems: ProblemKind[] = await walk.step(commit);
      if (fields === UNREADABLE || erasures === UNREADABLE) problems.push("unreadable");
      else {
        problems.push(...valueProblems(commit, fields, erasures));
        this.#values += fields.length;
        this.#erased += erasures.length;
      }
      this.#counter.addCommit(problems, position, commit.id);
    }
    for (let next = this.#ahead[0]; next && next.tree_size <= walk.size; next = this.#ahead[0]) {
      this.#ahead.shift();
      await this.#checkCheckpoint(next, next.tree_size === walk.size ? walk : undefined);
    }
  }

  async #checkCheckpoint(signed: SignedCheckpoint, log: Walk | undefined): Promise<void> {
    const { agentId, checkpoints, verifier } = this.#options;
    const previous = this.#previous;
    this.#previous = signed;
    const signatures = await careful(() => checkpoints.witnessSignatures(this.#read, signed.checkpoint_id));
    const problems: ProblemKind[] =
      signatures === UNREADABLE
        ? ["unreadable"]
        : await checkpointProblems({ signed, previous, signatures, log }, agentId, verifier);
    this.#counter.addCheckpoint(problems, signed.tree_size - 1, signed.checkpoint_id);
  }
}

/** Whether the record of the log's end is what the walk arrived at. */
export function isEnd(tail: Tail | typeof UNREADABLE, walk: TreeWalk): boolean {
  if (tail === UNREADABLE || tail.size !== walk.size) return false;
  const { logRoot, frontier } = walk;
  return (
    (logRoot === undefined || logRoot === tail.logRoot) &&
    (frontier === undefined || frontier.join() === tail.frontier.join())
  );
}
