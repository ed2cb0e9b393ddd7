import { canon1OfJson, type Json, type JsonObject, type Random, sha256Hex, toHex } from "@darkmatter/core";
import { envelopeText, exportChainHash, prefixed } from "../chain.ts";
import { checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { spkiPem, witnessId } from "../keys.ts";
import { consistencyProof, inclusionProof } from "../merkle.ts";
import type { TestKey } from "./keys.ts";
import { millisecondsText, type TestCommit, type TestLog } from "./test-log.ts";

/** What a test's node knows of others, beside its own log. */
export interface Surroundings {
  /** Those who witness its checkpoints. */
  readonly witnesses: readonly TestLog[];
  /** What it signed for others: the last checkpoint of each. */
  readonly witnessed: readonly { readonly agentId: string; readonly checkpoint: SignedCheckpoint }[];
  readonly evidence: readonly {
    readonly agentId: string;
    readonly first: SignedCheckpoint;
    readonly second: SignedCheckpoint;
  }[];
}

export interface ExportOptions extends Partial<Surroundings> {
  readonly trace: string;
  /** Whether a field is shown. Default: every one. */
  readonly discloses?: (commit: TestCommit, name: string) => boolean;
  readonly covered?: boolean;
  readonly random: Random;
  /** Seconds since 1970. */
  readonly now: number;
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** One conversation out of a log, as docs/proof.md section 3 has it. */
export async function exportBundle(log: TestLog, options: ExportOptions): Promise<JsonObject> {
  const { trace, random, now, discloses = () => true, covered = true } = options;
  const { witnesses = [], witnessed = [], evidence = [] } = options;
  const chain = log.commits.filter((commit) => commit.trace === trace);
  const [root, tip] = [chain[0], chain.at(-1)];
  if (!root || !tip) throw new RangeError(`nothing of ${trace}`);
  const checkpoint = covered ? log.checkpoints.find(({ tree_size }) => tree_size > tip.position) : undefined;
  const level = checkpoint && witnesses.length > 0 ? "L2" : "L1";
  const passports = chain.map((commit) => passportOf(log, commit, root, level));
  const earlier = log.checkpoints.filter(
    ({ tree_size }) => checkpoint && tree_size < checkpoint.tree_size && tree_size > root.position,
  );
  const unsealed: JsonObject = {
    _spec: spec(),
    metadata: {
      export_version: "1.0",
      export_id: `bundle_${now * 1000}_${toHex(random.bytes(4))}`,
      ctx_id: tip.id,
      lineage_root: root.id,
      chain_length: chain.length,
      trace_id: trace,
      exported_at: millisecondsText(now),
      exported_by: log.key.id,
    },
    integrity: summaryOf(chain, root, tip),
    chain: passports,
    commits: await Promise.all(
      chain.map(async (commit, at) => ({
        ...passports[at]!,
        ...(await flatMembers(log, commit, checkpoint)),
      })),
    ),
    checkpoint: checkpoint
      ? plain({
          ...checkpoint,
          witness_signatures: witnesses.map((witness) => signatureOf(witness, checkpoint, now)),
          witness_count: witnesses.length,
        })
      : null,
    server_pubkey: {
      algorithm: "Ed25519",
      public_key: spkiPem(log.key.id),
      use: "checkpoint",
      pubkey_url: null,
    },
    log: `mesh/${log.key.id}`,
    consistency: await Promise.all(
      earlier.map(async (one) => ({
        checkpoint: plain(one),
        witness_signatures: witnesses.map((witness) => signatureOf(witness, one, now)),
        proof: await consistencyProof(log.readNode, one.tree_size, checkpoint?.tree_size ?? 0),
      })),
    ),
    disclosures: chain.flatMap((commit) => disclosuresOf(commit, discloses)),
    witnessed: witnessed.map(({ agentId, checkpoint: theirs }) => ({
      agent_id: agentId,
      checkpoint: plain(theirs),
      witness_sig: log.key.sign(checkpointText(theirs)),
      witnessed_at: millisecondsText(now),
    })),
    evidence: evidence.map(({ agentId, first, second }) => plain({ agent_id: agentId, first, second })),
  };
  return sealed(unsealed, log.key);
}

/** Writes the exporter's signature and the hash anew: what a malicious exporter does after a change. */
export function sealed(bundle: JsonObject, key: TestKey): JsonObject {
  const { export_hash: _, export_sig: __, ...unsealed } = bundle;
  const signed = {
    ...unsealed,
    export_sig: key.sign(`darkmatter.export.v1\n${sha256Hex(canon1OfJson(unsealed))}`),
  };
  return { ...signed, export_hash: prefixed(sha256Hex(canon1OfJson(signed))) };
}

function spec(): JsonObject {
  return {
    bundle_version: "3.0",
    spec_url: "docs/proof.md",
    verifier_url: "interop/verify.py",
    verify_command: "darkmatter verify FILE",
    phases: ["format", "export_hash"],
  };
}

function summaryOf(chain: readonly TestCommit[], root: TestCommit, tip: TestCommit): JsonObject {
  const [root_hash, tip_hash] = [prefixed(root.scheme1), prefixed(tip.scheme1)];
  const chain_hash = exportChainHash({
    chain_ids: chain.map(({ id }) => id),
    chain_length: chain.length,
    ctx_id: tip.id,
    lineage_root: root.id,
    ...{ root_hash, tip_hash },
  });
  return {
    ...{ chain_intact: true, algorithm: "sha256", root_hash, tip_hash, chain_hash },
    timestamp_range: { from: root.time, to: tip.time },
  };
}

function passportOf(log: TestLog, commit: TestCommit, root: TestCommit, level: string): JsonObject {
  const { act, envelope, hash, id, parent, payload, payloadHash, peer, scheme1, time, trace } = commit;
  return {
    $schema: "schema/context-passport/v1.json",
    schema_version: "1.0",
    id,
    parent_id: parent?.id ?? null,
    trace_id: trace,
    branch_key: "main",
    created_by: {
      agent_id: log.key.id,
      agent_name: log.name,
      role: null,
      provider: "darkmatter",
      model: null,
    },
    event: { type: "commit", label: act, to_agent_id: peer, to_agent_name: null, timestamp: time },
    payload,
    integrity: {
      payload_hash: prefixed(payloadHash),
      integrity_hash: prefixed(scheme1),
      parent_hash: parent && prefixed(parent.scheme1),
      verification_status: "valid",
      verification_reason: null,
      verified_at: millisecondsText(Date.parse(time) / 1000),
    },
    lineage: { fork_of: null, fork_point: null, lineage_root: root.id },
    created_at: time.replace("Z", ".250Z"),
    assurance_level: level,
    completeness_claim: null,
    integrity_v2: {
      payload_hash: prefixed(payloadHash),
      integrity_hash: prefixed(hash),
      parent_integrity_hash: parent?.hash ?? "root",
      key_id: "default",
      envelope: plain(envelope),
      client_match: null,
      signature_status: "valid",
    },
  };
}

async function flatMembers(
  log: TestLog,
  commit: TestCommit,
  checkpoint: SignedCheckpoint | undefined,
): Promise<JsonObject> {
  const { envelope, hash, leaf, payloadHash, position, time, treeRoot } = commit;
  const included = async (size: number) => ({
    leaf_index: position,
    tree_size: size,
    proof: plain(await inclusionProof(log.readNode, position, size)),
  });
  return {
    agent_id: log.key.id,
    key_id: "default",
    timestamp: time,
    payload_hash: prefixed(payloadHash),
    integrity_hash: prefixed(hash),
    parent_integrity_hash: envelope.parent_integrity_hash,
    agent_signature: log.key.sign(envelopeText(envelope)),
    agent_public_key: spkiPem(log.key.id),
    _proof: {
      log_position: position,
      leaf_hash: leaf,
      tree_root: treeRoot,
      tree_size: position + 1,
      accepted_at: time,
      client_timestamp: time,
      inclusion_proof: await included(position + 1),
      proof_status: checkpoint ? "checkpointed" : "included",
      ...{ pubkey_url: null, checkpoint_url: null, verify_url: null },
      checkpoint_inclusion: checkpoint
        ? {
            checkpoint_id: checkpoint.checkpoint_id,
            tree_root: checkpoint.tree_root,
            ...(await included(checkpoint.tree_size)),
          }
        : null,
    },
  };
}

function signatureOf({ key, name }: TestLog, checkpoint: SignedCheckpoint, now: number): JsonObject {
  return {
    witness_id: witnessId(key.id),
    witness_name: name,
    witness_sig: key.sign(checkpointText(checkpoint)),
    witnessed_at: millisecondsText(now),
    sig_valid: true,
    public_key_pem: spkiPem(key.id),
  };
}

function disclosuresOf(
  commit: TestCommit,
  discloses: (commit: TestCommit, name: string) => boolean,
): JsonObject[] {
  const names = Object.keys(commit.fields).filter((name) => discloses(commit, name));
  return names.sort().map((name) => ({
    commit: commit.hash,
    name,
    salt: commit.salts[name]!,
    value: commit.fields[name]!,
  }));
}
