import type { PhaseName, PhaseReport } from "./report.ts";

/** Keeps account of one phase while it goes on. */
export interface Tally {
  /**
   * One more thing was checked. `reason` says what is wrong with it, if anything; `order` which of several failures
   * comes first in the bundle.
   */
  judge(order: number, id: string, reason: string | undefined): void;
  /** Things that could not be checked, for the detail: "3 stay closed". */
  leftOut(what: string, count?: number): void;
  report(): PhaseReport;
}

/**
 * @param one what is counted: "payload"
 * @param nothing why it is not checked when there is nothing to check
 */
export function createTally(phase: PhaseName, one: string, nothing: string, several = `${one}s`): Tally {
  let checked = 0;
  let first: { readonly order: number; readonly id: string; readonly reason: string } | undefined;
  const left = new Map<string, number>();

  return {
    judge(order, id, reason) {
      checked++;
      if (reason !== undefined && (!first || order < first.order)) first = { order, id, reason };
    },
    leftOut(what, count = 1) {
      if (count > 0) left.set(what, (left.get(what) ?? 0) + count);
    },
    report() {
      const also = [...left].map(([what, count]) => `${count} ${what}`);
      if (first) return { phase, status: "fail", checked, detail: first.reason, failing: first.id };
      if (checked === 0) return { phase, status: "not checked", checked, detail: also.join(", ") || nothing };
      return {
        phase,
        status: "pass",
        checked,
        detail: [`${checked} ${checked === 1 ? one : several}`, ...also].join(", "),
      };
    },
  };
}
