import { prefixed } from "@darkmatter/proof";
import type { Fault, Step } from "./chain-step.ts";

/** What is known of a chain once every step was looked at. Hashes are prefixed scheme 1. */
export interface Verdict {
  readonly isIntact: boolean;
  /** The first step whose own row is wrong; else the first that does not lead into the log. */
  readonly brokenAt: string | null;
  readonly reason: string | null;
  readonly length: number;
  readonly rootId: string | null;
  readonly rootHash: string | null;
  readonly tipHash: string | null;
  /** Scheme 2 of the tip, prefixed. */
  readonly tipHashV2: string | null;
  /** Whether scheme 2 holds for every step. */
  readonly envelopesHold: boolean;
  /** Ids of the fork commits. */
  readonly forks: readonly string[];
  readonly pruned: number;
}

/** Takes the steps in their order. */
export function createVerdict() {
  const steps = { length: 0, pruned: 0, envelopesHold: true };
  const forks: string[] = [];
  let first: Step | undefined;
  let last: Step | undefined;
  let own: (Fault & { readonly id: string }) | undefined;
  let any: (Fault & { readonly id: string }) | undefined;
  return {
    add(step: Step): void {
      first ??= step;
      last = step;
      steps.length++;
      const fault = step.fault && { ...step.fault, id: step.id };
      if (fault) any ??= fault;
      if (fault?.isOwn) own ??= fault;
      if (step.kind === "unreadable" || !step.found.envelopeHolds) steps.envelopesHold = false;
      if (step.kind === "unreadable") return;
      if (step.commit.forkOf !== null) forks.push(step.id);
      if (step.commit.prunedMs !== null && step.commit.payload === null) steps.pruned++;
    },
    /** @param reason what else is wrong, of the chain as a whole */
    result(reason: string | null = null): Verdict {
      const fault = own ?? any;
      return {
        ...steps,
        isIntact: fault === undefined && reason === null,
        brokenAt: fault?.id ?? null,
        reason: fault?.reason ?? reason,
        rootId: first?.id ?? null,
        rootHash: chainHashOf(first),
        tipHash: chainHashOf(last),
        tipHashV2: last?.kind === "readable" ? prefixed(last.commit.integrityHash) : null,
        forks,
      };
    },
  };
}

const chainHashOf = (step: Step | undefined) =>
  step?.kind === "readable" ? prefixed(step.commit.chainHash) : null;
