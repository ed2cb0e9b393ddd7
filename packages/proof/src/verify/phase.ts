import type { Bundle, Step } from "./bundle-form.ts";
import type { Said } from "./disclosed.ts";
import type { PhaseReport } from "./report.ts";
import type { SignatureChecks } from "./signature-checks.ts";
import type { Source } from "./source.ts";

/** One phase of a check, from its first step to its report. */
export interface Phase {
  /** Called for each step, root first; those after it are not there yet. */
  step?(step: Step, at: number): void;
  /** Called once after the steps. */
  whole?(): void;
  /** Likewise, where there may be many signatures: it yields now and then, so that they do not pile up. */
  parts?(): Iterable<unknown>;
  /** Called when every signature's outcome is known, in the order of the phases. */
  report(): PhaseReport;
}

/** What every phase sees. */
export interface PhaseContext {
  readonly bundle: Bundle;
  readonly source: Source;
  /** Step by step, as far as `bundle.steps` goes; empty for a ledger server's bundle. */
  readonly said: readonly Said[];
  readonly signatures: SignatureChecks;
  readonly findings: Findings;
}

/** What earlier phases find out and later ones need. */
export interface Findings {
  /** The size of the largest checkpoint with a valid witness signature. */
  witnessedUpTo: number;
  /** Ids of the commits with a valid attestation. */
  readonly attested: Set<string>;
}

/** The first of several reasons. Each is given as whether all is well, and what to say if not. */
export function firstReason(
  ...claims: readonly (readonly [holds: boolean, reason: string])[]
): string | undefined {
  return claims.find(([holds]) => !holds)?.[1];
}
