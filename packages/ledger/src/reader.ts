import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { type ExportedBundle, exportBundle } from "./bundles/bundle.ts";
import { storedSources } from "./bundles/bundle-sources.ts";
import type { BundleWishes } from "./bundles/steps.ts";
import { type Checkpoints, createCheckpoints, type WitnessSignature } from "./checkpoints/checkpoints.ts";
import type { Commit } from "./commits/commit.ts";
import { type Commits, commits } from "./commits/commits.ts";
import { createDisclosures, type Disclosures } from "./disclosures/disclosures.ts";
import { type ErasurePlan, planErasure } from "./disclosures/erasure.ts";
import { type FsckOptions, fsck } from "./fsck/fsck.ts";
import type { FsckReport, ProblemKind } from "./fsck/report.ts";
import { checkCommit } from "./fsck/walk.ts";
import { createLog, type Log } from "./log/log.ts";
import { type MirrorState, readMirrorState } from "./mirror/mirror.store.ts";
import type { LedgerPorts } from "./ports.ts";
import { allEvidence, type Evidence } from "./witnesses/witnesses.store.ts";

/** How far the log goes, who signed it last, and whose history is split. */
export interface LedgerState {
  readonly commits: number;
  readonly checkpoint: SignedCheckpoint | undefined;
  /** A later one that others hold and this state does not have: it was put back from an older one. */
  readonly newer: SignedCheckpoint | undefined;
  readonly witnesses: readonly WitnessSignature[];
  /** Newest first. */
  readonly evidence: readonly Evidence[];
  /** Absent where nothing was ever mirrored. */
  readonly mirror: MirrorState | undefined;
}

/** What can be done with a ledger that nobody writes to: also with a database opened for reading alone. */
export interface LedgerReader {
  readonly commits: Commits;
  readonly disclosures: Pick<Disclosures, "fieldsOf" | "erasuresOf">;
  readonly checkpoints: Omit<Checkpoints, "make" | "noteNewer">;
  readonly log: Log;
  /** What is wrong with one commit, each of its hashes computed again; empty when nothing is. */
  checkCommit(read: Read, commit: Commit): Promise<ProblemKind[]>;
  state(read: Read): Promise<LedgerState>;
  /** What erasing would erase. @throws NO_SUCH_COMMIT, AMBIGUOUS_COMMIT, NO_SUCH_FIELD */
  planErasure(read: Read, what: string, names: readonly string[] | "all"): Promise<ErasurePlan>;
  /** @throws NO_SUCH_COMMIT, CHECKPOINT_NEEDED, LEDGER_DAMAGED, BUNDLE_TOO_LARGE */
  exportBundle(read: Read, wishes: BundleWishes): Promise<ExportedBundle>;
  /** Looks through all of it. @throws the signal's reason when aborted */
  fsck(read: Read, options?: Pick<FsckOptions, "isFileWhole" | "progress" | "signal">): Promise<FsckReport>;
}

/** What a reader stands on: a key, and neither network nor writing. */
export type ReaderPorts = Pick<LedgerPorts, "clock" | "random" | "signer" | "verifier" | "agentName">;

export function createLedgerReader(ports: ReaderPorts): LedgerReader {
  const { clock, random, signer, verifier } = ports;
  const { agentId } = signer;
  const log = createLog();
  const checkpoints = createCheckpoints(ports, log);
  const disclosures = createDisclosures(ports);
  return {
    commits,
    disclosures,
    checkpoints,
    log,
    checkCommit: (read, commit) => checkCommit(read, agentId, commit),

    async state(read) {
      const head = await log.head(read);
      const checkpoint = await checkpoints.latest(read);
      return {
        commits: head?.size ?? 0,
        checkpoint,
        newer: await checkpoints.newer(read),
        witnesses: checkpoint ? await checkpoints.witnessSignatures(read, checkpoint.checkpoint_id) : [],
        evidence: await allEvidence(read),
        mirror: await readMirrorState(read),
      };
    },

    planErasure: (read, what, names) => planErasure(read, disclosures, what, names),

    async exportBundle(read, wishes) {
      const agentName = await ports.agentName();
      const bundlePorts = { clock, random, signer, checkpoints, sources: storedSources, agentName };
      return exportBundle(read, bundlePorts, wishes);
    },

    fsck: (read, options) =>
      fsck(read, { ...options, agentId, checkpoints, verifier, turn: () => clock.turn() }),
  };
}
