import type { Step } from "./chain-step.ts";
import { anchorsOf, type Chain, type ChainPorts, openChain, walkChain } from "./chains.ts";
import type { CoveringCheckpoint } from "./signed-tree.ts";
import { createVerdict, type Verdict } from "./verdict.ts";

/** A chain that was looked at as a whole. */
export interface JudgedChain {
  readonly chain: Chain;
  readonly verdict: Verdict;
  readonly covering: CoveringCheckpoint | undefined;
}

/**
 * Recomputes the chain that ends with a commit (ledger.md 2.11), and shows each step on the way; `undefined` for any id
 * that is not this account's.
 */
export async function judgeChain(
  ports: ChainPorts,
  account: number,
  id: string,
  onStep: (step: Step, chain: Chain) => void = () => undefined,
): Promise<JudgedChain | undefined> {
  const chain = await openChain(ports, account, id);
  return chain && judgeOpened(ports, chain, onStep);
}

/** The same of a chain that was opened before. */
export async function judgeOpened(
  ports: ChainPorts,
  chain: Chain,
  onStep: (step: Step, chain: Chain) => void,
): Promise<JudgedChain> {
  const anchors = await anchorsOf(ports, chain);
  const verdict = createVerdict();
  for await (const { steps } of walkChain(ports, chain, anchors)) {
    for (const step of steps) {
      verdict.add(step);
      onStep(step, chain);
    }
  }
  return { chain, verdict: verdict.result(checkpointFault(anchors.covering)), covering: anchors.covering };
}

/** What is wrong with the checkpoint that speaks for a chain. */
export function checkpointFault(covering: CoveringCheckpoint | undefined): string | null {
  return covering && covering.signedBy === undefined
    ? `the log did not sign the checkpoint ${covering.checkpoint.checkpoint_id}`
    : null;
}
