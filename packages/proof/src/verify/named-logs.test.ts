import { canon1OfJson, type JsonObject, sha256Hex } from "@darkmatter/core";
import { expect, test } from "vitest";
import { checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { makeConversation } from "../testing/conversation.ts";
import { sealed } from "../testing/export-bundle.ts";
import { verifyInline } from "../testing/keys.ts";
import { verifyTogether } from "./together/verify-together.ts";
import { verifyBundle } from "./verify-bundle.ts";

const { bundleOf, keys, logs } = makeConversation({ seed: 1 });

/** A witness signs the bytes that another log signs: its signature, shown as that of its own log. */
function testimonyAsOwn(changes: Partial<SignedCheckpoint> = {}): SignedCheckpoint {
  const checkpoint = logs.ana.checkpoint(changes);
  return { ...checkpoint, server_sig: keys.bo.sign(checkpointText(checkpoint)) };
}

const failing = async (bundle: JsonObject) =>
  (await verifyBundle(canon1OfJson(bundle), verifyInline)).phases
    .filter(({ status }) => status === "fail")
    .map(({ phase }) => phase);

test("what a witness signed for others is no evidence against itself", async () => {
  const [first, second] = [testimonyAsOwn(), testimonyAsOwn({ tree_root: sha256Hex("another") })];
  const evidence = [{ agentId: keys.bo.id, first, second }];

  expect(await failing(await bundleOf("ana", { evidence }))).toEqual(["evidence"]);
});

test("what a witness signed for others is no checkpoint of its own log", async () => {
  const { tree_size, log_position } = logs.bo.checkpoints.at(-1)!;
  const theirs = testimonyAsOwn({ tree_size, log_position });
  const bundle = await bundleOf("ana", { witnessed: [{ agentId: keys.bo.id, checkpoint: theirs }] });
  const files = [bundle, await bundleOf("bo")].map((one, at) => ({ name: `${at}`, text: canon1OfJson(one) }));

  expect(await failing(bundle)).toEqual(["witnessed"]);
  const { problems } = await verifyTogether(files, verifyInline);
  expect(problems.map(({ agentId }) => agentId)).toEqual([keys.ana.id]);
});

test("a log names its own checkpoints after itself", async () => {
  const { logs: others, bundleOf: exported } = makeConversation({ seed: 2 });
  const signed = others.ana.checkpoints as SignedCheckpoint[];
  for (const [at, { log_position, log_root, tree_root, tree_size }] of signed.entries()) {
    const checkpoint_id = `cp_${at}_00000000`;
    signed[at] = others.ana.checkpoint({ checkpoint_id, log_position, log_root, tree_root, tree_size });
  }

  expect(await failing(await exported("ana"))).toEqual(["checkpoint", "consistency"]);
});

test("a checkpoint that names itself as the one before, with another root, is not believed", async () => {
  const { logs: others, bundleOf: exported } = makeConversation({ seed: 3 });
  const signed = others.ana.checkpoints as SignedCheckpoint[];
  for (const [at, { server_sig: _, position: __, ...envelope }] of signed.entries()) {
    signed[at] = others.ana.checkpoint({ ...envelope, previous_cp_id: envelope.checkpoint_id });
  }

  expect(await failing(await exported("ana"))).toEqual(["consistency"]);
});

/** The exporter says of all its steps, and signs anew. */
async function withSteps(members: JsonObject, metadata: JsonObject = {}): Promise<JsonObject> {
  const bundle = structuredClone(await bundleOf("ana")) as Record<string, JsonObject>;
  const lists = [bundle.chain, bundle.commits] as unknown as JsonObject[][];
  for (const step of lists.flat()) Object.assign(step, members);
  return sealed({ ...bundle, metadata: { ...bundle.metadata, ...metadata } }, keys.ana);
}

test("a conversation cannot be called another", async () => {
  const trace_id = "msg-another";
  expect(await failing(await withSteps({ trace_id }, { trace_id }))).toEqual(["chain"]);
});

test("when a payload was pruned is a text", async () => {
  expect(await failing(await withSteps({ payload_pruned_at: 5 }))).toEqual(["format"]);
  expect(await failing(await withSteps({ payload_pruned_at: "" }))).toEqual([]);
});
