import { createHash } from "node:crypto";
import { canon1OfText, type JsonObject } from "@darkmatter/core";
import { createSigner, createVerifier } from "@darkmatter/identity";
import { type BundleReport, checkpointText, PHASES, verifyBundle, witnessId } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { expect, test } from "vitest";
import { insertWitnessSignature } from "../checkpoints/checkpoints.store.ts";
import { tamper } from "../testing/damage.ts";
import { type TestLedger, testEvent, testLedger } from "../testing/test-ledger.ts";
import { insertEvidence, insertWitnessed } from "../witnesses/witnesses.store.ts";
import type { BundleWishes } from "./steps.ts";

const { verify } = createVerifier({ threads: "never" });
const BO = createSigner(new Uint8Array(32).fill(5));
const TRACE = "msg-1a0cdccd0c92";

/** A conversation of four steps with bo among thirty other commits, and checkpoints after the first and after all. */
async function conversation(): Promise<TestLedger> {
  const ledger = await testLedger();
  const others = async (count: number) => {
    for (let at = 0; at < count; at++) await ledger.append({ trace: `msg-${at}` });
  };
  await others(5);
  await ledger.append({
    trace: TRACE,
    peer: BO.agentId,
    fields: { content: "green?", metadata: { a: 1.5 } },
  });
  await ledger.db.write((tx) => ledger.checkpoints.make(tx));
  await others(12);
  const peerCommit = "ef".repeat(32);
  await ledger.append({
    act: "message.forwarded",
    trace: TRACE,
    peer: BO.agentId,
    fields: { from: BO.agentId },
  });
  await others(9);
  await ledger.append({
    act: "receipt.given",
    trace: TRACE,
    peer: BO.agentId,
    fields: { rung: "read", detail: null },
  });
  await ledger.append({
    act: "message.answered",
    trace: TRACE,
    peer: BO.agentId,
    peerCommit,
    fields: { response: "green ☃", direction: "outbound" },
  });
  await others(4);
  return ledger;
}

async function exported(ledger: TestLedger, wishes: Partial<BundleWishes> = {}) {
  const tip = wishes.tip ?? (await ledger.reader.commits.find(ledger.db, TRACE)).id;
  return ledger.reader.exportBundle(ledger.db, { disclose: () => true, ...wishes, tip });
}

const checkpoint = (ledger: TestLedger) => ledger.db.write((tx) => ledger.checkpoints.make(tx));

function outcome({ verdict, phases }: BundleReport) {
  const by = (status: string) => phases.filter((phase) => phase.status === status).map(({ phase }) => phase);
  return { verdict, failed: by("fail"), notChecked: by("not checked") };
}

const ALONE = ["attestations", "witnesses", "message_signatures", "receipts", "witnessed", "evidence"];

test("a conversation becomes a file that the verifier passes in every phase it has something for", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  const bundle = await exported(ledger);
  const report = await verifyBundle(bundle.text, verify);
  expect(outcome(report)).toEqual({ verdict: "verified", failed: [], notChecked: ALONE });
  expect(report.about).toMatchObject({
    exportedBy: ledger.signer.agentId,
    agentName: "agent 1",
    log: `mesh/${ledger.signer.agentId}`,
    traceId: TRACE,
    steps: 4,
    peers: [BO.agentId],
  });
  expect(bundle).toMatchObject({ steps: 4, witnesses: 0 });
});

test("the file is canonical, has the members of the contract, and its hash is the hash of all the others", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  const { text } = await exported(ledger);
  expect(canon1OfText(text)).toBe(text);
  const bundle = JSON.parse(text) as Record<string, JsonObject & string>;
  expect(Object.keys(bundle)).toEqual([
    ...["_spec", "chain", "checkpoint", "commits", "consistency", "disclosures", "evidence", "export_hash"],
    ...["export_sig", "integrity", "log", "metadata", "server_pubkey", "witnessed"],
  ]);
  expect(bundle._spec?.phases).toEqual([...PHASES]);
  const { export_hash, ...rest } = bundle;
  const hash = createHash("sha256")
    .update(canon1OfText(JSON.stringify(rest)))
    .digest("hex");
  expect(export_hash).toBe(`sha256:${hash}`);
  expect(bundle.consistency).toHaveLength(1);
});

test("every export has an id of its own, and the chain's hash stays the same", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  const [one, other] = [await exported(ledger), await exported(ledger)];
  expect(one.exportId).not.toBe(other.exportId);
  const chainHash = ({ text }: { text: string }) => JSON.parse(text).integrity.chain_hash as string;
  expect(chainHash(one)).toBe(chainHash(other));
});

test("a part of a conversation is exported up to the commit asked for", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  const second = (await ledger.reader.commits.ofTrace(ledger.db, TRACE))[1];
  const bundle = await exported(ledger, { tip: second?.id ?? "" });
  const report = await verifyBundle(bundle.text, verify);
  expect(report.verdict).toBe("verified");
  expect(report.about?.steps).toBe(2);
});

test("a commit that no checkpoint covers yet is not exported, and can be after one is made", async () => {
  await using ledger = await conversation();
  await expect(exported(ledger)).rejects.toMatchObject({ code: "CHECKPOINT_NEEDED" });
  await checkpoint(ledger);
  expect((await verifyBundle((await exported(ledger)).text, verify)).verdict).toBe("verified");
});

test("only what the owner names is disclosed, with what proves who spoke; bare, not even that", async () => {
  await using ledger = await testLedger();
  await ledger.append({ trace: TRACE, fields: { content: "c", metadata: {}, signed: { s: 1 } } });
  await checkpoint(ledger);
  const names = async (wishes: Partial<BundleWishes>) => {
    const { text } = await exported(ledger, wishes);
    return (JSON.parse(text).disclosures as { name: string }[]).map(({ name }) => name);
  };
  expect(await names({})).toEqual(["content", "metadata", "signed"]);
  expect(await names({ disclose: (name) => name === "content" })).toEqual(["content", "signed"]);
  expect(await names({ disclose: () => false })).toEqual(["signed"]);
  expect(await names({ disclose: () => false, bare: true })).toEqual([]);
  // Who names them gets neither, bare.
  expect(await names({ disclose: () => true, bare: true })).toEqual(["content", "metadata"]);
});

test("an erased field is not disclosed, and the bundle still verifies", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  const [first] = await ledger.reader.commits.ofTrace(ledger.db, TRACE);
  await ledger.db.write((tx) => ledger.disclosures.erase(tx, first?.id ?? "", ["content"]));
  const { text } = await exported(ledger);
  expect(text).not.toContain("green?");
  expect((await verifyBundle(text, verify)).verdict).toBe("verified");
});

test("witnesses make it L2: the first witnessed checkpoint is the one it stands under", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  await ledger.append({ trace: "msg-later" });
  const witnessed = await checkpoint(ledger);
  if (!witnessed) throw new Error("no checkpoint");
  await ledger.db.write((tx) =>
    insertWitnessSignature(tx, witnessed.tree_size, {
      witnessId: witnessId(BO.agentId),
      agentId: BO.agentId,
      name: "bo",
      signature: BO.sign(checkpointText(witnessed)),
      witnessedAt: witnessed.timestamp,
    }),
  );
  const bundle = await exported(ledger);
  expect(bundle).toMatchObject({ checkpointId: witnessed.checkpoint_id, witnesses: 1 });
  expect(bundle.text).toContain('"assurance_level":"L2"');
  const report = await verifyBundle(bundle.text, verify);
  expect(outcome(report)).toEqual({
    verdict: "verified",
    failed: [],
    notChecked: ALONE.filter((phase) => phase !== "witnesses"),
  });
  expect(report.about?.witnesses).toEqual([{ id: witnessId(BO.agentId), name: "bo" }]);
});

test("what was signed for the chain's peers, and what they stand accused of, goes along", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  await using bos = await testLedger({ seed: 5 });
  await using bosOther = await testLedger({ seed: 5 });
  await bos.append();
  await bosOther.append({ trace: "another history" });
  const [first, second] = [await checkpoint(bos), await checkpoint(bosOther)];
  if (!first || !second) throw new Error("no checkpoint");
  expect(first.tree_root).not.toBe(second.tree_root);
  await ledger.db.write(async (tx) => {
    const signature = ledger.signer.sign(checkpointText(first));
    const witnessedAt = first.timestamp;
    await insertWitnessed(tx, { agentId: BO.agentId, checkpoint: first, signature, witnessedAt });
    const evidence = { agentId: BO.agentId, first, second, recordedAt: first.timestamp, from: null };
    await insertEvidence(tx, evidence, []);
  });
  const report = await verifyBundle((await exported(ledger)).text, verify);
  const passed = report.phases.filter(({ status }) => status === "pass").map(({ phase }) => phase);
  expect(passed).toEqual(expect.arrayContaining(["witnessed", "evidence"]));
  expect(report.about?.accused).toEqual([BO.agentId]);
});

test.each([
  [
    "a payload",
    "UPDATE ledger_commits SET payload = replace(payload, 'answered', 'refused') WHERE trace = ?",
  ],
  ["a scheme-2 hash", "UPDATE ledger_commits SET integrity_hash = zeroblob(32) WHERE trace = ?"],
  ["a link", "UPDATE ledger_commits SET parent = 3 WHERE trace = ? AND parent IS NOT NULL"],
  ["a leaf", "UPDATE ledger_commits SET leaf = zeroblob(32) WHERE trace = ?"],
])("nothing is signed over a damaged commit: %s", async (_, sql) => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  await tamper(ledger.db, sql, TRACE);
  await expect(exported(ledger)).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
});

test("a tree that no longer leads to the checkpoint is not exported as if it did", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  await tamper(ledger.db, "UPDATE ledger_commits SET nodes = zeroblob(96) WHERE position = 7");
  await expect(exported(ledger)).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
});

test("a name that is no commit's id is refused", async () => {
  await using ledger = await conversation();
  await checkpoint(ledger);
  await expect(exported(ledger, { tip: "ctx_1_000000000000" })).rejects.toMatchObject({
    code: "NO_SUCH_COMMIT",
  });
});

test("a conversation of two thousand steps is exported, and verified", { timeout: 120_000 }, async () => {
  await using ledger = await testLedger();
  const { db, journal } = ledger;
  for (let group = 0; group < 4; group++) {
    await db.write(async (tx) => {
      for (let at = 0; at < 500; at++) {
        await journal.append(tx, testEvent({ trace: TRACE, fields: { content: `step ${at}` } }));
      }
    });
  }
  await checkpoint(ledger);
  const bundle = await exported(ledger);
  expect(bundle.steps).toBe(2000);
  const report = await verifyBundle(bundle.text, verify);
  expect(report.verdict).toBe("verified");
});

test("an export reads no more checkpoints than it looks at, however many were signed since", async () => {
  await using ledger = await testLedger();
  const { db, reader, checkpoints } = ledger;
  await ledger.append({ trace: TRACE });
  for (let at = 0; at < 200; at++) {
    await ledger.append({ trace: `msg-${at}` });
    await db.write((tx) => checkpoints.make(tx));
  }
  let read = 0;
  const counting: Read = {
    get: (sql, ...values) => db.get(sql, ...values),
    async all(sql, ...values) {
      const rows = await db.all(sql, ...values);
      if (sql.includes("ledger_checkpoints WHERE")) read += rows.length;
      return rows as never;
    },
  };
  const tip = await reader.commits.find(db, TRACE);
  const { text } = await reader.exportBundle(counting, { tip: tip.id, disclose: () => false });
  expect(await verifyBundle(text, verify)).toMatchObject({ verdict: "verified" });
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(100);
});
