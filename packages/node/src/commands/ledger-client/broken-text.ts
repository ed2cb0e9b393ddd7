import { brief } from "../context.ts";

/** What a server says of a commit that is not, or not certainly, as it was committed. */
export interface Told {
  readonly isBroken: boolean;
  /** In the server's words. */
  readonly reason?: string | null | undefined;
  readonly isPruned?: boolean;
}

const REASON_MAX = 80;

/** What stands after a commit's line: why it is broken; nothing for a sound one. */
export function brokenMark({ isBroken, reason }: Told): string {
  return isBroken ? `  ✗ ${brief(reason ?? "not what its hashes say", REASON_MAX)}` : "";
}

/** What stands in the place of a payload that the server did not send. */
export function withoutPayload({ isBroken, reason, isPruned }: Told): string {
  if (isPruned) return "(its payload was pruned)";
  if (!isBroken) return "(its payload is encrypted or was pruned)";
  return `(the server could not read its payload: ${brief(reason ?? "it does not say why", REASON_MAX)})`;
}

/** Where a chain breaks, and why, as the server says it. */
export function brokenChainText({ ctx_id, broken_at, reason }: BrokenChain): string {
  const at = broken_at ? ` at ${brief(broken_at, 40)}` : "";
  return `The chain up to ${brief(ctx_id, 40)} does not verify${at}: ${brief(reason ?? "the server does not say why", 200)}`;
}

interface BrokenChain {
  readonly ctx_id: string;
  readonly broken_at?: string | null | undefined;
  readonly reason?: string | null | undefined;
}

/** Where to read on: all checks, each with the commit that fails it. */
export const verifyHint = (commit: string): string =>
  `What fails, and where: darkmatter verify ${brief(commit, 40)} --server`;
