import { FRESH_WITHIN_MS, parseTime, readExactJson, readExactObject, writeExactJson } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { type AttestationFailure, verifyAttestation } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { base64UrlOf, KeyId } from "../keys/admission.ts";
import { findSigningKey } from "../keys/signing-keys.store.ts";
import type { CommitDraft } from "./commit.ts";
import type { SentClaims } from "./commit-request.ts";
import { attestationFailed } from "./refusals.ts";

/** What a client's attestation is found to be, and what is kept of it. */
export interface ClientAttestation {
  /** It holds by a key that is registered and not revoked. */
  readonly isRegistered: boolean;
  readonly isSkewed: boolean;
  /** The whole of it, in JSON. */
  readonly kept: { readonly attestation?: string };
  readonly warnings: readonly string[];
}

const NO_ATTESTATION: ClientAttestation = { isRegistered: false, isSkewed: false, kept: {}, warnings: [] };

type Failure = AttestationFailure | "unknown_key_id" | "revoked_key" | "public_key_mismatch";

/**
 * Checks a client's attestation against the server's own facts (ledger.md 2.8).
 * @throws a refusal with the reason, of those that the ledger's clients know
 */
export async function checkClientAttestation(
  { db, verifier }: { readonly db: Read; readonly verifier: Verifier },
  { attestation: sent, metadata, completeness }: SentClaims,
  draft: CommitDraft,
): Promise<ClientAttestation> {
  if (!sent) return NO_ATTESTATION;
  const asSent = readExactObject(sent.text);
  const keyId = KeyId.safeParse(asSent.get("key_id"));
  const registered = keyId.success ? await findSigningKey(db, draft.account, keyId.data) : undefined;
  const inline = asSent.get("public_key") ?? null;
  const ours = registered && base64UrlOf(registered.publicKey);
  if (registered?.status === "revoked") throw refusal("revoked_key");
  if (ours !== undefined && inline !== null && inline !== ours) throw refusal("public_key_mismatch");
  if (ours === undefined && inline === null)
    throw refusal(asSent.has("key_id") ? "unknown_key_id" : "missing_public_key");
  // With its key beside it, whoever holds the commit can check it.
  const attestation = inline === null ? new Map(asSent).set("public_key", ours ?? null) : asSent;
  const failure = await verifyAttestation(
    attestation,
    {
      agentId: draft.agent,
      parentId: draft.parent?.id ?? null,
      completenessClaim: completeness ?? null,
      payload: readExactJson(draft.payload),
      metadata: metadata && readExactObject(metadata.text),
    },
    (publicKey, text, signature) => verifier.verify(publicKey, text, signature),
  );
  if (failure !== undefined) throw refusal(failure);
  return {
    isRegistered: registered !== undefined,
    isSkewed: isSkewed(attestation.get("client_timestamp"), draft.acceptedMs),
    kept: { attestation: inline === null ? writeExactJson(attestation) : sent.text },
    warnings: registered === undefined ? ["attestation: unregistered_key"] : [],
  };
}

const refusal = (reason: Failure) => attestationFailed(reason);

/** What is no time at all is as far off as a time can be. */
function isSkewed(timestamp: unknown, nowMs: number): boolean {
  const at = typeof timestamp === "string" ? parseTime(timestamp) : undefined;
  return at === undefined || Math.abs(nowMs - at) > FRESH_WITHIN_MS;
}
