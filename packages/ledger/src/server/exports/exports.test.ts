import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canon1OfText, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { verifyBundle } from "@darkmatter/proof";
import { memoryDatabase, tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { chainWorld, longChain } from "../../testing/server-chain-world.ts";
import { exportText, serverExportSuite, verify } from "../../testing/server-export-suite.ts";
import { type TestAgent, type TestServer, testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";
import { WHOLE_CHARACTERS_MAX } from "./long-answer.ts";

serverExportSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

const PYTHON_VERIFIER = join(import.meta.dirname, "../../../../../interop/verify.py");
const OTHER_HASH = sha256Hex("other");

/** One value after another is changed as somebody would who can seal the file again. Paths; what is put there. */
const CHANGES: readonly (readonly [path: string, value: Json])[] = [
  ["metadata.ctx_id", "ctx_1795255200000_0123456789ab"],
  ["metadata.lineage_root", "ctx_1795255200000_0123456789ab"],
  ["metadata.chain_length", 7],
  ["metadata.trace_id", "trc_other"],
  ["integrity.root_hash", `sha256:${OTHER_HASH}`],
  ["integrity.tip_hash", `sha256:${OTHER_HASH}`],
  ["integrity.chain_hash", `sha256:${OTHER_HASH}`],
  ["integrity.timestamp_range.to", "2026-11-21T10:00:01Z"],
  ["checkpoint.tree_root", OTHER_HASH],
  ["checkpoint.timestamp", "2026-11-21T10:00:01Z"],
  ["checkpoint.server_sig", "0".repeat(128)],
  ["both.3.payload.input", "another question"],
  ["both.3.payload.output.share", 0.750000001],
  ["both.3.parent_id", null],
  ["both.3.created_by.agent_id", "dm_0000000000000000"],
  ["both.3.integrity.payload_hash", `sha256:${OTHER_HASH}`],
  ["both.3.integrity.integrity_hash", `sha256:${OTHER_HASH}`],
  ["both.3.integrity.parent_hash", `sha256:${OTHER_HASH}`],
  ["both.3.lineage.lineage_root", "ctx_1795255200000_0123456789ab"],
  ["both.3.integrity_v2.integrity_hash", `sha256:${OTHER_HASH}`],
  ["both.3.integrity_v2.envelope.timestamp", "2026-11-21T09:59:58Z"],
  ["both.3.completeness_claim", false],
  ["both.2.assurance_level", "L2"],
  ["both.2.assurance_level", "L3"],
  ["commits.3.timestamp", "2026-11-21T09:59:58Z"],
  ["commits.3.key_id", "k2"],
  ["commits.3.agent_signature", "0".repeat(128)],
  ["commits.3.integrity_hash", `sha256:${OTHER_HASH}`],
  ["commits.3.parent_integrity_hash", OTHER_HASH],
  ["commits.3.metadata.session", "s-2"],
  ["commits.3.client_attestation.signature", "A".repeat(86)],
  ["commits.3._proof.leaf_hash", OTHER_HASH],
  ["commits.3._proof.log_position", 4],
  ["commits.3._proof.accepted_at", "2026-11-21T10:00:01Z"],
  ["commits.3._proof.tree_root", OTHER_HASH],
  ["commits.3._proof.inclusion_proof.proof.0.hash", OTHER_HASH],
  ["commits.3._proof.checkpoint_inclusion.proof.0.hash", OTHER_HASH],
  ["commits.3._proof.checkpoint_inclusion.tree_root", OTHER_HASH],
];

function put(bundle: JsonObject, path: string, value: Json): void {
  const names = path.split(".");
  if (names[0] === "both") {
    for (const list of ["chain", "commits"]) put(bundle, [list, ...names.slice(1)].join("."), value);
    return;
  }
  let place = bundle as Record<string, Json>;
  for (const name of names.slice(0, -1)) place = place[name] as Record<string, Json>;
  const last = names.at(-1) ?? "";
  expect([path, last in place, place[last] === value]).toEqual([path, true, false]);
  place[last] = value;
}

function sealed(bundle: JsonObject): string {
  const { export_hash: _, ...members } = bundle;
  const hash = sha256Hex(canon1OfText(JSON.stringify(members)));
  return canon1OfText(JSON.stringify({ ...members, export_hash: `sha256:${hash}` }));
}

test("both verifiers take an export, and refuse it once any value is another one", {
  timeout: 60_000,
}, async (context) => {
  await using server = await testServer();
  const { ana, tip } = await chainWorld(server);
  const text = await exportText(server, ana, tip);
  expect(sealed(JSON.parse(text) as JsonObject)).toBe(text);
  const files = CHANGES.map(([path, value]) => {
    const bundle = JSON.parse(text) as JsonObject;
    put(bundle, path, value);
    return { name: `${path}: ${value}`, text: sealed(bundle) };
  });
  const forged = {
    name: "export_hash",
    text: text.replace(/"export_hash":"sha256:./, '"export_hash":"sha256:z'),
  };
  const all = [{ name: "as it is", text }, ...files, forged];
  const expected = all.map(({ name }, at) => [name, at === 0 ? "verified" : "failed"]);
  const ours = [];
  for (const { name, text } of all) ours.push([name, (await verifyBundle(text, verify)).verdict]);
  expect(ours).toEqual(expected);

  const theirs = inPython(all.map(({ text }) => text));
  if (theirs === undefined) return context.skip("python3 has no package cryptography");
  expect(all.map(({ name }, at) => [name, theirs[at]])).toEqual(expected);
});

/** Verdicts of the verifier that shares no code with ours; `undefined` where it cannot run. */
function inPython(texts: readonly string[]): string[] | undefined {
  if (spawnSync("python3", ["-c", "import cryptography"]).status !== 0) return undefined;
  using folder = tempFolder();
  const files = texts.map((text, at) => {
    const file = join(folder.path, `${at}.json`);
    writeFileSync(file, text);
    return file;
  });
  const { stdout } = spawnSync("python3", [PYTHON_VERIFIER, "--json", ...files], { encoding: "utf8" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { verdict: string }).verdict);
}

test("a chain of many pages verifies, is listed in full and exported piece by piece", {
  timeout: 60_000,
}, async () => {
  await using server = await testServer();
  const ana = await server.account();
  const ids = await longChain(server, ana, 300);
  const tip = ids.at(-1) ?? "";
  const verified = await server.call({ path: `/api/verify/${tip}` }, ana);
  expect(verified.json).toMatchObject({ chain_intact: true, length: 300 });
  const lineage = await server.call({ path: `/api/lineage/${tip}` }, ana);
  expect((lineage.json as { chain: { id: string }[] }).chain.map(({ id }) => id)).toEqual(ids.toReversed());
  const replayed = await server.call({ path: `/api/replay/${tip}?limit=200` }, ana);
  expect(replayed.json).toMatchObject({ totalSteps: 300, truncated: true, nextCursor: "201" });

  const bundled = await server.call({ path: `/api/bundle/${tip}` }, ana);
  const { chain, verification } = bundled.json as { chain: Json[]; verification: { steps: Json[] } };
  expect([chain.length, verification.steps.length]).toEqual([300, 300]);

  const pieces: Uint8Array[] = [];
  for await (const piece of await begunExport(server, ana, tip)) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  expect(text.length).toBeGreaterThan(WHOLE_CHARACTERS_MAX);
  expect(pieces.length).toBeGreaterThan(3);
  expect((await verifyBundle(text, verify)).verdict).toBe("verified");
});

/** The pieces of a long chain's export, the first of them made. */
async function begunExport(server: TestServer, { key }: TestAgent, id: string) {
  const { body } = await server.server.handler({
    method: "GET",
    query: "",
    headers: { authorization: `Bearer ${key}` },
    body: new Uint8Array(),
    path: `/api/export/${id}`,
    remote: { address: "127.0.0.1", loopback: true },
    signal: new AbortController().signal,
  });
  return body as AsyncIterable<Uint8Array>;
}

test("an export whose payloads are pruned while it is written has no end", { timeout: 60_000 }, async () => {
  await using server = await testServer();
  const ana = await server.account();
  const tip = (await longChain(server, ana, 300)).at(-1) ?? "";
  const begun = await begunExport(server, ana, tip);
  await server.db.write(async (tx) => {
    await tx.run("INSERT INTO ledger_pruned (position, pruned_ms) VALUES (299, 1795255200000)");
    await tx.run("DELETE FROM ledger_payloads WHERE position = 299");
  });
  let text = "";
  const read = async () => {
    for await (const piece of begun) text += Buffer.from(piece).toString("utf8");
  };
  await expect(read()).rejects.toThrow("changed while its export was written");
  expect(text).toContain('"commits":[');
  expect(text.endsWith("}")).toBe(false);
});
