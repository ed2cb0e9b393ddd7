import { canon1OfText, DarkMatterError, readExactJson, readExactObject } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { type AttestationFailure, envelopeText, keyOfPem, verifyAttestation } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { StoredCommit } from "../commits/commit.ts";
import { envelopeOf } from "../commits/passport.ts";
import { base64UrlOf } from "../keys/admission.ts";
import { type AgentKey, statusAt } from "../keys/agent-key.ts";
import { findAgentKey } from "../keys/agent-keys.store.ts";
import { findSigningKey } from "../keys/signing-keys.store.ts";

/** What an agent's signature is found to be when it is looked at again (ledger.md 2.7). */
export type SignatureResult =
  | "valid"
  | "none"
  | "no_key"
  | "invalid"
  | "envelope_mismatch"
  | "unregistered_key"
  | "revoked_key"
  | "revoked_post_commit";

export interface SignatureFinding {
  readonly result: SignatureResult;
  /** Signed by this key, over the envelope that is stored: what an export may show as the agent's signature. 64 hex. */
  readonly publicKey: string | undefined;
  /** What is to be known beside the result. */
  readonly note?: string;
  /** Whether it is what was found when the commit was accepted. */
  readonly holds: boolean;
}

/** Results that make a signature count as the agent's. */
export const VERIFIED: ReadonlySet<SignatureResult> = new Set(["valid", "revoked_post_commit"]);

export interface ClientProofs {
  signature(commit: StoredCommit): Promise<SignatureFinding>;
  /** `undefined` where there is no attestation; `null` where it holds. */
  attestation(commit: StoredCommit): Promise<AttestationFailure | "unknown_key_id" | null | undefined>;
}

/** Looks again at what clients signed. Keys are read once per agent and id: a chain has few. */
export function createClientProofs(read: Read, verifier: Verifier): ClientProofs {
  const agentKey = remembered((agent: string, keyId: string) => findAgentKey(read, agent, keyId));
  const signingKey = remembered((account: number, keyId: string) => findSigningKey(read, account, keyId));

  async function signature(commit: StoredCommit): Promise<SignatureFinding> {
    const { claims } = commit;
    const found = (await legible(() => signatureOf(commit))) ?? { result: "invalid", publicKey: undefined };
    const isCounted = VERIFIED.has(found.result);
    const holds =
      found.result !== "invalid" &&
      (claims.signatureStatus === "valid") === isCounted &&
      (claims.signatureStatus === "none") === (found.result === "none");
    return { ...found, holds };
  }

  async function signatureOf(commit: StoredCommit): Promise<Omit<SignatureFinding, "holds">> {
    const { agentSignature, agentPublicKey, envelope } = commit.claims;
    if (agentSignature === undefined) return { result: "none", publicKey: undefined };
    const known = await agentKey(commit.agent, commit.keyId);
    const registered = known && isLater(known, commit) ? undefined : known;
    const status = registered && statusAt(registered, commit.acceptedMs);
    const inline =
      agentPublicKey === undefined ? undefined : keyOfPem(`${agentPublicKey.replaceAll("\r", "").trim()}\n`);
    const publicKey = inline ?? registered?.publicKey;
    if (publicKey === undefined) return { result: "no_key", publicKey };
    const stored = envelopeText(envelopeOf(commit));
    const signed = envelope === undefined ? stored : canon1OfText(envelope);
    if (!(await verifier.verify(publicKey, signed, agentSignature)))
      return { result: "invalid", publicKey: undefined };
    if (signed !== stored) return { result: "envelope_mismatch", publicKey: undefined };
    if (registered?.publicKey === publicKey && status === "revoked")
      return { result: "revoked_key", publicKey };
    if (registered?.publicKey !== publicKey || status !== "active")
      return { result: "unregistered_key", publicKey };
    if (registered.revokedMs === null) return { result: "valid", publicKey };
    const note = `the key was revoked later: ${registered.revocationReason ?? "no reason given"}`;
    return { result: "revoked_post_commit", publicKey, note };
  }

  async function attestationOf(commit: StoredCommit): ReturnType<ClientProofs["attestation"]> {
    const { attestation: text, metadata, completenessClaim, clientSigned } = commit.claims;
    if (text === undefined) return clientSigned ? "missing_public_key" : undefined;
    const attested = readExactObject(text);
    const failure = await verifyAttestation(
      attested,
      {
        agentId: commit.agent,
        parentId: commit.parentId,
        completenessClaim,
        payload: commit.payload === null ? undefined : readExactJson(commit.payload),
        metadata: metadata === undefined ? undefined : readExactObject(metadata),
      },
      verifier.verify,
    );
    if (failure !== undefined) return failure;
    if (!clientSigned) return null;
    const keyId = attested.get("key_id");
    const registered = typeof keyId === "string" ? await signingKey(commit.account, keyId) : undefined;
    const wasGood =
      registered !== undefined &&
      attested.get("public_key") === base64UrlOf(registered.publicKey) &&
      (registered.revokedMs ?? Number.POSITIVE_INFINITY) > commit.acceptedMs;
    return wasGood ? null : "unknown_key_id";
  }

  return {
    signature,
    async attestation(commit) {
      const found = await legible(async () => ({ failure: await attestationOf(commit) }));
      return found ? found.failure : "invalid_signature";
    },
  };
}

/** `undefined` where a text is no JSON any more: it was when it was kept. */
async function legible<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof DarkMatterError && error.status === 400) return undefined;
    throw error;
  }
}

/** Registered after the commit was accepted, be it within that millisecond: it says nothing about its signature. */
function isLater({ validFromMs }: AgentKey, { acceptedMs, claims }: StoredCommit): boolean {
  return validFromMs > acceptedMs || (validFromMs === acceptedMs && claims.signatureStatus === "no_key");
}

function remembered<A, B, T>(find: (a: A, b: B) => Promise<T>): (a: A, b: B) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (a, b) => {
    const name = JSON.stringify([a, b]);
    const found = known.get(name) ?? find(a, b);
    known.set(name, found);
    return found;
  };
}
