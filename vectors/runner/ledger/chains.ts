import { canon1, type Json, legacyText, readExactObject, sha256Hex } from "@darkmatter/core";
import { createSigner, createVerifier } from "@darkmatter/identity";
import {
  bare,
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  type ExportChain,
  envelopeText,
  envelopeTime,
  exportChainHash,
  keyOfPem,
  prefixed,
  spkiPem,
} from "@darkmatter/proof";
import { type Findings, type Outcome, ran } from "../outcome.ts";

interface Hashes {
  readonly payload_hash: string;
  readonly integrity_hash: string;
}

interface V1Step extends Hashes {
  readonly json: string;
  readonly parent_hash: string | null;
  readonly hashed_text: string;
  readonly seed_server: Hashes;
}

/** Scheme 1, and what the first servers hashed instead (ledger.md 2.4 and 2.6). */
export async function* chainV1(document: Json): AsyncIterable<Outcome> {
  const { chains } = document as unknown as {
    chains: { name: string; steps: V1Step[]; bundle_chain_hash: string }[];
  };
  for (const { name, steps, bundle_chain_hash } of chains) {
    let parent: string | null = null;
    let seedParent: string | null = null;
    for (const [at, step] of steps.entries()) {
      const before = { parent, seedParent };
      yield ran(`${name} step ${at}`, (found) => v1Step(found, step, before));
      parent = bare(step.integrity_hash) ?? null;
      seedParent = bare(step.seed_server.integrity_hash) ?? null;
    }
    yield ran(`${name} as a whole`, (found) => {
      const all = steps.map(({ integrity_hash: hash }) => bare(hash)).join("");
      found.equal("hash of all", prefixed(sha256Hex(all)), bundle_chain_hash);
    });
  }
}

function v1Step(
  found: Findings,
  step: V1Step,
  { parent, seedParent }: { parent: string | null; seedParent: string | null },
): void {
  const payload = readExactObject(step.json);
  const payloadHash = sha256Hex(canon1(payload));
  found.equal("payload hash", prefixed(payloadHash), step.payload_hash);
  found.equal("parent hash", parent && prefixed(parent), step.parent_hash);
  found.equal("integrity hash", prefixed(chainHashV1(payloadHash, parent)), step.integrity_hash);
  found.equal("hash of the text", prefixed(sha256Hex(step.hashed_text)), step.integrity_hash);
  const seedHash = sha256Hex(legacyText(payload));
  const seed = step.seed_server;
  found.equal("the first servers' payload hash", prefixed(seedHash), seed.payload_hash);
  found.equal(
    "the first servers' integrity hash",
    prefixed(chainHashV1(seedHash, seedParent)),
    seed.integrity_hash,
  );
}

interface V2Step extends Hashes {
  readonly json: string;
  readonly agent_id: string;
  readonly key_id: string;
  readonly timestamp_in: string;
  readonly canonical: string;
  readonly agent_signature_hex: string;
}

/** Scheme 2: the commit envelope, its hash and its signature (ledger.md 2.5 and 2.7). */
export async function* chainV2(document: Json): AsyncIterable<Outcome> {
  const { chains, public_key_pem, signing_seed_hex } = document as unknown as {
    chains: { name: string; steps: V2Step[] }[];
    public_key_pem: string;
    signing_seed_hex: string;
  };
  const signer = createSigner(signing_seed_hex);
  const verifier = createVerifier({ threads: "never" });
  yield ran("the key", (found) => {
    found.equal("key of the PEM", keyOfPem(public_key_pem), signer.agentId);
    found.equal("PEM of the key", spkiPem(signer.agentId), public_key_pem);
  });
  for (const { name, steps } of chains) {
    let parent: string | null = null;
    for (const [at, step] of steps.entries()) {
      const parentIntegrityHash: string | null = parent;
      yield ran(`${name} step ${at}`, async (found) => {
        const text = v2Text(step, parentIntegrityHash);
        found.equal("envelope", text, step.canonical);
        found.equal("integrity hash", chainHashV2(text), step.integrity_hash);
        found.equal("signature", signer.sign(text), step.agent_signature_hex);
        const isValid = await verifier.verify(signer.agentId, text, step.agent_signature_hex);
        found.equal("signature verifies", isValid, true);
      });
      parent = step.integrity_hash;
    }
  }
}

function v2Text(step: V2Step, parentIntegrityHash: string | null): string {
  const envelope = commitEnvelope({
    agentId: step.agent_id,
    keyId: step.key_id,
    timestamp: envelopeTime(step.timestamp_in)?.time ?? "",
    payloadHash: sha256Hex(canon1(readExactObject(step.json))),
    parentIntegrityHash,
  });
  return envelopeText(envelope);
}

/** The hash over the ends and the ids of an exported chain (ledger.md 3.5). */
export async function* exportedChainHash(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as {
    cases: { stable: ExportChain; canonical: string; chain_hash: string }[];
  };
  for (const { stable, canonical, chain_hash } of cases) {
    yield ran(stable.ctx_id, (found) => {
      found.equal("chain hash", exportChainHash(stable), chain_hash);
      found.equal("hash of the text", prefixed(sha256Hex(canonical)), chain_hash);
    });
  }
}
