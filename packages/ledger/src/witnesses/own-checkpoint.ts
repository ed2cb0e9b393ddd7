import {
  type SignedCheckpoint,
  type VerifySignature,
  verifyCheckpoint,
  verifyNodeCheckpoint,
} from "@darkmatter/proof";
import type { LedgerPeer } from "../ports.ts";

/** Whether a log signed a checkpoint as its own. */
export function isOwnCheckpoint(
  checkpoint: SignedCheckpoint,
  { agentId, namesLog }: Pick<LedgerPeer, "agentId" | "namesLog">,
  verify: VerifySignature,
): Promise<boolean> {
  return (namesLog ? verifyNodeCheckpoint : verifyCheckpoint)(checkpoint, agentId, verify);
}
