import { type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { describe, expect } from "vitest";
import { leafHash } from "../chain.ts";
import { type Checkpoint, checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { spkiPem, witnessId } from "../keys.ts";
import { consistencyProof, type InclusionStep, inclusionProof, nodeHash } from "../merkle.ts";
import type { Conversation } from "../testing/conversation.ts";
import { makeConversation } from "../testing/conversation.ts";
import { at, type Forge, put, putInPassport, testRules } from "../testing/forged-bundle.ts";
import type { TestLog } from "../testing/test-log.ts";

/** In ana's log the steps stand one after another, from this place on. */
const FIRST = 1;
const OTHER = sha256Hex("other");
const { keys } = makeConversation({ seed: 1 });

const inBundle =
  (place: string, value: Json | undefined): Forge =>
  (bundle) =>
    put(bundle, place, value);

const UNPROVEN = "the proof does not lead to the tree after this commit";
const UNPROVEN_NOW = "the proof does not lead to the checkpoint";

describe("leaves", () => {
  const proof = "commits.3._proof";
  testRules([
    [
      "are of their commits",
      { leaves: "the leaf is not this commit's" },
      inBundle(`${proof}.accepted_at`, "2026-01-01T00:00:00Z"),
    ],
    [
      "stand after their parents",
      { leaves: "it stands before its parent in the log", inclusion: UNPROVEN },
      (bundle) => {
        const before = FIRST + 2;
        const leaf = leafHash({
          accepted_at: String(at(bundle, `${proof}.accepted_at`)),
          commit_id: String(at(bundle, "commits.3.id")),
          integrity_hash: String(at(bundle, "commits.3.integrity_hash")).slice("sha256:".length),
          log_position: before,
        });
        put(bundle, `${proof}.leaf_hash`, leaf);
        put(bundle, `${proof}.log_position`, before);
        for (const one of ["inclusion_proof", "checkpoint_inclusion"])
          put(bundle, `${proof}.${one}.leaf_index`, before);
        for (const holder of [proof, `${proof}.inclusion_proof`])
          put(bundle, `${holder}.tree_size`, before + 1);
      },
    ],
    [
      "have their place as leaf_index",
      { leaves: "leaf_index is not log_position", inclusion: UNPROVEN },
      inBundle(`${proof}.inclusion_proof.leaf_index`, FIRST + 2),
    ],
    [
      "have their place as leaf_index under the checkpoint",
      { leaves: "leaf_index is not log_position", inclusion: UNPROVEN_NOW },
      inBundle(`${proof}.checkpoint_inclusion.leaf_index`, FIRST + 2),
    ],
  ]);
});

/** A root of the exporter's making, which a leaf leads to. */
function inventedRoot(leaf: string, proof: readonly InclusionStep[]): string {
  return proof.reduce(
    (node, { direction, hash }) => (direction === "left" ? nodeHash(hash, node) : nodeHash(node, hash)),
    leaf,
  );
}

describe("inclusion", () => {
  const proof = "commits.3._proof";
  const misplaced = "the proof is not of the tree right after this commit";
  const another = "checkpoint_inclusion is of another checkpoint";

  /** A valid proof in ana's tree of another size. */
  const provenIn = async ({ logs }: Conversation, size: number) => ({
    leaf_index: FIRST + 3,
    tree_size: size,
    proof: (await inclusionProof(logs.ana.readNode, FIRST + 3, size)) as unknown as Json,
  });

  testRules([
    [
      "is in the tree that the step names",
      { inclusion: misplaced },
      inBundle(`${proof}.tree_size`, FIRST + 5),
    ],
    [
      "is in the tree right after the step",
      { inclusion: misplaced },
      async (bundle, talk) => {
        const size = FIRST + 5;
        put(bundle, `${proof}.tree_size`, size);
        put(bundle, `${proof}.tree_root`, talk.logs.ana.commits[size - 1]!.treeRoot);
        put(bundle, `${proof}.inclusion_proof`, await provenIn(talk, size));
      },
    ],
    ["leads to the step's root", { inclusion: UNPROVEN }, inBundle(`${proof}.tree_root`, OTHER)],
    [
      "leads to the checkpoint's root",
      { inclusion: UNPROVEN_NOW },
      inBundle(`${proof}.checkpoint_inclusion.proof.0.hash`, OTHER),
    ],
    [
      "names the checkpoint",
      { inclusion: another },
      inBundle(`${proof}.checkpoint_inclusion.checkpoint_id`, "cp_1_00000000"),
    ],
    [
      "has the checkpoint's size",
      { inclusion: another },
      // In a tree of one leaf more, the way up is the same.
      (bundle) =>
        put(
          bundle,
          `${proof}.checkpoint_inclusion.tree_size`,
          Number(at(bundle, "checkpoint.tree_size")) + 1,
        ),
    ],
    [
      "has the checkpoint's root",
      { inclusion: another },
      (bundle) => {
        const covered = `${proof}.checkpoint_inclusion`;
        put(bundle, `${covered}.proof.0.hash`, OTHER);
        const steps = at(bundle, `${covered}.proof`) as unknown as InclusionStep[];
        put(bundle, `${covered}.tree_root`, inventedRoot(String(at(bundle, `${proof}.leaf_hash`)), steps));
      },
    ],
  ]);
});

describe("the checkpoint", () => {
  testRules([
    [
      "is signed by the log",
      { checkpoint: "its form or the log's signature does not hold" },
      inBundle("checkpoint.server_sig", keys.ana.sign("another")),
    ],
    [
      "of a node is named after its log",
      { checkpoint: "its form or the log's signature does not hold" },
      (bundle) => {
        const checkpoint = { ...(at(bundle, "checkpoint") as JsonObject), checkpoint_id: "cp_1_00000000" };
        const sig = keys.ana.sign(checkpointText(checkpoint as unknown as SignedCheckpoint));
        put(bundle, "checkpoint", { ...checkpoint, server_sig: sig });
        for (let step = 0; step <= 7; step++) {
          put(bundle, `commits.${step}._proof.checkpoint_inclusion.checkpoint_id`, "cp_1_00000000");
        }
      },
      { witnessed: false },
    ],
    [
      "covers the last step",
      {
        checkpoint: "it does not cover the last step",
        inclusion: "checkpoint_inclusion is of another checkpoint",
      },
      (bundle, { logs }) => {
        const early = logs.ana.checkpoints[1]!;
        put(bundle, "checkpoint", { ...early, witness_signatures: [], witness_count: 0 } as unknown as Json);
        put(bundle, "consistency", []);
      },
      { witnessed: false },
    ],
  ]);
});

describe("witnesses", () => {
  const first = "checkpoint.witness_signatures.0";
  const invalid = "the witness's signature does not hold";
  testRules([
    [
      "are as many as are counted",
      { witnesses: "witness_count is not the number of signatures" },
      inBundle("checkpoint.witness_count", 3),
    ],
    [
      "have the id of their key",
      { witnesses: "the witness's id is not that of its key" },
      inBundle(`${first}.witness_id`, witnessId(keys.dee.id)),
    ],
    [
      "are there once each",
      { witnesses: "the witness is there twice" },
      (bundle) => put(bundle, "checkpoint.witness_signatures.1", at(bundle, first)),
    ],
    [
      "are held to be valid by the exporter itself",
      { witnesses: "the exporter itself calls the signature invalid" },
      inBundle(`${first}.sig_valid`, false),
    ],
    [
      "are not the log itself",
      { witnesses: "the log's own key is no witness" },
      (bundle) => {
        const text = checkpointText(at(bundle, "checkpoint") as unknown as SignedCheckpoint);
        put(bundle, `${first}.public_key_pem`, spkiPem(keys.ana.id));
        put(bundle, `${first}.witness_id`, witnessId(keys.ana.id));
        put(bundle, `${first}.witness_sig`, keys.ana.sign(text));
      },
    ],
    [
      "sign the checkpoint",
      { witnesses: invalid },
      inBundle(`${first}.witness_sig`, keys.bo.sign("another")),
    ],
    [
      "that sign something else make no L2",
      { witnesses: invalid, assurance: "L2 without a valid witness" },
      (bundle) => {
        put(bundle, "consistency", []);
        for (const which of [0, 1]) {
          put(bundle, `checkpoint.witness_signatures.${which}.witness_sig`, keys.bo.sign("another"));
        }
      },
    ],
    [
      "of an earlier checkpoint make no L2 of later steps",
      { assurance: "L2 without a valid witness" },
      (bundle) => {
        put(bundle, "checkpoint.witness_signatures", []);
        put(bundle, "checkpoint.witness_count", 0);
      },
    ],
    [
      "of an earlier checkpoint make L2 of the steps it covers",
      {},
      (bundle) => {
        put(bundle, "checkpoint.witness_signatures", []);
        put(bundle, "checkpoint.witness_count", 0);
        const size = Number(at(bundle, "consistency.1.checkpoint.tree_size"));
        for (let step = size - FIRST; step <= 7; step++) putInPassport(bundle, step, "assurance_level", "L1");
      },
    ],
  ]);
});

/** An entry of `consistency` that the log signed, proven up to the bundle's checkpoint. */
async function entry(log: TestLog, bundle: JsonObject, changes: Partial<Checkpoint>): Promise<JsonObject> {
  const size = changes.tree_size ?? log.checkpoints[1]!.tree_size;
  const { logRoot, treeRoot } = log.commits[size - 1]!;
  const checkpoint = log.checkpoint({
    timestamp: String(at(bundle, "consistency.0.checkpoint.timestamp")),
    log_root: logRoot,
    tree_root: treeRoot,
    tree_size: size,
    log_position: size - 1,
    previous_cp_id: null,
    previous_tree_root: null,
    ...changes,
  });
  const proof = await consistencyProof(log.readNode, size, Number(at(bundle, "checkpoint.tree_size")));
  return { checkpoint, witness_signatures: [], proof } as unknown as JsonObject;
}

const withEntry =
  (place: number, changes: (bundle: JsonObject) => Partial<Checkpoint>): Forge =>
  async (bundle, { logs }) => {
    const entries = bundle.consistency as JsonObject[];
    entries.splice(place, 0, await entry(logs.ana, bundle, changes(bundle)));
  };

describe("earlier checkpoints", () => {
  const first = "consistency.0";
  const idOf = (bundle: JsonObject, place: string) => String(at(bundle, `${place}.checkpoint_id`));
  const timeOf = (bundle: JsonObject, place: string) => String(at(bundle, `${place}.timestamp`));
  testRules([
    ["may be added, if they are true", {}, withEntry(0, () => ({}))],
    [
      "are signed by the log",
      { consistency: "its form or the log's signature does not hold" },
      inBundle(`${first}.checkpoint.server_sig`, keys.ana.sign("another")),
    ],
    [
      "are named after their log",
      { consistency: "its form or the log's signature does not hold" },
      withEntry(0, () => ({ checkpoint_id: "cp_1_00000000" })),
    ],
    [
      "are signed by their witnesses",
      { consistency: `${witnessId(keys.bo.id)}: the witness's signature does not hold` },
      inBundle(`${first}.witness_signatures.0.witness_sig`, keys.bo.sign("another")),
    ],
    [
      "are part of the log as it is",
      { consistency: "the log was rewritten since: the consistency proof does not hold" },
      inBundle(`${first}.proof.0`, OTHER),
    ],
    [
      "cover the first step",
      { consistency: "it does not cover the first step" },
      withEntry(0, () => ({ tree_size: FIRST })),
    ],
    [
      "do not shrink",
      { consistency: "it is larger than the one after it" },
      withEntry(0, () => ({ tree_size: 8 })),
    ],
    [
      "do not go back in time",
      { consistency: "it is later than the one after it" },
      withEntry(0, (bundle) => ({ timestamp: timeOf(bundle, "checkpoint") })),
    ],
    [
      "are not later than the bundle's own",
      { consistency: "it is later than the one after it" },
      withEntry(2, () => ({ timestamp: "2050-01-01T00:00:00Z" })),
    ],
    [
      "lead up to one",
      { consistency: "there is no checkpoint it could lead up to" },
      async (bundle, { logs }) => {
        const checkpoint = logs.ana.checkpoints[1] as unknown as Json;
        put(bundle, "consistency", [{ checkpoint, witness_signatures: [], proof: [] }]);
      },
      { covered: false, witnessed: false },
    ],
  ]);

  const two = (what: string) => ({ consistency: expect.stringContaining(what) as unknown as string });
  testRules([
    [
      "of one size do not differ",
      two("have different log roots"),
      withEntry(1, (bundle) => ({ log_root: OTHER, timestamp: timeOf(bundle, "consistency.1.checkpoint") })),
    ],
    [
      "of the bundle's size do not differ from its own",
      two("have different log roots"),
      withEntry(2, (bundle) => ({
        tree_size: Number(at(bundle, "checkpoint.tree_size")),
        log_root: OTHER,
        timestamp: timeOf(bundle, "checkpoint"),
      })),
    ],
    [
      "of one id do not differ",
      two("Two different checkpoints are called"),
      withEntry(2, (bundle) => ({
        checkpoint_id: idOf(bundle, "consistency.1.checkpoint"),
        tree_size: 8,
        timestamp: timeOf(bundle, "checkpoint"),
      })),
    ],
    [
      "say of the one before what it was",
      two("but with another tree root"),
      withEntry(2, (bundle) => ({
        previous_cp_id: idOf(bundle, "consistency.0.checkpoint"),
        previous_tree_root: OTHER,
        tree_size: 8,
        timestamp: timeOf(bundle, "checkpoint"),
      })),
    ],
    [
      "say the same of the one before, in either order",
      two("but with another tree root"),
      withEntry(0, (bundle) => ({
        previous_cp_id: idOf(bundle, "checkpoint"),
        previous_tree_root: OTHER,
        tree_size: 6,
      })),
    ],
  ]);
});
