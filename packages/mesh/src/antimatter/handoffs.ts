import { antimatterHandoffText, type Signer, signText, type Verifier } from "@darkmatter/identity";
import type { Handoff, Signal } from "./signal.ts";

/**
 * The way a signal went, each step signed by who handed it on: without it whoever knows a signal's id could name its
 * own wallet. Nodes of the first generation leave it out (docs/antimatter.md).
 */
export function handedOn(
  signer: Signer,
  { signal_id: signalId, callback_url: callbackUrl }: Pick<Signal, "signal_id" | "callback_url">,
  before: readonly Handoff[],
  to: string,
): readonly Handoff[] {
  const from = signer.agentId;
  const text = antimatterHandoffText({ signalId, from, to, callbackUrl });
  return [...before, { from, to, signature_hex: signText(signer, text) }];
}

/** Whether the steps lead without a gap from one agent to another, each signed by its giver. */
export async function leadsFrom(
  handoffs: readonly Handoff[],
  {
    from,
    to,
    signal,
  }: {
    /** `undefined`: whoever began it. */
    readonly from: string | undefined;
    readonly to: string;
    readonly signal: Pick<Signal, "signal_id" | "callback_url">;
  },
  verifier: Verifier,
): Promise<boolean> {
  const { signal_id: signalId, callback_url: callbackUrl } = signal;
  const [first] = handoffs;
  if (!first || (from !== undefined && first.from !== from) || handoffs.at(-1)?.to !== to) return false;
  for (const [at, step] of handoffs.entries()) {
    if (at > 0 && handoffs[at - 1]?.to !== step.from) return false;
    const text = antimatterHandoffText({ signalId, from: step.from, to: step.to, callbackUrl });
    if (text === undefined || !(await verifier.verify(step.from, text, step.signature_hex))) return false;
  }
  return true;
}
