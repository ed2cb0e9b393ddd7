import { type Clock, canon1OfJson, type JsonObject, type Random, toHex } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { exportChainHash, PHASES, prefixed, spkiPem } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Commit } from "../commits/commit.ts";
import { commits } from "../commits/commits.ts";
import { ledgerError } from "../errors.ts";
import { rememberingNodeReader } from "../log/nodes.ts";
import { millisecondsTime, secondsTime } from "../times.ts";
import type { BundleSources } from "./bundle-sources.ts";
import { consistencyOf, coveringJson, coveringOf } from "./covering.ts";
import type { PassportFacts } from "./passport.ts";
import { sealed } from "./seal.ts";
import { type BundleWishes, writeSteps } from "./steps.ts";

/** What an export is made from. */
export interface BundlePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** The log's key. */
  readonly signer: Signer;
  readonly checkpoints: Checkpoints;
  readonly sources: BundleSources;
  /** The name this agent gives itself. */
  readonly agentName: string;
}

/** A bundle and what its maker should be told. */
export interface ExportedBundle {
  /** canon-1 text. */
  readonly text: string;
  readonly exportId: string;
  /** Prefixed. */
  readonly exportHash: string;
  /** Scheme 2 of the tip, bare. */
  readonly tipHash: string;
  readonly steps: number;
  /** How often each field is disclosed, and how often each stays closed or is erased. */
  readonly open: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly checkpointId: string;
  readonly checkpointSize: number;
  readonly witnesses: number;
}

const EXPORT_ID_RANDOM_BYTES = 4;

const SPEC: JsonObject = {
  bundle_version: "3.0",
  spec_url: "docs/proof.md",
  verifier_url: "interop/verify.py",
  verify_command: "darkmatter verify FILE",
  phases: [...PHASES],
};

/**
 * One conversation as a file that anyone can check (docs/proof.md section 3): the chain from its first commit to `tip`,
 * each commit recomputed before the log's key signs its envelope.
 *
 * @throws NO_SUCH_COMMIT; CHECKPOINT_NEEDED when no checkpoint covers the tip yet; LEDGER_DAMAGED for a commit that is
 * not what its hashes say; BUNDLE_TOO_LARGE
 */
export async function exportBundle(
  read: Read,
  ports: BundlePorts,
  wishes: BundleWishes,
): Promise<ExportedBundle> {
  const chain = await commits.chain(read, wishes.tip);
  const [root, tip] = [chain[0], chain.at(-1)];
  if (!root || !tip) throw ledgerError("NO_SUCH_COMMIT");
  const covering = await coveringOf(read, ports.checkpoints, tip.position);
  const { checkpoint, signatures } = covering;
  const nowMs = Math.floor(ports.clock.now());
  const facts: PassportFacts = {
    agentId: ports.signer.agentId,
    agentName: ports.agentName,
    rootId: root.id,
    assurance: signatures.length > 0 ? "L2" : "L1",
    exportedAt: millisecondsTime(nowMs),
  };
  const readNode = rememberingNodeReader(read);
  const steps = await writeSteps(read, { ...ports, readNode, checkpoint }, wishes, chain, facts);
  const exportId = `bundle_${nowMs}_${toHex(ports.random.bytes(EXPORT_ID_RANDOM_BYTES))}`;
  const bundle = sealed(ports.signer, {
    ...membersOf(chain, root, tip, exportId, facts),
    chain: listText(steps.passports),
    checkpoint: canon1OfJson(coveringJson(covering)),
    commits: listText(steps.commits),
    consistency: canon1OfJson(
      await consistencyOf(read, ports.checkpoints, readNode, root.position, checkpoint),
    ),
    disclosures: listText(steps.disclosures),
    evidence: canon1OfJson((await ports.sources.evidenceAbout(read, steps.peers)).map(plain)),
    witnessed: canon1OfJson((await ports.sources.witnessed(read, steps.peers)).map(plain)),
  });
  return {
    ...bundle,
    exportId,
    tipHash: tip.integrityHash,
    steps: chain.length,
    open: steps.open,
    closed: steps.closed,
    checkpointId: checkpoint.checkpoint_id,
    checkpointSize: checkpoint.tree_size,
    witnesses: signatures.length,
  };
}

/** The members that say what the bundle is about, as canon-1 texts. */
function membersOf(
  chain: readonly Commit[],
  root: Commit,
  tip: Commit,
  exportId: string,
  { agentId, exportedAt }: PassportFacts,
): Record<string, string> {
  return {
    _spec: canon1OfJson(SPEC),
    integrity: canon1OfJson(integrityOf(chain, root, tip)),
    log: canon1OfJson(`mesh/${agentId}`),
    metadata: canon1OfJson({
      export_version: "1.0",
      export_id: exportId,
      ctx_id: tip.id,
      lineage_root: root.id,
      chain_length: chain.length,
      trace_id: tip.trace,
      exported_at: exportedAt,
      exported_by: agentId,
    }),
    server_pubkey: canon1OfJson({
      algorithm: "Ed25519",
      public_key: spkiPem(agentId),
      use: "checkpoint",
      pubkey_url: null,
    }),
  };
}

function integrityOf(chain: readonly Commit[], root: Commit, tip: Commit): JsonObject {
  const hashes = { root_hash: prefixed(root.chainHash), tip_hash: prefixed(tip.chainHash) };
  return {
    chain_intact: true,
    algorithm: "sha256",
    ...hashes,
    chain_hash: exportChainHash({
      ...hashes,
      chain_ids: chain.map(({ id }) => id),
      chain_length: chain.length,
      ctx_id: tip.id,
      lineage_root: root.id,
    }),
    timestamp_range: { from: secondsTime(root.acceptedMs), to: secondsTime(tip.acceptedMs) },
  };
}

const listText = (texts: readonly string[]): string => `[${texts.join(",")}]`;

const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;
