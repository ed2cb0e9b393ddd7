import type { Verifier } from "@darkmatter/identity";
import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { allCovering, latestCheckpoint, witnessSignatures } from "../../checkpoints/checkpoints.store.ts";
import { lastPosition, nextPosition, readTail } from "../../commits/commits.store.ts";
import { careful, UNREADABLE } from "../../fsck/careful.ts";
import { checkpointProblems } from "../../fsck/checkpoint-check.ts";
import { isEnd } from "../../fsck/fsck.ts";
import { type FsckReport, ProblemCounter, type ProblemKind } from "../../fsck/report.ts";
import { TreeWalk, treeStart } from "../../fsck/tree-walk.ts";
import { type ClientProofs, createClientProofs } from "../chains/client-proofs.ts";
import type { StoredCommit } from "../commits/commit.ts";
import { commitsWhere } from "../commits/commits.store.ts";
import { soundnessOf } from "../commits/passport.ts";
import { entryProblems } from "./end-check.ts";
import {
  countStrayPayloads,
  entriesBetween,
  type LogEntry,
  linksBetween,
  type ParentLink,
} from "./log.store.ts";
import { keyOf, type LogKeys } from "./log-keys.ts";

export interface LedgerCheckOptions {
  /** The keys the log is signed with. */
  readonly keys: LogKeys;
  readonly verifier: Verifier;
  /** Asks the engine for its file: a server does not start on one that is damaged. */
  readonly isFileWhole?: (() => boolean) | undefined;
  /** Told now and then how many commits of how many were looked at. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lets others have a turn, now and then. */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** Commits read at once; fewer where payloads are large, since they are what fills the memory. */
const PAGE_MAX = 64;
const PAGE_CHARACTERS = 8_000_000;
const CHECKPOINTS_AT_ONCE = 256;

/**
 * Looks through a whole server's ledger: hashes of both schemes, links, leaves, every node of the tree, log roots, the
 * end's record, checkpoints with their signatures and witnesses, payloads that belong to no commit, and what the engine
 * says of its file. Changes nothing, goes on after what it finds, and may run while the server appends.
 *
 * In the report `values` are the payloads that were hashed anew, `erased` those that were pruned.
 * @throws the signal's reason when aborted
 */
export async function checkServerLedger(read: Read, options: LedgerCheckOptions): Promise<FsckReport> {
  return new LedgerCheck(read, options).run();
}

interface Row {
  readonly entry: LogEntry | undefined;
  readonly commit: StoredCommit | undefined;
  readonly parent: ParentLink | undefined;
}

type MaybeRow = Row | typeof UNREADABLE;

class LedgerCheck {
  readonly #read: Read;
  readonly #options: LedgerCheckOptions;
  readonly #counter = new ProblemCounter();
  readonly #proofs: ClientProofs;
  #values = 0;
  #erased = 0;
  #checkpoints = 0;
  /** Checkpoints the walk has not reached yet, oldest first; none of a larger tree than `#signedMax`. */
  #ahead: SignedCheckpoint[] = [];
  #signedMax = 0;
  #previous: SignedCheckpoint | undefined;

  constructor(read: Read, options: LedgerCheckOptions) {
    this.#read = read;
    this.#options = options;
    this.#proofs = createClientProofs(read, options.verifier);
  }

  async run(): Promise<FsckReport> {
    const counter = this.#counter;
    // In this order: what is added meanwhile is then never in the first and missing from the second.
    const latest = await careful(() => latestCheckpoint(this.#read));
    const last = await careful(() => lastPosition(this.#read));
    const tail = await careful(() => readTail(this.#read));
    if (latest === UNREADABLE) counter.addCheckpoint(["unreadable"], null, null);
    else this.#signedMax = latest?.tree_size ?? 0;
    const stored = last === UNREADABLE ? 0 : (last ?? -1) + 1;
    const end = Math.max(stored, tail === UNREADABLE ? 0 : tail.size);

    await this.#loadCheckpoints();
    const walk = await this.#walk(end);
    for (let next = this.#ahead[0]; next; next = this.#ahead[0]) await this.#takeCheckpoint(undefined);
    if (!isEnd(tail, walk)) counter.add(["tail"], null, null);
    const stray = await careful(() => countStrayPayloads(this.#read));
    if (stray !== 0) counter.add(["value"], null, null, stray === UNREADABLE ? 1 : stray);
    if (this.#options.isFileWhole?.() === false) counter.add(["file"], null, null);

    return {
      isSound: counter.first === null,
      commits: end,
      badCommits: counter.badCommits,
      checkpoints: this.#checkpoints,
      badCheckpoints: counter.badCheckpoints,
      values: this.#values,
      erased: this.#erased,
      first: counter.first,
      problems: counter.counts,
    };
  }

  async #walk(end: number): Promise<TreeWalk> {
    const { progress, signal, turn } = this.#options;
    let walk = new TreeWalk(await treeStart(this.#read, 0));
    let page = PAGE_MAX;
    while (walk.size < end) {
      signal?.throwIfAborted();
      await turn?.();
      const next = await careful(() => nextPosition(this.#read, walk.size));
      const gap = next === UNREADABLE ? 0 : Math.min(next ?? end, end) - walk.size;
      if (gap > 0) {
        this.#counter.addCommit(["missing"], walk.size, null, gap);
        walk = new TreeWalk(await treeStart(this.#read, walk.size + gap));
        continue;
      }
      const from = walk.size;
      const to = Math.min(from + page, end);
      let characters = 0;
      for (const row of await this.#rows(from, to)) {
        characters += row === UNREADABLE ? 0 : (row.commit?.payload?.length ?? 0);
        await this.#step(walk, row);
      }
      page = characters > PAGE_CHARACTERS ? Math.max(1, page >> 2) : Math.min(PAGE_MAX, page * 2);
      progress?.(walk.size, end);
    }
    return walk;
  }

  /** Reads a stretch at once, or one by one where that fails, so that a bad row takes no other along. */
  async #rows(from: number, to: number): Promise<MaybeRow[]> {
    const whole = await careful(() => readRows(this.#read, from, to));
    if (whole !== UNREADABLE) return whole;
    const rows: MaybeRow[] = [];
    for (let position = from; position < to; position++) {
      const one = await careful(() => readRows(this.#read, position, position + 1));
      if (one === UNREADABLE) rows.push(UNREADABLE);
      else rows.push(...one);
    }
    return rows;
  }

  async #step(walk: TreeWalk, row: MaybeRow): Promise<void> {
    const position = walk.size;
    if (row === UNREADABLE || !row.entry) {
      walk.skip();
      this.#counter.addCommit([row === UNREADABLE ? "unreadable" : "missing"], position, null);
    } else {
      const { entry, commit, parent } = row;
      const own: ProblemKind[] = commit ? commitProblems(commit, parent) : ["unreadable"];
      if (commit && !(await this.#clientProofsHold(commit))) own.push("client_proof");
      this.#counter.addCommit([...own, ...entryProblems(walk, entry)], position, entry.id);
      if (commit?.payload) this.#values++;
      else if (commit && commit.prunedMs !== null) this.#erased++;
    }
    while (this.#ahead[0] && this.#ahead[0].tree_size <= walk.size) await this.#takeCheckpoint(walk);
  }

  async #clientProofsHold(commit: StoredCommit): Promise<boolean> {
    const { holds } = await this.#proofs.signature(commit);
    return holds && !(await this.#proofs.attestation(commit));
  }

  /** The next checkpoint, against the log when it had that size. */
  async #takeCheckpoint(walk: TreeWalk | undefined): Promise<void> {
    const { keys, verifier } = this.#options;
    const signed = this.#ahead.shift();
    if (!signed) return;
    const log = walk && walk.size === signed.tree_size ? walk : undefined;
    const signatures = await careful(() => witnessSignatures(this.#read, signed.checkpoint_id));
    const facts = { signed, previous: this.#previous, log };
    const problems: ProblemKind[] =
      signatures === UNREADABLE
        ? ["unreadable"]
        : await checkpointProblems({ ...facts, signatures }, keyOf(signed, keys) ?? keys.current, verifier);
    this.#counter.addCheckpoint(problems, signed.tree_size - 1, signed.checkpoint_id);
    this.#checkpoints++;
    this.#previous = signed;
    if (this.#ahead.length === 0) await this.#loadCheckpoints();
  }

  async #loadCheckpoints(): Promise<void> {
    const position = this.#previous?.tree_size ?? 0;
    const bounds = { below: this.#signedMax + 1, limit: CHECKPOINTS_AT_ONCE };
    const page = await careful(() => allCovering(this.#read, position, bounds));
    if (page === UNREADABLE) this.#counter.addCheckpoint(["unreadable"], null, null);
    else this.#ahead = page;
  }
}

async function readRows(read: Read, from: number, to: number): Promise<Row[]> {
  const entries = await entriesBetween(read, from, to);
  const links = await linksBetween(read, from, to);
  const condition = "c.position >= ? AND c.position < ? ORDER BY c.position";
  const commits = await commitsWhere(read, condition, from, to);
  const entryAt = new Map(entries.map((entry) => [entry.position, entry]));
  const commitAt = new Map(commits.map((commit) => [commit.position, commit]));
  return Array.from({ length: to - from }, (_, at) => ({
    entry: entryAt.get(from + at),
    commit: commitAt.get(from + at),
    parent: links.get(from + at),
  }));
}

/** What is wrong with a commit beside its place in the log. */
function commitProblems(commit: StoredCommit, parent: ParentLink | undefined): ProblemKind[] {
  const problems: ProblemKind[] = [];
  const { payloadHolds, chainHolds, envelopeHolds } = soundnessOf(commit);
  if (commit.payload === null && commit.prunedMs === null) problems.push("value_lost");
  if (payloadHolds === false) problems.push("payload_hash");
  if (!chainHolds) problems.push("chain_hash");
  if (!envelopeHolds) problems.push("integrity_hash");
  if (!isLinked(commit, parent)) problems.push("parent");
  return problems;
}

/** A parent lies before its child, in the same account, and gives it root and depth. */
function isLinked(commit: StoredCommit, parent: ParentLink | undefined): boolean {
  if (commit.parent === null) return commit.root === commit.position && commit.depth === 1;
  return (
    parent !== undefined &&
    commit.parent < commit.position &&
    parent.account === commit.account &&
    parent.root === commit.root &&
    parent.depth + 1 === commit.depth
  );
}
