/** What can be wrong with a ledger. */
export type ProblemKind =
  /** The engine finds its own file damaged: pages, or indices that do not lead to what the tables hold. */
  | "file"
  /** A row that cannot be read at all. */
  | "unreadable"
  /** A position without a commit. */
  | "missing"
  | "payload_hash"
  /** Scheme 1 does not follow from the payload and the parent. */
  | "chain_hash"
  /** Scheme 2 does not follow from the envelope. */
  | "integrity_hash"
  /** The commit is not linked to the one before it of its trace. */
  | "parent"
  /** What a client signed does not hold, or is not what was found when it was accepted. */
  | "client_proof"
  | "leaf"
  /** A node of the tree does not follow from the two below it. */
  | "node"
  | "log_root"
  /** A value does not open its commitment, or belongs to none. */
  | "value"
  /** A value is gone, and nobody erased it. */
  | "value_lost"
  /** A checkpoint's roots are not those of the log at its size. */
  | "checkpoint_root"
  /** A checkpoint's form, signature, or link to the one before it. */
  | "checkpoint"
  | "witness_signature"
  /** The record of the log's end does not agree with its last commit. */
  | "tail";

export interface Problem {
  readonly kind: ProblemKind;
  /** Of the commit, or of the last one a checkpoint covers; `null` for the log's end, and for the file. */
  readonly position: number | null;
  /** Of the commit or the checkpoint, when it can be read. */
  readonly id: string | null;
}

/** What a look through a whole ledger found. */
export interface FsckReport {
  readonly isSound: boolean;
  /** Commits there should be. */
  readonly commits: number;
  /** Those of them with at least one problem. */
  readonly badCommits: number;
  readonly checkpoints: number;
  readonly badCheckpoints: number;
  /** Values compared with their commitments, and those erased. */
  readonly values: number;
  readonly erased: number;
  /** The problem at the lowest position: where the damage begins. */
  readonly first: Problem | null;
  /** How often each kind was met. */
  readonly problems: Readonly<Partial<Record<ProblemKind, number>>>;
}

/** Counts problems, in memory that does not grow with them. */
export class ProblemCounter {
  readonly counts: Partial<Record<ProblemKind, number>> = {};
  first: Problem | null = null;
  badCommits = 0;
  badCheckpoints = 0;

  add(kinds: readonly ProblemKind[], position: number | null, id: string | null, times = 1): void {
    for (const kind of kinds) {
      this.counts[kind] = (this.counts[kind] ?? 0) + times;
      const place = position ?? Number.POSITIVE_INFINITY;
      if (this.first && place >= (this.first.position ?? Number.POSITIVE_INFINITY)) continue;
      this.first = { kind, position, id };
    }
  }

  addCommit(kinds: readonly ProblemKind[], position: number, id: string | null, times = 1): void {
    if (kinds.length === 0) return;
    this.badCommits += times;
    this.add(kinds, position, id, times);
  }

  addCheckpoint(kinds: readonly ProblemKind[], position: number | null, id: string | null): void {
    if (kinds.length === 0) return;
    this.badCheckpoints++;
    this.add(kinds, position, id);
  }
}
