import { checkpointText, type SignedCheckpoint, witnessId } from "@darkmatter/proof";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { signedAnew } from "../../testing/witness-network.ts";
import { type WitnessedLog, witnessedLog } from "../../testing/witnessed-log.ts";

const ID = (world: WitnessedLog) => witnessId(world.witnessSigner.agentId);

async function checkpoint(world: WitnessedLog, commits: number): Promise<SignedCheckpoint> {
  await world.grow(commits);
  const made = await world.log.checkpointNow();
  if (!made) throw new Error("an empty log has no checkpoint");
  return made;
}

const stored = async ({ log, server }: WitnessedLog, { checkpoint_id }: SignedCheckpoint) =>
  (await log.checkpoints.witnessSignatures(server.db, checkpoint_id)).length;

/** Answers as a witness that signs whatever it is asked, with members of its own choosing. */
function answering(world: WitnessedLog, change: (right: object) => object | string, status = 200) {
  world.answers(async ({ body }) => {
    const { checkpoint } = JSON.parse(Buffer.from(body).toString()) as { checkpoint: SignedCheckpoint };
    const right = {
      witness_id: ID(world),
      checkpoint_id: checkpoint.checkpoint_id,
      tree_root: checkpoint.tree_root,
      tree_size: checkpoint.tree_size,
      witness_sig: world.witnessSigner.sign(checkpointText(checkpoint)),
      witnessed_at: "2026-11-21T10:00:00Z",
    };
    const answer = change(right);
    const text = typeof answer === "string" ? answer : JSON.stringify(answer);
    return { status, headers: {}, body: text };
  });
}

test.for<[string, (right: object) => object | string, string]>([
  ["garbage", () => "<html>", "invalid"],
  ["a list", () => "[]", "invalid"],
  ["no signature", (right) => ({ ...right, witness_sig: null }), "invalid"],
  ["somebody else's signature", (right) => ({ ...right, witness_sig: "ab".repeat(64) }), "invalid"],
  ["another tree", (right) => ({ ...right, tree_root: "ab".repeat(32) }), "invalid"],
  ["another size", (right) => ({ ...right, tree_size: 1 }), "invalid"],
  ["another checkpoint", (right) => ({ ...right, checkpoint_id: "cp_1_00000000" }), "invalid"],
  ["another witness's name", (right) => ({ ...right, witness_id: "wit_0000000000000000" }), "invalid"],
  ["a hundred thousand bytes", (right) => ({ ...right, pad: "x".repeat(100_000) }), "invalid"],
])("a witness that answers with %s is reported, and nothing of it is stored", async ([, change, outcome]) => {
  await using world = await witnessedLog();
  await world.register();
  answering(world, change);
  const signed = await checkpoint(world, 3);

  expect(await world.log.witnessNow()).toMatchObject([{ witnessId: ID(world), outcome }]);

  expect(await stored(world, signed)).toBe(0);
  expect(world.reports.some((line) => line.startsWith(`ledger.witness_${outcome}`))).toBe(true);
});

test("a second, different signature of a witness is refused and reported; the first one stays", async () => {
  await using world = await witnessedLog();
  await world.register();
  const signed = await checkpoint(world, 3);
  await world.log.witnessNow();
  expect(await stored(world, signed)).toBe(1);
  // Valid, too, for a verifier that says so: a witness may sign with a nonce of its own.
  const { verifier } = world.server.ports;
  const anything = { ...world.server.ports, verifier: { ...verifier, verify: async () => true } };
  const { createKeepSignature } = await import("./witness-signatures.ts");
  const keep = createKeepSignature(anything, () => undefined);
  const witness = { witnessId: ID(world), publicKey: world.witnessSigner.agentId, name: "wit" };

  const other = { signature: "ab".repeat(64), witnessedAt: undefined };
  expect(await keep({ ...witness, endpoint: null, registeredMs: 0 }, signed, other)).toBe("different");

  expect(await stored(world, signed)).toBe(1);
  expect(world.reports.at(-1)).toContain("different");
});

test("a witness that does not answer holds nothing up, and is asked again a minute later", async () => {
  await using world = await witnessedLog();
  await world.register();
  world.answers(() => new Promise(() => undefined));
  const signed = await checkpoint(world, 3);
  const asked = world.log.witnessNow();
  for (let second = 0; second < 11; second++) await world.clock.advance(1000);
  expect(await asked).toEqual([{ witnessId: ID(world), outcome: "unanswered", reason: "TIMEOUT" }]);
  world.answers(undefined);
  const follow = world.log.jobs.find(({ name }) => name === "ledger.follow");
  await follow?.run();
  expect(await stored(world, signed)).toBe(0);
  await world.clock.advance(60_000);
  await follow?.run();
  expect(await stored(world, signed)).toBe(1);
});

test("a witness that signed already says so: with its signature it is stored, without it nothing is wrong", async () => {
  await using world = await witnessedLog();
  await world.register();
  const signed = await checkpoint(world, 3);
  answering(world, () => ({ error: "already_signed" }));
  expect(await world.log.witnessNow()).toMatchObject([{ outcome: "signed", reason: "already_signed" }]);
  expect(await stored(world, signed)).toBe(0);
  // It signed, and the answer was lost.
  world.answers(async (request) => {
    await world.witness.handler(request);
    return { status: 502, headers: {}, body: "" };
  });
  expect(await world.log.witnessNow()).toMatchObject([{ outcome: "unanswered" }]);
  world.answers(undefined);
  expect(await world.log.witnessNow()).toMatchObject([{ outcome: "signed" }]);
  expect(await stored(world, signed)).toBe(1);
});

test("a witness whose last answer was lost is sent the proof from where it stands", async () => {
  await using world = await witnessedLog();
  await world.register();
  await checkpoint(world, 3);
  world.answers(async (request) => {
    await world.witness.handler(request);
    return { status: 502, headers: {}, body: "" };
  });
  await world.log.witnessNow();
  world.answers(undefined);
  const next = await checkpoint(world, 2);

  expect(await world.log.witnessNow()).toMatchObject([{ outcome: "signed" }]);

  expect(await stored(world, next)).toBe(1);
});

test("a witness that holds more of the log than there is ends the signing", async () => {
  await using world = await witnessedLog();
  await world.register();
  const signed = await checkpoint(world, 3);
  const { logKey } = world.server.ports;
  const later = signedAnew(logKey, signed, { tree_size: 9, log_position: 8, idMs: 1_795_255_300_000 });
  await world.ask({ checkpoint: later });

  expect(await world.log.witnessNow()).toMatchObject([{ outcome: "refused", reason: "STATE_OLDER" }]);

  await world.grow(1);
  await expect(world.log.checkpointNow()).rejects.toMatchObject({ code: "STATE_OLDER" });
});

test("what is asked says what the protocol says", async () => {
  await using world = await witnessedLog();
  await world.register();
  const heard: { headers: object; body: Record<string, unknown> }[] = [];
  world.answers(async ({ headers, body }) => {
    heard.push({ headers, body: JSON.parse(Buffer.from(body).toString()) });
    return { status: 500, headers: {}, body: "" };
  });
  const signed = await checkpoint(world, 1);
  await world.log.witnessNow();
  const shown = await callHandler(world.server.server.handler, { method: "GET", path: "/api/log/pubkey" });

  expect(heard[0]?.headers).toMatchObject({ "x-darkmatter-checkpoint-id": signed.checkpoint_id });
  expect(heard[0]?.body).toEqual({
    checkpoint: signed,
    darkmatter_pubkey: (shown.json as { public_key: string }).public_key,
    spec_url: "http://ledger.test/integrity",
  });
});

test("whoever signs the log and asks at once asks each witness once", async () => {
  await using world = await witnessedLog();
  await world.register();
  let requests = 0;
  world.answers(async (request) => {
    requests++;
    return world.witness.handler(request);
  });
  await checkpoint(world, 3);
  const rounds = await Promise.all([1, 2, 3, 4].map(() => world.log.witnessNow()));
  expect(rounds.flat().map(({ outcome }) => outcome)).toEqual(Array(4).fill("signed"));
  expect(requests).toBe(1);
});
