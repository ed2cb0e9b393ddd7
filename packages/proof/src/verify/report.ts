/** What a check of a bundle consists of, in order (docs/proof.md section 4). */
export const PHASES = [
  "format",
  "export_hash",
  "export_signature",
  "payloads",
  "chain",
  "envelopes",
  "agent_signatures",
  "attestations",
  "leaves",
  "inclusion",
  "checkpoint",
  "witnesses",
  "consistency",
  "disclosures",
  "message_signatures",
  "receipts",
  "witnessed",
  "evidence",
  "assurance",
] as const;
export type PhaseName = (typeof PHASES)[number];

export type CheckStatus = "pass" | "fail" | "not checked";
export type Verdict = "verified" | "failed";

export interface PhaseReport {
  readonly phase: PhaseName;
  readonly status: CheckStatus;
  /** How many things were checked, those that failed included. */
  readonly checked: number;
  /** One sentence: what was checked and what was not, or the reason of a failure. */
  readonly detail: string;
  /** The id of the first commit, checkpoint, witness or agent that fails. */
  readonly failing?: string;
}

/** What a bundle says of itself. Names and times are its exporter's words. */
export interface BundleAbout {
  /** Who exported it: with `log`, an agent's public key. */
  readonly exportedBy: string;
  readonly exportedAt: string;
  readonly exportId: string;
  /** The name the exporter gives itself. */
  readonly agentName: string;
  /** `mesh/<agent id>` for a node's bundle. */
  readonly log: string | null;
  readonly traceId: string | null;
  readonly steps: number;
  /** Agent ids, in the order they appear. */
  readonly peers: readonly string[];
  /** Envelope times of root and tip. */
  readonly from: string;
  readonly to: string;
  readonly checkpoint: { readonly id: string; readonly size: number; readonly timestamp: string } | null;
  /** Who signed the checkpoint; `name` is the exporter's word. */
  readonly witnesses: readonly { readonly id: string; readonly name: string | null }[];
  /** Agents that the bundle accuses of a split history. */
  readonly accused: readonly string[];
}

export interface BundleReport {
  readonly verdict: Verdict;
  /** Every one of `PHASES`, in order. */
  readonly phases: readonly PhaseReport[];
  /** `null` when the file has not the form of a bundle. */
  readonly about: BundleAbout | null;
  /** What this file cannot prove, and what was left out of the check: sentences. */
  readonly notProven: readonly string[];
}
