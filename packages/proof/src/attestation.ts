import {
  canonE,
  type ExactJson,
  type ExactObject,
  isAdmissibleKey,
  sha256Hex,
  toHex,
} from "@darkmatter/core";
import { base64UrlBytes } from "./base64.ts";
import { prefixed } from "./chain.ts";
import type { VerifySignature } from "./signatures.ts";

const ALGORITHM = "Ed25519";
const VERSION = "dm-envelope-v1";
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** What a client attests with a key of its own (ledger.md 2.8). Hashes are prefixed. */
export interface AttestationEnvelope {
  readonly agent_id: string;
  /** Verbatim. */
  readonly client_timestamp: string;
  /** Only when claimed. */
  readonly completeness_claim?: boolean | undefined;
  readonly key_id: string;
  readonly metadata_hash: string | null;
  readonly parent_id: string | null;
  readonly payload_hash: string;
}

/** The canon-E text of an attestation's envelope: what its signature covers. */
export function attestationText(envelope: AttestationEnvelope): string {
  const { agent_id, client_timestamp, completeness_claim, key_id, metadata_hash, parent_id, payload_hash } =
    envelope;
  const claim = completeness_claim === undefined ? {} : { completeness_claim };
  // In the order of their names: then this is canon-E.
  return JSON.stringify({
    agent_id,
    algorithm: ALGORITHM,
    client_timestamp,
    ...claim,
    key_id,
    metadata_hash,
    parent_id,
    payload_hash,
    version: VERSION,
  });
}

/** H(canon-E of a payload or of metadata), prefixed: as attestations name them. */
export function attestedHash(value: ExactJson): string {
  return prefixed(sha256Hex(canonE(value)));
}

/** Why an attestation does not hold, where the client's key is registered nowhere. */
export type AttestationFailure =
  | "envelope_hash_mismatch"
  | "invalid_public_key"
  | "invalid_signature"
  | "invalid_signature_format"
  | "metadata_hash_mismatch"
  | "missing_public_key"
  | "payload_hash_mismatch"
  | "unsupported_algorithm";

/** The commit as the verifier knows it, whatever the attestation says of it. */
export interface AttestedCommit {
  readonly agentId: string;
  readonly parentId: string | null;
  /** `null` when none is made. */
  readonly completenessClaim: boolean | null;
  /** `undefined` when it was pruned: its hash is then taken as attested. */
  readonly payload: ExactJson | undefined;
  /** `undefined` when there is none: the existing SDK attests an empty one as `{}`. */
  readonly metadata: ExactObject | undefined;
}

/** Why an attestation of this commit does not hold; `undefined` when it does (ledger.md 2.8). */
export async function verifyAttestation(
  attestation: ExactObject,
  commit: AttestedCommit,
  verify: VerifySignature,
): Promise<AttestationFailure | undefined> {
  const signed = signedParts(attestation);
  if (typeof signed === "string") return signed;
  const envelope = rebuiltEnvelope(attestation, commit);
  if (typeof envelope === "string") return envelope;
  const text = attestationText(envelope);
  if (attestation.get("envelope_hash") !== prefixed(sha256Hex(text))) return "envelope_hash_mismatch";
  return (await verify(signed.publicKey, text, signed.signature)) ? undefined : "invalid_signature";
}

function signedParts(
  attestation: ExactObject,
): AttestationFailure | { publicKey: string; signature: string } {
  if (attestation.get("algorithm") !== ALGORITHM || attestation.get("version") !== VERSION) {
    return "unsupported_algorithm";
  }
  if (!attestation.has("public_key")) return "missing_public_key";
  const publicKey = base64UrlBytes(attestation.get("public_key"), KEY_BYTES);
  if (!publicKey || !isAdmissibleKey(toHex(publicKey))) return "invalid_public_key";
  const signature = base64UrlBytes(attestation.get("signature"), SIGNATURE_BYTES);
  if (!signature) return "invalid_signature_format";
  return { publicKey: toHex(publicKey), signature: toHex(signature) };
}

/** The envelope from the commit's own facts; what the attestation repeats of them has to agree. */
function rebuiltEnvelope(
  attestation: ExactObject,
  { agentId, completenessClaim, metadata, parentId, payload }: AttestedCommit,
): AttestationFailure | AttestationEnvelope {
  const stated = (name: string) => attestation.get(name);
  const payloadHash = payload === undefined ? stated("payload_hash") : attestedHash(payload);
  if (typeof payloadHash !== "string" || stated("payload_hash") !== payloadHash) {
    return "payload_hash_mismatch";
  }
  const metadataHash = stated("metadata_hash");
  const isNone = metadataHash === null && metadata === undefined;
  if (!isNone && metadataHash !== attestedHash(metadata ?? new Map())) return "metadata_hash_mismatch";

  const [timestamp, keyId, claim] = ["client_timestamp", "key_id", "completeness_claim"].map(stated);
  const isWhole =
    typeof timestamp === "string" &&
    typeof keyId === "string" &&
    (claim === undefined || typeof claim === "boolean") &&
    (claim ?? null) === completenessClaim &&
    stated("agent_id") === agentId &&
    stated("parent_id") === parentId;
  if (!isWhole) return "envelope_hash_mismatch";
  return {
    agent_id: agentId,
    client_timestamp: timestamp,
    completeness_claim: claim,
    key_id: keyId,
    metadata_hash: metadataHash,
    parent_id: parentId,
    payload_hash: payloadHash,
  };
}
