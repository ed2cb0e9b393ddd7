import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSigner, createVerifier } from "@darkmatter/identity";
import { checkpointText, type SignedCheckpoint, spkiPem, witnessId } from "@darkmatter/proof";
import { tempFolder } from "@darkmatter/store/testing";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { signedAnew } from "../../../testing/witness-network.ts";
import { LOG_URL, memoryLines, type WitnessedLog, witnessedLog } from "../../../testing/witnessed-log.ts";
import { openLinesFile } from "./adapters/system-lines-file.ts";

const { verify } = createVerifier({ threads: "never" });

async function checkpoint(world: WitnessedLog, commits: number): Promise<SignedCheckpoint> {
  await world.grow(commits);
  const made = await world.log.checkpointNow();
  if (!made) throw new Error("an empty log has no checkpoint");
  return made;
}

const bodyOf = async ({ log, server }: WitnessedLog, signed: SignedCheckpoint, firstSize?: number) => ({
  checkpoint: signed,
  darkmatter_pubkey: spkiPem(server.ports.logKey.agentId),
  spec_url: "http://ledger.test/integrity",
  ...(firstSize !== undefined && {
    consistency: {
      first_size: firstSize,
      proof: await log.log.consistency(server.db, firstSize, signed.tree_size),
    },
  }),
});

test("the first checkpoint is signed as it is, position 0 as any other; the same again gets the same answer", async () => {
  await using world = await witnessedLog();
  const signed = await checkpoint(world, 1);
  expect(signed.position).toBe(0);

  const first = await world.ask(await bodyOf(world, signed));
  const again = await world.ask(await bodyOf(world, signed));

  const { agentId } = world.witnessSigner;
  expect(first).toMatchObject({
    status: 200,
    json: {
      witness_id: witnessId(agentId),
      checkpoint_id: signed.checkpoint_id,
      tree_root: signed.tree_root,
      tree_size: 1,
      witnessed_at: "2026-11-21T10:00:00Z",
    },
  });
  const { witness_sig } = first.json as { witness_sig: string };
  expect(await verify(agentId, checkpointText(signed), witness_sig)).toBe(true);
  expect(again).toMatchObject({ status: 200, json: { witness_sig, error: "already_signed" } });
  expect(world.file.text.split("\n")).toHaveLength(2);
});

test("what follows is signed only with a proof that the log only grew since", async () => {
  await using world = await witnessedLog();
  await world.ask(await bodyOf(world, await checkpoint(world, 3)));
  const signed = await checkpoint(world, 5);

  expect(await world.ask(await bodyOf(world, signed))).toMatchObject({
    status: 409,
    json: { code: "consistency_needed", last_size: 3, last_position: 2 },
  });
  expect(await world.ask(await bodyOf(world, signed, 2))).toMatchObject({
    status: 409,
    json: { code: "consistency_needed" },
  });
  const wrong = await bodyOf(world, signed, 3);
  wrong.consistency?.proof.reverse();
  expect(await world.ask(wrong)).toMatchObject({ status: 409, json: { code: "inconsistent" } });
  expect(world.witness.witnessId).toBe(witnessId(world.witnessSigner.agentId));
  expect(await world.ask(await bodyOf(world, signed, 3))).toMatchObject({ status: 200 });
});

test("another history of the log is not signed, though its key signed it", async () => {
  await using world = await witnessedLog();
  const before = await checkpoint(world, 3);
  await world.ask(await bodyOf(world, before));
  const { logKey } = world.server.ports;
  const later = await checkpoint(world, 2);

  const forged = signedAnew(logKey, later, { tree_root: "ab".repeat(32) });
  expect(await world.ask({ ...(await bodyOf(world, later, 3)), checkpoint: forged })).toMatchObject({
    status: 409,
    json: { code: "inconsistent" },
  });
  const sameSize = signedAnew(logKey, before, { tree_root: "ab".repeat(32), idMs: 5 });
  expect(await world.ask(await bodyOf(world, sameSize))).toMatchObject({
    status: 409,
    json: { code: "not_newer", last_size: 3 },
  });
  expect(world.reports.filter((line) => line.startsWith("witness.split_history"))).toHaveLength(1);
  const earlier = signedAnew(logKey, before, { tree_size: 2, log_position: 1, idMs: 6 });
  expect(await world.ask(await bodyOf(world, earlier))).toMatchObject({
    status: 409,
    json: { code: "not_newer" },
  });
});

test("only the pinned log's signature counts", async () => {
  await using world = await witnessedLog();
  const signed = await checkpoint(world, 3);
  const other = createSigner(new Uint8Array(32).fill(8));

  const ofOther = { ...(await bodyOf(world, signedAnew(other, signed, { idMs: 1 }))) };
  expect(await world.ask(ofOther)).toMatchObject({ status: 403, json: { code: "signature_invalid" } });
  expect(await world.ask({ ...ofOther, darkmatter_pubkey: spkiPem(other.agentId) })).toMatchObject({
    status: 403,
    json: { code: "wrong_log" },
  });
  const altered = { ...signed, tree_root: "ab".repeat(32) };
  expect(await world.ask(await bodyOf(world, altered))).toMatchObject({
    status: 403,
    json: { code: "signature_invalid" },
  });
  const ofItself = signedAnew(world.server.ports.logKey, signed, {
    checkpoint_id: signedAnew(world.witnessSigner, signed, { idMs: 9 }).checkpoint_id,
  });
  expect(await world.ask(await bodyOf(world, ofItself))).toMatchObject({ status: 403 });
  expect(world.file.text).toBe("");
  await expect(world.restarted({ logKeys: [world.witnessSigner.agentId] })).rejects.toMatchObject({
    code: "WITNESS_OF_ITSELF",
  });
});

test("a proof that was not sent along is fetched from the log, where that is known", async () => {
  await using world = await witnessedLog();
  await world.ask(await bodyOf(world, await checkpoint(world, 3)));
  const signed = await checkpoint(world, 4);
  const knowing = await world.restarted({ logUrl: LOG_URL });

  const answer = await callHandler(knowing.handler, {
    method: "POST",
    path: "/witness",
    body: await bodyOf(world, signed),
  });

  expect(answer).toMatchObject({ status: 200, json: { tree_size: 7 } });
});

test("bodies that are none are refused, and ten requests a minute of one address are enough", async () => {
  await using world = await witnessedLog();
  const signed = await checkpoint(world, 1);
  const bad: object[] = [
    {},
    { checkpoint: null },
    { checkpoint: { ...signed, position: null } },
    { checkpoint: { ...signed, tree_size: "1" } },
    { checkpoint: signed, consistency: 5 },
    { checkpoint: signed, consistency: { first_size: 0, proof: [] } },
    { checkpoint: signed, consistency: { first_size: 1, proof: Array(200).fill("ab".repeat(32)) } },
  ];
  for (const body of bad) expect((await world.ask(body)).status, JSON.stringify(body)).toBe(400);
  expect((await world.ask({ pad: "x".repeat(40_000) })).status).toBe(413);
  for (let at = 0; at < 10; at++) expect((await world.ask({}, "10.9.9.9")).status).toBe(400);
  expect(await world.ask({}, "10.9.9.9")).toMatchObject({ status: 429, json: { code: "rate_limited" } });
  await world.clock.advance(60_000);
  expect((await world.ask({}, "10.9.9.9")).status).toBe(400);
});

test("what it signed is kept over a restart; a line that a crash left half written is cut off", async () => {
  await using world = await witnessedLog();
  await world.ask(await bodyOf(world, await checkpoint(world, 3)));
  const whole = world.file.text;
  await world.ask(await bodyOf(world, await checkpoint(world, 2), 3));
  const torn = memoryLines(world.file.text.slice(0, -40));
  const ended = memoryLines(world.file.text.slice(0, -1));

  const again = await world.restarted({ file: torn });
  expect(torn.text).toBe(whole);
  expect(world.reports).toContain("witness.torn_line {}");
  const shown = await callHandler(again.handler, { method: "GET", path: "/witness" });
  expect(shown.json).toMatchObject({ signed: 1, last: { tree_size: 3 } });
  // Whole but for its end: the signature may have been seen.
  await world.restarted({ file: ended });
  expect(ended.text).toBe(world.file.text);
});

test("a file that is damaged anywhere is refused, and stays as it is", async () => {
  await using world = await witnessedLog();
  let last = 0;
  for (const commits of [3, 2, 4]) {
    const signed = await checkpoint(world, commits);
    await world.ask(await bodyOf(world, signed, last || undefined));
    last = signed.tree_size;
  }
  const { text } = world.file;
  const lines = text.split("\n");
  const damaged = [
    lines.toSpliced(1, 1).join("\n"),
    lines.toSpliced(0, 1).join("\n"),
    [lines[1], lines[0], lines[2], ""].join("\n"),
    [...lines.slice(0, 3), lines[2], ""].join("\n"),
    `\n${text}`,
    `${text}garbage\n`,
  ];
  for (let at = 5; at < text.length; at += 97) {
    damaged.push(`${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}${text.slice(at + 1)}`);
  }
  for (const one of damaged) {
    const file = memoryLines(one);
    await expect(world.restarted({ file }), one).rejects.toMatchObject({ code: "WITNESS_FILE_DAMAGED" });
    expect(file.text).toBe(one);
  }
});

test("without room on the disk nothing is signed, and nothing is forgotten", async () => {
  await using world = await witnessedLog();
  const signed = await checkpoint(world, 3);
  world.file.isFull = true;
  expect((await world.ask(await bodyOf(world, signed))).status).toBe(500);
  world.file.isFull = false;
  expect(await world.ask(await bodyOf(world, signed))).toMatchObject({ status: 200 });
  expect(world.file.text.split("\n")).toHaveLength(2);
});

test("the system's file: appended, kept, cut, and refused when another writes to it", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "deep", "signed.jsonl");
  const file = await openLinesFile(path);
  await file.append("one ☃");
  await file.append("two");
  expect(readFileSync(path, "utf8")).toBe("one ☃\ntwo\n");
  expect(await file.read()).toBe("one ☃\ntwo\n");
  await file.cut(8);
  await file.append("three");
  expect(readFileSync(path, "utf8")).toBe("one ☃\nthree\n");
  appendFileSync(path, "four\n");
  await expect(file.append("five")).rejects.toMatchObject({ code: "WITNESS_FILE_TAKEN" });
  await file.close();
  writeFileSync(path, "");
  const empty = await openLinesFile(path);
  expect(await empty.read()).toBe("");
  await empty.close();
});
