import { type SignedCheckpoint, spkiPem } from "@darkmatter/proof";
import type { WitnessSignature } from "../../checkpoints/checkpoints.ts";
import type { LogKeys } from "./log-keys.ts";

/** The log's keys as everybody may have them. */
export function shownKeys({ current, former }: LogKeys) {
  return {
    algorithm: "Ed25519",
    public_key: spkiPem(current),
    previous: former.map(({ publicKey, validUntil }) => ({
      public_key: spkiPem(publicKey),
      valid_until: validUntil,
    })),
  };
}

/** A checkpoint and who else signed it, as exports and published files have them. */
export function shownCheckpoint(checkpoint: SignedCheckpoint, signatures: readonly WitnessSignature[]) {
  return {
    ...checkpoint,
    witness_signatures: signatures.map((one) => ({
      witness_id: one.witnessId,
      witness_name: one.name,
      witness_sig: one.signature,
      witnessed_at: one.witnessedAt,
      sig_valid: true,
      public_key_pem: spkiPem(one.agentId),
    })),
    witness_count: signatures.length,
  };
}
