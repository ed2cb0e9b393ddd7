import {
  type Clock,
  canon1OfJson,
  type JsonObject,
  type Random,
  sha256Hex,
  toHex,
  utf8,
} from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { BUNDLE_BYTES_MAX, exportChainHash, PHASES, prefixed, spkiPem } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Commit } from "../commits/commit.ts";
import { commits } from "../commits/commits.ts";
import { fieldsOf } from "../disclosures/disclosures.store.ts";
import { ledgerError } from "../errors.ts";
import { rememberingNodeReader } from "../log/nodes.ts";
import { millisecondsTime, secondsTime } from "../times.ts";
import type { BundleSources } from "./bundle-sources.ts";
import { type Covering, consistencyOf, coveringJson, coveringOf } from "./covering.ts";
import { flatMembersOf, type PassportFacts, passportOf, type Step, soundStep } from "./passport.ts";

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

/** What is exported, and how much of it. */
export interface BundleWishes {
  /** Id of the commit the chain ends with. */
  readonly tip: string;
  /** Whether a commit's field is to be disclosed. */
  readonly disclose: (name: string, commit: Commit) => boolean;
  /** Leaves out `signed` and `receipt` too: they hold unsalted hashes of the content (docs/proof.md section 3). */
  readonly bare?: boolean;
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

/** Always disclosed, unless `bare`: without them no stranger can check who said a message or took it. */
const PROVING_FIELDS: ReadonlySet<string> = new Set(["signed", "receipt"]);
const EXPORT_ID_RANDOM_BYTES = 4;
/** Steps between two turns given to others. */
const TURN_STEPS = 64;

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
  const nowMs = Math.floor(ports.clock.now());
  const facts: PassportFacts = {
    agentId: ports.signer.agentId,
    agentName: ports.agentName,
    rootId: root.id,
    assurance: covering.signatures.length > 0 ? "L2" : "L1",
    exportedAt: millisecondsTime(nowMs),
  };
  const parts = await writeSteps(read, ports, wishes, chain, covering, facts);
  const peers = [...parts.peers];
  const exportId = `bundle_${nowMs}_${toHex(ports.random.bytes(EXPORT_ID_RANDOM_BYTES))}`;
  const { text, exportHash } = sealed(ports.signer, {
    _spec: canon1OfJson(SPEC),
    chain: `[${parts.passports.join(",")}]`,
    checkpoint: canon1OfJson(coveringJson(covering)),
    commits: `[${parts.commits.join(",")}]`,
    consistency: canon1OfJson(
      await consistencyOf(read, ports.checkpoints, parts.readNode, root.position, covering.checkpoint),
    ),
    disclosures: `[${parts.disclosures.join(",")}]`,
    evidence: canon1OfJson((await ports.sources.evidenceAbout(read, peers)).map(plain)),
    integrity: canon1OfJson(integrityOf(chain, root, tip)),
    log: canon1OfJson(`mesh/${facts.agentId}`),
    metadata: canon1OfJson({
      export_version: "1.0",
      export_id: exportId,
      ctx_id: tip.id,
      lineage_root: root.id,
      chain_length: chain.length,
      trace_id: tip.trace,
      exported_at: facts.exportedAt,
      exported_by: facts.agentId,
    }),
    server_pubkey: canon1OfJson({
      algorithm: "Ed25519",
      public_key: spkiPem(facts.agentId),
      use: "checkpoint",
      pubkey_url: null,
    }),
    witnessed: canon1OfJson((await ports.sources.witnessed(read, peers)).map(plain)),
  });
  return {
    text,
    exportId,
    exportHash,
    tipHash: tip.integrityHash,
    steps: chain.length,
    open: parts.open,
    closed: parts.closed,
    checkpointId: covering.checkpoint.checkpoint_id,
    checkpointSize: covering.checkpoint.tree_size,
    witnesses: covering.signatures.length,
  };
}

async function writeSteps(
  read: Read,
  { signer, clock }: BundlePorts,
  wishes: BundleWishes,
  chain: readonly Commit[],
  { checkpoint }: Covering,
  facts: PassportFacts,
) {
  const readNode = rememberingNodeReader(read);
  const passports: string[] = [];
  const commits: string[] = [];
  const disclosures: string[] = [];
  const peers = new Set<string>();
  const open: Record<string, number> = {};
  const closed: Record<string, number> = {};
  const room = createRoom();
  for (const [at, commit] of chain.entries()) {
    if (at % TURN_STEPS === TURN_STEPS - 1) await clock.turn();
    const step = soundStep(commit, chain[at - 1], facts.agentId);
    if (step.payload.peer !== null) peers.add(step.payload.peer);
    const passport = passportOf(step, facts);
    const flat = await flatMembersOf(step, facts, signer.sign, readNode, checkpoint);
    passports.push(room.take(canon1OfJson(passport)));
    commits.push(room.take(canon1OfJson({ ...passport, ...flat })));
    const shown = await disclosuresOf(read, step, wishes);
    for (const { text } of shown) disclosures.push(room.take(text));
    const names = new Set(shown.map(({ name }) => name));
    for (const name of Object.keys(step.payload.fields)) countOne(names.has(name) ? open : closed, name);
  }
  return { passports, commits, disclosures, open, closed, peers, readNode };
}

function countOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

async function disclosuresOf(read: Read, { commit }: Step, wishes: BundleWishes) {
  const isShown = (name: string) => (PROVING_FIELDS.has(name) ? !wishes.bare : wishes.disclose(name, commit));
  const fields = await fieldsOf(read, commit.position);
  return fields
    .filter(({ name }) => isShown(name))
    .map(({ name, salt, value }) => ({
      name,
      text: canon1OfJson({ commit: commit.integrityHash, name, salt, value }),
    }));
}

/** Refuses what no verifier would read, before it fills the memory. */
function createRoom() {
  let characters = 0;
  return {
    take(text: string): string {
      characters += text.length;
      if (characters > BUNDLE_BYTES_MAX) throw ledgerError("BUNDLE_TOO_LARGE");
      return text;
    },
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

/** The whole object from the canon-1 texts of its members, with its signature and its hash. */
function sealed(signer: Signer, members: Readonly<Record<string, string>>) {
  const signature = signer.sign(`darkmatter.export.v1\n${sha256Hex(objectText(members))}`);
  const signed = { ...members, export_sig: JSON.stringify(signature) };
  const exportHash = prefixed(sha256Hex(objectText(signed)));
  const text = objectText({ ...signed, export_hash: JSON.stringify(exportHash) });
  // A character takes three bytes at most (a pair of them, four): only a long text has to be counted.
  const mayBeTooLarge = 3 * text.length > BUNDLE_BYTES_MAX;
  if (mayBeTooLarge && utf8(text).length > BUNDLE_BYTES_MAX) throw ledgerError("BUNDLE_TOO_LARGE");
  return { text, exportHash };
}

/** canon-1 of an object whose names are ASCII. */
function objectText(members: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${sorted.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;
