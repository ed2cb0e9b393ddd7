import type { SignedCheckpoint } from "@darkmatter/proof";
import { type Answer, json } from "@darkmatter/surface";

const REFUSALS = {
  MALFORMED: [400, "A member is missing, not of its form, or one too many."],
  NO_EVIDENCE: [400, "Both can be true, or not both are signed by that agent."],
  NOT_CONNECTED: [403, "This node witnesses only for agents it is connected to."],
  BAD_SIGNATURE: [403, "The checkpoint is not signed by that agent."],
  SPLIT_HISTORY: [403, "There is evidence that this log has more than one history."],
  EQUIVOCATION: [409, "It contradicts a checkpoint of the same log: `previous`. Both are kept as evidence."],
  CONSISTENCY_NEEDED: [409, "Prove that the log only grew since `previous`, which was signed last."],
  INCONSISTENT: [409, "It does not follow from `previous`, which was signed last."],
  TOO_MANY: [429, "Too many. Wait a minute, then try again."],
  NO_ROOM: [429, "There is no room for another log or accusation."],
} as const satisfies Readonly<Record<string, readonly [status: number, sentence: string]>>;

export type RefusalCode = keyof typeof REFUSALS;

export interface Refused {
  readonly kind: "refused";
  readonly code: RefusalCode;
  readonly previous?: SignedCheckpoint;
}

export function refused(code: RefusalCode, previous?: SignedCheckpoint): Refused {
  return { kind: "refused", code, ...(previous && { previous }) };
}

export function refusalAnswer({ code, previous }: Refused): Answer {
  const [status, error] = REFUSALS[code];
  return json(status, { error, code, ...(previous && { previous }) });
}

/** The code in a peer's refusal, if it is one of ours: nothing else of its text goes on. */
export function refusalCodeOf(code: unknown): RefusalCode | undefined {
  return typeof code === "string" && Object.hasOwn(REFUSALS, code) ? (code as RefusalCode) : undefined;
}
