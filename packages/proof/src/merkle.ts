/** One step of an inclusion proof; `direction` is the side of the sibling (ledger.md 2.10). */
export interface InclusionStep {
  readonly direction: "left" | "right";
  readonly hash: string;
}

/**
 * Reads stored nodes: the bare hash of the perfect subtree of `2 ** level` leaves whose index among its level is
 * `index`. Level 0 are the leaf hashes.
 */
export type ReadNode = (level: number, index: number) => Promise<string>;
