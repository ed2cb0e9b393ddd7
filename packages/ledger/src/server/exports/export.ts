import { DarkMatterError, type Random, reasonOf, runningSha256, toHex } from "@darkmatter/core";
import { exportChainHash, PHASES, prefixed, spkiPem } from "@darkmatter/proof";
import type { Answer } from "@darkmatter/surface";
import { millisecondsTime } from "../../times.ts";
import type { LogStanding } from "../chains/assurance.ts";
import type { ReadableStep } from "../chains/chain-step.ts";
import {
  anchorsOf,
  type Chain,
  type ChainPorts,
  openChain,
  type StepPage,
  walkChain,
} from "../chains/chains.ts";
import { checkpointFault } from "../chains/judged.ts";
import type { CoveringCheckpoint } from "../chains/signed-tree.ts";
import { createVerdict } from "../chains/verdict.ts";
import { type PassportSurroundings, stepPassport } from "../chains/views.ts";
import type { Answerable } from "../json-text.ts";
import { createPace } from "../pace.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { canonicalText } from "./canonical-text.ts";
import { flatMembers, planOwnTree } from "./export-step.ts";
import { bodyOf, commaed, WHOLE_CHARACTERS_MAX } from "./long-answer.ts";
import { provenBy, readableOf } from "./whole.ts";

export type ExportPorts = ChainPorts & Pick<LedgerServerPorts, "random" | "config" | "report">;

/** Signs the log as it is. */
export type SignLog = () => Promise<unknown>;

export interface ExportWishes {
  readonly account: number;
  readonly id: string;
  /** Who asks for it. */
  readonly exportedBy: string;
}

/** All that an export is written from. */
interface Sources {
  readonly ports: ExportPorts;
  readonly chain: Chain;
  readonly anchors: Awaited<ReturnType<typeof anchorsOf>>;
  /** What it is exported under; `undefined` where no signed checkpoint covers the tip. */
  readonly covering: CoveringCheckpoint | undefined;
  readonly around: PassportSurroundings;
  readonly metadata: Answerable & { readonly export_id: string };
}

const SPEC = {
  bundle_version: "3.0",
  spec_url: "docs/proof.md",
  verifier_url: "interop/verify.py",
  verify_command: "darkmatter verify FILE",
  phases: [...PHASES],
};
const EXPORT_ID_RANDOM_BYTES = 4;

/**
 * A chain as a file that anyone can check (ledger.md 3.5, docs/proof.md sections 3 and 4), in canon-1; `undefined` for
 * any id that is not this account's. A long one is written twice, the first time for its hash: none is too long for it.
 * @throws chain_unreadable
 */
export async function exportOf(
  ports: ExportPorts,
  signLog: SignLog,
  wishes: ExportWishes,
): Promise<Answer["body"] | undefined> {
  const chain = await openChain(ports, wishes.account, wishes.id);
  if (!chain) return undefined;
  const sources = await sourcesOf(ports, signLog, chain, wishes);
  const hash = runningSha256();
  const kept: Piece[] = [];
  let characters = 0;
  for await (const piece of pieces(sources)) {
    if (piece !== HASH_PLACE) hash.update(piece);
    characters += piece === HASH_PLACE ? 0 : piece.length;
    if (characters <= WHOLE_CHARACTERS_MAX) kept.push(piece);
    else kept.length = 0;
  }
  const found = hash.hex();
  if (characters > WHOLE_CHARACTERS_MAX) return bodyOf(placed(pieces(sources), found));
  return kept.map((piece) => (piece === HASH_PLACE ? hashMember(found) : piece)).join("");
}

/** Where the hash of all the rest stands. */
const HASH_PLACE = Symbol("export_hash");
type Piece = string | typeof HASH_PLACE;

const hashMember = (hash: string) => `"export_hash":${JSON.stringify(prefixed(hash))},`;

/** The file with its hash in it. It never ends where it is not the one that was hashed: payloads may be pruned meanwhile. */
async function* placed(file: AsyncGenerator<Piece>, hash: string): AsyncGenerator<string> {
  const written = runningSha256();
  let last = "";
  for await (const piece of file) {
    if (piece !== HASH_PLACE) written.update(piece);
    yield last;
    last = piece === HASH_PLACE ? hashMember(hash) : piece;
  }
  if (written.hex() !== hash) throw new Error("A chain changed while its export was written: it has no end.");
  yield last;
}

async function sourcesOf(
  ports: ExportPorts,
  signLog: SignLog,
  chain: Chain,
  { id, exportedBy }: ExportWishes,
): Promise<Sources> {
  const anchors = await signedAnchors(ports, signLog, chain);
  const covering = anchors.covering?.coversTip ? anchors.covering : undefined;
  const size = covering?.checkpoint.tree_size ?? 0;
  const isWitnessed = (covering?.signatures.length ?? 0) > 0;
  const standing: LogStanding = { checkpointed: size, witnessed: isWitnessed ? size : 0 };
  const nowMs = Math.floor(ports.clock.now());
  return {
    ports,
    chain,
    anchors,
    covering,
    around: { baseUrl: ports.config.baseUrl, nowMs, standing },
    metadata: {
      export_version: "1.0",
      export_id: newExportId(nowMs, ports.random),
      ctx_id: id,
      lineage_root: chain.links[0]?.id ?? id,
      chain_length: chain.links.length,
      exported_at: millisecondsTime(nowMs),
      exported_by: exportedBy,
    },
  };
}

export const newExportId = (nowMs: number, random: Random) =>
  `bundle_${nowMs}_${toHex(random.bytes(EXPORT_ID_RANDOM_BYTES))}`;

/** With a checkpoint that covers the chain, if the log can be signed at all. */
async function signedAnchors(ports: ExportPorts, signLog: SignLog, chain: Chain) {
  const anchors = await anchorsOf(ports, chain);
  if (anchors.covering?.coversTip) return anchors;
  try {
    await signLog();
  } catch (error) {
    if (!(error instanceof DarkMatterError)) throw error;
    // A log that must not be signed any more still gives out what it holds: without a checkpoint, which the file shows.
    ports.report("export.unsigned", { reason: reasonOf(error) });
  }
  return anchorsOf(ports, chain);
}

/** The file in its order. */
async function* pieces(sources: Sources): AsyncGenerator<Piece> {
  const { anchors, chain, covering, metadata } = sources;
  const ends = createEnds();
  yield `{"_spec":${canonicalText(SPEC)},"chain":[`;
  yield* commaed(passports(sources, ends.add));
  yield `],"checkpoint":${canonicalText(covering ? coveringMember(covering) : null)},"commits":[`;
  yield* commaed(commits(sources));
  yield "],";
  yield HASH_PLACE;
  const integrity = ends.integrity(checkpointFault(anchors.covering), chain);
  yield `"integrity":${canonicalText(integrity)},`;
  yield `"metadata":${canonicalText({ ...(metadata as object), trace_id: ends.trace() })},`;
  yield `"server_pubkey":${canonicalText(serverKey(sources))}}`;
}

function walk({ ports, chain, anchors }: Sources): AsyncGenerator<StepPage> {
  return walkChain(ports, chain, { ...anchors, also: planOwnTree });
}

async function* passports(sources: Sources, onStep: (step: ReadableStep) => void): AsyncGenerator<string[]> {
  const pace = createPace(sources.ports);
  for await (const { steps } of walk(sources)) {
    const texts: string[] = [];
    for (const step of steps) {
      const readable = readableOf(step, sources.ports);
      onStep(readable);
      const text = canonicalText(stepPassport(readable, sources.around));
      texts.push(text);
      await pace(text.length);
    }
    yield texts;
  }
}

async function* commits(sources: Sources): AsyncGenerator<string[]> {
  const { covering, around, ports } = sources;
  const pace = createPace(ports);
  for await (const { steps, tree } of walk(sources)) {
    const texts: string[] = [];
    for (const step of steps) {
      const readable = readableOf(step, ports);
      const members = flatMembers(readable, tree.readNode, covering, around.baseUrl);
      const flat = await provenBy(readable, ports, members);
      const passport = stepPassport(readable, around);
      const text = canonicalText({ ...passport, ...flat });
      texts.push(text);
      await pace(text.length);
    }
    yield texts;
  }
}

/** What the steps say of the file as a whole. */
function createEnds() {
  const verdict = createVerdict();
  const ids: string[] = [];
  let [first, last]: (ReadableStep | undefined)[] = [];
  return {
    add(step: ReadableStep): void {
      verdict.add(step);
      ids.push(step.id);
      first ??= step;
      last = step;
    },
    trace: () => last?.commit.trace ?? null,
    integrity(fault: string | null, { links }: Chain): Answerable {
      const { isIntact } = verdict.result(fault);
      const root_hash = prefixed(first?.commit.chainHash ?? "");
      const tip_hash = prefixed(last?.commit.chainHash ?? "");
      return {
        chain_intact: isIntact,
        algorithm: "sha256",
        root_hash,
        tip_hash,
        chain_hash: exportChainHash({
          chain_ids: ids,
          chain_length: links.length,
          ctx_id: last?.id ?? "",
          lineage_root: first?.id ?? "",
          root_hash,
          tip_hash,
        }),
        timestamp_range: { from: first?.commit.timestamp ?? "", to: last?.commit.timestamp ?? "" },
      };
    },
  };
}

function coveringMember({ checkpoint, signatures }: CoveringCheckpoint): Answerable {
  return {
    ...checkpoint,
    witness_signatures: signatures.map(({ witnessId, agentId, name, signature, witnessedAt }) => ({
      witness_id: witnessId,
      witness_name: name,
      witness_sig: signature,
      witnessed_at: witnessedAt,
      sig_valid: true,
      public_key_pem: spkiPem(agentId),
    })),
    witness_count: signatures.length,
  };
}

function serverKey({ ports, covering }: Sources): Answerable {
  return {
    algorithm: "Ed25519",
    public_key: spkiPem(covering?.signedBy ?? ports.logKey.agentId),
    use: "checkpoint",
    pubkey_url: `${ports.config.baseUrl}/api/log/pubkey`,
  };
}
