import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import { verifyBundle } from "@darkmatter/proof";
import type { Database, JournalEvent } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { toolHarness } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { createLedger } from "./ledger.ts";
import { ledgerMigrations } from "./schema.ts";
import { testEvent } from "./testing/test-ledger.ts";

const MESSAGE = "msg-1a0cdccd0c92";
const CHECKPOINT = "darkmatter_ledger_checkpoint";
const ERASE = "darkmatter_ledger_erase";
const PROVE = "darkmatter_prove";
const nobody: Wire = {
  request: () => Promise.reject(new Error("nothing is sent")),
  close: async () => undefined,
};

/** A node's ledger with its tools, the bundles it kept, and the messages it had erased elsewhere. */
async function node() {
  const db: Database = await memoryDatabase(ledgerMigrations);
  const kept = new Map<string, string>();
  const erasedElsewhere: string[] = [];
  const verifier = createVerifier({ threads: "never" });
  const ledger = createLedger(
    {
      db,
      verifier,
      clock: virtualClock({ startMs: Date.parse("2026-11-21T10:00:00Z") }),
      random: seededRandom(1),
      signer: createSigner(new Uint8Array(32).fill(7)),
      wire: nobody,
      peers: { witnesses: async () => [], all: async () => [] },
      agentName: async () => "Ana",
      report: () => undefined,
    },
    [],
    {
      eraseMessage: async (_tx, messageId) => void erasedElsewhere.push(messageId),
      files: {
        keep: async (name, text) => {
          kept.set(`/exports/${name}`, text);
          return `/exports/${name}`;
        },
        read: async (path) => new TextEncoder().encode(kept.get(path) ?? ""),
      },
    },
  );
  await ledger.start();
  const tools = toolHarness({
    tools: ledger.tools,
    instructions: "",
    resources: [],
    decorate: async (_session, result) => result,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
  });
  return {
    db,
    ledger,
    tools,
    kept,
    erasedElsewhere,
    verifier,
    append: (event?: Partial<JournalEvent>) => db.write((tx) => ledger.journal.append(tx, testEvent(event))),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

test("what acts for the commands is never listed; proof is offered once there is something to prove", async () => {
  await using ana = await node();
  expect(ana.tools.names()).toEqual([]);
  await ana.append();
  expect(ana.tools.names("new")).toEqual([PROVE]);
});

test("an agent proves a conversation: the words it names are in the file, and the file verifies", async () => {
  await using ana = await node();
  await ana.append();
  const closed = await ana.tools.call(PROVE, { about: MESSAGE });
  expect(closed).toMatchObject({
    success: true,
    steps: 1,
    disclosed: {},
    closed: { content: 1, metadata: 1 },
  });
  const open = await ana.tools.call(PROVE, { about: MESSAGE, disclose: ["content"] });
  expect(open).toMatchObject({ disclosed: { content: 1 }, closed: { metadata: 1 } });
  const text = ana.kept.get(String(open.file)) ?? "";
  const { verdict, phases } = await verifyBundle(text, ana.verifier.verify);
  expect(verdict).toBe("verified");
  expect(phases.find(({ phase }) => phase === "checkpoint")?.status).toBe("pass");
  expect(text).toContain("is the build green?");
  expect(JSON.parse(text).export_hash).toBe(open.export_hash);
});

test("an agent checks a file or its text, and is told what was said, marked as the file's words", async () => {
  await using ana = await node();
  await ana.append();
  const { file } = await ana.tools.call(PROVE, { about: MESSAGE, disclose: ["all"] });
  const path = String(file);
  const good = await ana.tools.call(PROVE, { check: [path] });
  expect(good).toMatchObject({
    verdict: "verified",
    files: [{ agent_name: "Ana", phases: { chain: "pass", witnesses: "not checked" }, failed: [] }],
    statements: [{ act: "message.sent", message_id: MESSAGE, content: "is the build green?" }],
    peer_words: expect.stringContaining("not instructions"),
  });
  const forged = ana.kept.get(path)?.replace("is the build green?", "is the build gray??") ?? "";
  expect(await ana.tools.call(PROVE, { check: [forged] })).toMatchObject({
    verdict: "failed",
    files: [{ failed: expect.arrayContaining([expect.objectContaining({ phase: "disclosures" })]) }],
    statements: [],
  });
  expect(await ana.tools.call(PROVE, {})).toMatchObject({ success: false });
  expect(await ana.tools.call(PROVE, { about: MESSAGE, check: [path] })).toMatchObject({ success: false });
});

test("what there is no proof of is said, with what to do", async () => {
  await using ana = await node();
  await ana.append();
  expect(await ana.tools.call(PROVE, { about: "msg-000000000000" })).toMatchObject({
    success: false,
    next_step: expect.stringContaining("recent"),
  });
  expect(await ana.tools.call(PROVE, { about: MESSAGE, disclose: ["contents"] })).toMatchObject({
    success: false,
    error: "No such field is held: contents.",
  });
  expect(ana.kept.size).toBe(0);
});

test("a checkpoint is signed on demand, once for each size of the log", async () => {
  await using ana = await node();
  expect(await ana.tools.call(CHECKPOINT)).toMatchObject({ checkpoint: null });
  await ana.append();
  const first = await ana.tools.call(CHECKPOINT);
  expect(first).toMatchObject({ checkpoint: { tree_size: 1 }, asked: [], witnesses: [] });
  expect(await ana.tools.call(CHECKPOINT)).toMatchObject({ checkpoint: first.checkpoint });
});

test("erasing a message erases the named fields wherever they are, here and in the mesh, and the chain stays whole", async () => {
  await using ana = await node();
  await ana.append();
  await ana.append({ act: "message.answered", fields: { response: "yes", signed: { content_hash: "00" } } });
  const plan = await ana.ledger.read.planErasure(ana.db, MESSAGE, ["content", "response"]);
  expect(plan.steps.map(({ fields }) => fields)).toEqual([["content"], ["response"]]);
  expect(plan.hashesLeft.map(({ fields }) => fields)).toEqual([["signed"]]);
  const ofQuestion = await ana.ledger.read.planErasure(ana.db, MESSAGE, ["content"]);
  expect(ofQuestion.hashesLeft).toEqual([]);

  const erased = await ana.tools.call(ERASE, { what: MESSAGE, fields: ["content", "response"] });
  expect(erased).toMatchObject({
    erased: [{ act: "message.sent", fields: ["content"] }, { fields: ["response"] }],
    messages: [MESSAGE],
    purged: true,
  });
  expect(ana.erasedElsewhere).toEqual([MESSAGE]);
  expect(await ana.ledger.read.fsck(ana.db)).toMatchObject({ isSound: true, erased: 2, values: 2 });
  expect(await ana.tools.call(ERASE, { what: MESSAGE, fields: ["content"] })).toMatchObject({
    success: false,
  });
});

test("erasing what is no message's words leaves the mesh alone", async () => {
  await using ana = await node();
  await ana.append({ act: "impression.set", trace: "ab".repeat(32), fields: { score: 1, note: "kind" } });
  await ana.tools.call(ERASE, { what: "ab".repeat(32), fields: ["note"] });
  expect(ana.erasedElsewhere).toEqual([]);
});

test("an erasing repeated after a takeover is the same erasing", async () => {
  await using ana = await node();
  await ana.append();
  const call = { callId: "once" };
  const first = await ana.tools.call(ERASE, { what: MESSAGE }, call);
  expect(await ana.tools.call(ERASE, { what: MESSAGE }, call)).toEqual(first);
  expect(ana.erasedElsewhere).toEqual([MESSAGE]);
});
