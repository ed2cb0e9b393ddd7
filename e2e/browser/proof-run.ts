import { canon1, type Json, readExactJson, sha256Hex } from "@darkmatter/core";
import {
  appendLeaf,
  consistencyProof,
  type Frontier,
  fieldCommitment,
  inclusionProof,
  leafHash,
  rootAt,
  rootOf,
  SALT_BYTES,
  spkiPem,
  type Verdict,
  type VerifySignature,
  verifyBundle,
  witnessId,
} from "@darkmatter/proof";
import { canonical } from "../../vectors/runner/ledger/canonical.ts";
import type { Kind } from "../../vectors/runner/outcome.ts";
import { proofKinds } from "../../vectors/runner/proof/kinds.ts";

/** What both sides are given. */
export interface ProofInput {
  /** Documents of vectors, by file. */
  readonly vectors: Readonly<Record<string, Json>>;
  /** Bundles as they lie in a file, and what to say of each. */
  readonly bundles: readonly { readonly text: string; readonly verdict: Verdict }[];
}

/** Everything that was computed, in an order of its own: where it ran must not show. */
export interface ProofRun {
  readonly passed: number;
  readonly problems: readonly string[];
  readonly values: readonly string[];
}

/** Runs proof's code on one input: in Node and in a browser alike. Uses nothing that either has alone. */
export async function runProof(input: ProofInput, verify: VerifySignature): Promise<ProofRun> {
  const problems: string[] = [];
  let passed = 0;
  for (const [name, document] of Object.entries(input.vectors)) {
    for await (const outcome of kindOf(name, verify)(document)) {
      if (outcome.problems.length === 0) passed++;
      else problems.push(`${name} "${outcome.name}": ${JSON.stringify(outcome)}`);
    }
  }
  const reports: string[] = [];
  for (const [at, { text, verdict }] of input.bundles.entries()) {
    const report = await verifyBundle(text, verify);
    reports.push(JSON.stringify(report));
    if (report.verdict === verdict) passed++;
    else problems.push(`bundle ${at} is ${report.verdict} instead of ${verdict}: ${reports.at(-1)}`);
  }
  return { passed, problems, values: [...(await treeValues()), ...fieldValues(), ...reports] };
}

function kindOf(name: string, verify: VerifySignature): Kind {
  const kinds: Readonly<Record<string, Kind>> = { canonical, ...proofKinds(verify) };
  const kind = kinds[name];
  if (!kind) throw new Error(`nothing runs ${name}`);
  return kind;
}

const LEAVES = 200;

/** A log of 200 commits, with proofs of several of its sizes. */
async function treeValues(): Promise<string[]> {
  const nodes = new Map<string, string>();
  let frontier: Frontier = [];
  for (let position = 0; position < LEAVES; position++) {
    const leaf = leafHash({
      accepted_at: "2026-11-21T12:00:00Z",
      commit_id: `ctx_${position}_aabbccddeeff`,
      integrity_hash: sha256Hex(`commit ${position}`),
      log_position: position,
    });
    const appended = appendLeaf(frontier, position, leaf);
    frontier = appended.frontier;
    for (const [level, hash] of [leaf, ...appended.completed].entries()) {
      nodes.set(`${level}/${(position + 1) / 2 ** level - 1}`, hash);
    }
  }
  const read = async (level: number, index: number) => nodes.get(`${level}/${index}`) ?? "missing";
  const values = [rootOf(frontier)];
  for (const size of [1, 2, 3, 100, 127, 128, 129, 200]) {
    values.push(await rootAt(read, size), ...(await consistencyProof(read, size, LEAVES)));
    values.push(...(await inclusionProof(read, size - 1, LEAVES)).map((step) => step.direction + step.hash));
  }
  return values;
}

const ODD_VALUES = ['"é\\ud83d\\ude00"', "1e-7", "9007199254740993", '{"b":[1.0,{}],"a":null}', '"\\u0000"'];

function fieldValues(): string[] {
  const salt = sha256Hex("salt").slice(0, 2 * SALT_BYTES);
  const opened = ODD_VALUES.map((text) => readExactJson(text));
  const commitments = opened.map((value) => fieldCommitment({ salt, name: "content", value }));
  return [...opened.map(canon1), ...commitments, spkiPem(salt), witnessId(salt)];
}
