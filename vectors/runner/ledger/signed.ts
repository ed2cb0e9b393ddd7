import { canon1, exactOf, type Json, type JsonObject, readExactObject, sha256Hex } from "@darkmatter/core";
import { createSigner, createVerifier } from "@darkmatter/identity";
import {
  type AttestedCommit,
  attestationText,
  attestedHash,
  type Checkpoint,
  checkpointText,
  keyOfPem,
  logRootAfter,
  prefixed,
  signedCheckpointOf,
  verifyAttestation,
  verifyCheckpoint,
  witnessId,
} from "@darkmatter/proof";
import { type Findings, type Outcome, ran } from "../outcome.ts";

const verifier = createVerifier({ threads: "never" });

interface AttestationCase {
  readonly signing_seed_hex: string;
  readonly payload_json: string;
  readonly metadata_json: string | null;
  readonly parent_id: string | null;
  readonly completeness_claim: boolean | null;
  readonly agent_id: string;
  readonly envelope_canonical: string;
  readonly client_attestation: JsonObject;
}

/** What clients attest with keys of their own: made byte for byte, and told from what is none (ledger.md 2.8). */
export async function* attestation(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: AttestationCase[] };
  for (const one of cases) {
    const stated = one.client_attestation;
    const commit: AttestedCommit = {
      agentId: one.agent_id,
      parentId: one.parent_id,
      completenessClaim: one.completeness_claim,
      payload: readExactObject(one.payload_json),
      metadata: one.metadata_json === null ? undefined : readExactObject(one.metadata_json),
    };
    const failureOf = (changes: JsonObject, facts: Partial<AttestedCommit> = {}) =>
      verifyAttestation(
        readExactObject(canon1(exactOf({ ...stated, ...changes }))),
        { ...commit, ...facts },
        verifier.verify,
      );
    yield ran(`${stated.key_id}`, async (found) => {
      signs(found, one, commit);
      found.equal("failure", await failureOf({}), undefined);
      const other = readExactObject('{"another":true}');
      found.equal("of another payload", await failureOf({}, { payload: other }), "payload_hash_mismatch");
      found.equal("under another id", await failureOf({}, { agentId: "dm_1" }), "envelope_hash_mismatch");
      const later = { client_timestamp: "2026-05-01T10:00:09.000Z" };
      found.equal("of another time", await failureOf(later), "envelope_hash_mismatch");
      const signature = `A${String(stated.signature).slice(1, -1)}A`;
      found.equal("with another signature", await failureOf({ signature }), "invalid_signature");
    });
  }
}

function signs(found: Findings, one: AttestationCase, commit: AttestedCommit): void {
  const stated = one.client_attestation;
  const text = attestationText({
    agent_id: commit.agentId,
    client_timestamp: String(stated.client_timestamp),
    completeness_claim: one.completeness_claim ?? undefined,
    key_id: String(stated.key_id),
    metadata_hash: commit.metadata ? attestedHash(commit.metadata) : null,
    parent_id: commit.parentId,
    payload_hash: attestedHash(commit.payload ?? null),
  });
  found.equal("envelope", text, one.envelope_canonical);
  found.equal("envelope hash", prefixed(sha256Hex(text)), stated.envelope_hash);
  const signature = createSigner(one.signing_seed_hex).sign(text);
  found.equal("signature", Buffer.from(signature, "hex").toString("base64url"), stated.signature);
}

interface CheckpointDocument {
  readonly server_seed_hex: string;
  readonly server_public_key: string;
  readonly witness_seed_hex: string;
  readonly witness_public_key: string;
  readonly cases: ReadonlyArray<{
    readonly envelope: Checkpoint;
    readonly canonical: string;
    readonly server_sig: string;
    readonly witness_id: string;
    readonly witness_sig: string;
  }>;
  readonly log_roots: ReadonlyArray<{
    readonly position: number;
    readonly integrity_hash: string;
    readonly previous_log_root: string | null;
    readonly log_root: string;
  }>;
}

/** Checkpoints with their signatures and witnesses, and the log's running root (ledger.md 2.10). */
export async function* checkpoint(document: Json): AsyncIterable<Outcome> {
  const { cases, log_roots, ...keys } = document as unknown as CheckpointDocument;
  const [server, witness] = [createSigner(keys.server_seed_hex), createSigner(keys.witness_seed_hex)];
  yield ran("the keys", (found) => {
    found.equal("server", keyOfPem(keys.server_public_key), server.agentId);
    found.equal("witness", keyOfPem(keys.witness_public_key), witness.agentId);
  });
  for (const one of cases) {
    yield ran(one.envelope.checkpoint_id, async (found) => {
      const text = checkpointText(one.envelope);
      found.equal("text", text, one.canonical);
      found.equal("server_sig", server.sign(text), one.server_sig);
      found.equal("witness_sig", witness.sign(text), one.witness_sig);
      found.equal("witness_id", witnessId(witness.agentId), one.witness_id);
      const { server_sig, envelope } = one;
      const whole = signedCheckpointOf({ ...envelope, server_sig, position: envelope.log_position });
      const isValid = whole && (await verifyCheckpoint(whole, server.agentId, verifier.verify));
      found.equal("signature verifies", isValid, true);
      const isWitnessed = await verifier.verify(witness.agentId, text, one.witness_sig);
      found.equal("witness signature verifies", isWitnessed, true);
    });
  }
  for (const { position, integrity_hash, previous_log_root, log_root } of log_roots) {
    yield ran(`log root ${position}`, (found) =>
      found.equal("log root", logRootAfter(previous_log_root, integrity_hash), log_root),
    );
  }
}
