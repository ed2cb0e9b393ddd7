import type { StoredCommit } from "../commits/commit.ts";
import { type Soundness, soundnessOf } from "../commits/passport.ts";
import type { ClientProofs, SignatureFinding } from "./client-proofs.ts";

/** What looking again at a commit's own row shows: its hashes, and what its client signed. */
export interface Findings extends Soundness {
  readonly signature: SignatureFinding;
  /** `undefined` where there is none; `null` where it holds. */
  readonly attestation: string | null | undefined;
  /** An attestation by a registered key holds: found, not only said by the row. */
  readonly isClientSigned: boolean;
}

/** Looks at one commit. Its links, and its place in the log, are for whoever walks the chain. */
export async function findingsOf(commit: StoredCommit, proofs: ClientProofs): Promise<Findings> {
  const soundness = soundnessOf(commit);
  const signature = await proofs.signature(commit);
  const attestation = await proofs.attestation(commit);
  const fault =
    (signature.holds ? null : `the agent's signature is ${signature.result}`) ??
    (attestation ? `the client's attestation does not hold: ${attestation}` : null);
  const isClientSigned = commit.claims.clientSigned && attestation === null;
  const found = { ...soundness, signature, attestation, isClientSigned };
  if (fault === null || soundness.status === "broken") return found;
  return { ...found, status: "broken", reason: fault };
}
