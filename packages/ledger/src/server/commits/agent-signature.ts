import type { Verifier } from "@darkmatter/identity";
import { envelopeText, isSignature, keyOfPem } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { serverError } from "../errors.ts";
import { statusAt } from "../keys/agent-key.ts";
import { findAgentKey } from "../keys/agent-keys.store.ts";
import type { CommitDraft, SignatureStatus } from "./commit.ts";
import type { SentClaims } from "./commit-request.ts";
import { draftEnvelope } from "./new-commit.ts";

/** What a signature over the envelope is found to be, and what is kept of it. */
export interface AgentSignature {
  readonly status: SignatureStatus;
  readonly kept: { readonly agentSignature?: string; readonly agentPublicKey?: string };
  readonly warnings: readonly string[];
}

const NO_SIGNATURE: AgentSignature = { status: "none", kept: {}, warnings: [] };

/**
 * Checks an agent's signature over the canon-1 of the envelope as it was sent (ledger.md 2.7). It counts only by a key
 * that is registered for agent and key id and in force when the commit is accepted: not by one that comes along with it.
 * @throws signature_invalid
 */
export async function checkAgentSignature(
  { db, verifier }: { readonly db: Read; readonly verifier: Verifier },
  { signature, publicKey: pem, envelope }: SentClaims,
  draft: CommitDraft,
): Promise<AgentSignature> {
  if (signature === undefined) return NO_SIGNATURE;
  if (!isSignature(signature))
    throw serverError("signature_invalid", "The signature is not 128 hex characters.");
  if (!envelope) throw serverError("signature_invalid", "A signature comes with the `envelope` it is over.");
  const inline = pem === undefined ? undefined : keyInPem(pem);
  const registered = await findAgentKey(db, draft.agent, draft.keyId);
  const isInForce = registered !== undefined && statusAt(registered, draft.acceptedMs) === "active";
  const publicKey = inline ?? registered?.publicKey;
  const kept = { agentSignature: signature, ...(pem !== undefined && { agentPublicKey: pem }) };
  if (publicKey === undefined) return { status: "no_key", kept, warnings: ["signature: no_key"] };
  if (!(await verifier.verify(publicKey, envelope.canon1, signature))) throw serverError("signature_invalid");
  if (envelope.canon1 !== envelopeText(draftEnvelope(draft)))
    return { status: "envelope_mismatch", kept, warnings: ["signature: envelope_mismatch"] };
  if (!isInForce || registered.publicKey !== publicKey)
    return { status: "unregistered_key", kept, warnings: ["signature: unregistered_key"] };
  return { status: "valid", kept, warnings: [] };
}

/** Line ends of other systems, and a missing last one, are no other key. @throws signature_invalid */
function keyInPem(pem: string): string {
  const key = keyOfPem(`${pem.replaceAll("\r", "").trim()}\n`);
  if (key === undefined)
    throw serverError("signature_invalid", "The agent's public key is not an Ed25519 key in PEM.");
  return key;
}
