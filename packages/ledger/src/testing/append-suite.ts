import { createHash } from "node:crypto";
import { virtualClock } from "@darkmatter/core/testing";
import { nodeHash, rootOf, verifyConsistency, verifyInclusion } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import type { Commit } from "../commits/commit.ts";
import { fsck } from "../fsck/fsck.ts";
import { type TestLedger, testEvent, testLedger } from "./test-ledger.ts";

/** Opens a database with the ledger's tables that holds nothing yet; may `context.skip` what cannot run here. */
export type OpenLedgerDatabase = (context: TestContext) => Promise<Database>;

/** What appending does on every database: run it on yours. */
export function appendSuite(name: string, open: OpenLedgerDatabase): void {
  const opened = async (context: TestContext) => testLedger({ db: await open(context) });
  describe(`append: ${name}`, () => {
    shapeSuite(opened);
    orderSuite(opened);
    treeSuite(opened);
    permanenceSuite(opened);
    erasingSuite(opened);
  });
}

type Opened = (context: TestContext) => Promise<TestLedger>;

/** Sound by its own check; checkpoints lie in tables that only SQLite has. */
export async function expectSound(ledger: TestLedger, commits: number): Promise<void> {
  const checkpoints =
    ledger.db.dialect === "sqlite" ? ledger.checkpoints : { ...ledger.checkpoints, from: async () => [] };
  const { signer, verifier } = ledger;
  const report = await fsck(ledger.db, { agentId: signer.agentId, checkpoints, verifier });
  expect(report).toMatchObject({ isSound: true, commits, first: null, problems: {} });
}

const sha = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");

function shapeSuite(opened: Opened): void {
  test("a commit is made of the bytes that docs/proof.md says", async (context) => {
    await using ledger = await opened(context);
    const peer = "cd".repeat(32);
    await ledger.append({ trace: "msg-one" });
    const hash = await ledger.append({
      act: "message.answered",
      trace: "msg-one",
      peer,
      peerCommit: "ef".repeat(32),
      fields: { response: 'gr"een ☃', direction: "inbound" },
    });
    const [root, tip] = await ledger.commits();
    const fields = await ledger.disclosures.fieldsOf(ledger.db, 1);
    expect(fields.map(({ name, value }) => [name, value])).toEqual([
      ["direction", "inbound"],
      ["response", 'gr"een ☃'],
    ]);
    const [direction, response] = fields.map(({ salt, name, value }) =>
      sha(`darkmatter.field.v1\n${salt}\n${name}\n${JSON.stringify(value)}`),
    );
    const payload =
      `{"act":"message.answered","fields":{"direction":"${direction}","response":"${response}"},` +
      `"message_id":"msg-one","peer":"${peer}","peer_commit":"${"ef".repeat(32)}"}`;
    const payloadHash = sha(payload);
    const integrityHash = sha(
      `{"agent_id":"${ledger.signer.agentId}","key_id":"default","parent_integrity_hash":"${root?.integrityHash}",` +
        `"payload_hash":"${payloadHash}","schema_version":"2","timestamp":"2026-11-21T10:00:00Z"}`,
    );
    expect(hash).toBe(integrityHash);
    expect(tip).toEqual({
      position: 1,
      id: expect.stringMatching(/^ctx_1795255200000_[0-9a-f]{12}$/),
      trace: "msg-one",
      parent: 0,
      root: 0,
      acceptedMs: 1_795_255_200_000,
      payload,
      payloadHash,
      chainHash: sha(payloadHash + root?.chainHash),
      integrityHash,
      leaf: sha(
        `\0{"accepted_at":"2026-11-21T10:00:00Z","commit_id":"${tip?.id}",` +
          `"integrity_hash":"${integrityHash}","log_position":1}`,
      ),
      logRoot: sha(`${sha(`genesis:${root?.integrityHash}`)}:${integrityHash}`),
      nodes: [nodeHash(root?.leaf ?? "", tip?.leaf ?? "")],
    });
    expect(root).toMatchObject({ parent: null, chainHash: sha(`${root?.payloadHash}root`) });
    expect(sha(await envelopeWithoutParent(ledger, root))).toBe(root?.integrityHash);
  });

  test("an act without fields, peer or message is a commit like any other", async (context) => {
    await using ledger = await opened(context);
    const event = { act: "connection.closed", trace: "x", messageId: undefined, peer: null, fields: {} };
    await ledger.append(event);
    const [commit] = await ledger.commits();
    expect(commit?.payload).toBe('{"act":"connection.closed","fields":{},"peer":null}');
    expect(await ledger.disclosures.fieldsOf(ledger.db, 0)).toEqual([]);
    await expectSound(ledger, 1);
  });

  test("values of every kind open their commitments, half surrogates as U+FFFD", async (context) => {
    await using ledger = await opened(context);
    const values = [
      0.1,
      -0,
      1e21,
      123456789012345680000,
      5e-324,
      [],
      {},
      null,
      "\u2028\u007f\n",
      { b: [1], a: 2 },
    ];
    const fields = Object.fromEntries(values.map((value, at) => [`f${at}`, value]));
    await ledger.append({ fields: { ...fields, half: { "\ud800": ["\udc00x"] }, "": "nameless" } });
    const kept = await ledger.disclosures.fieldsOf(ledger.db, 0);
    expect(kept.find(({ name }) => name === "half")?.value).toEqual({ "\ufffd": ["\ufffdx"] });
    expect(kept).toHaveLength(values.length + 2);
    await expectSound(ledger, 1);
  });

  test("no two commits share an id or a salt", async (context) => {
    await using ledger = await opened(context);
    await Promise.all(Array.from({ length: 150 }, () => ledger.append()));
    const ids = (await ledger.commits()).map(({ id }) => id);
    const salts = await Promise.all(ids.map((_, at) => ledger.disclosures.fieldsOf(ledger.db, at)));
    expect(new Set(ids).size).toBe(150);
    expect(new Set(salts.flat().map(({ salt }) => salt)).size).toBe(300);
  });
}

async function envelopeWithoutParent(ledger: TestLedger, root: Commit | undefined): Promise<string> {
  return (
    `{"agent_id":"${ledger.signer.agentId}","key_id":"default","parent_integrity_hash":"root",` +
    `"payload_hash":"${root?.payloadHash}","schema_version":"2","timestamp":"2026-11-21T10:00:00Z"}`
  );
}

function orderSuite(opened: Opened): void {
  test("acts at once get positions without gaps, and each trace is a chain of its own", async (context) => {
    await using ledger = await opened(context);
    await Promise.all(Array.from({ length: 60 }, (_, at) => ledger.append({ trace: `msg-${at % 7}` })));
    const commits = await ledger.commits();
    expect(commits.map(({ position }) => position)).toEqual(Array.from({ length: 60 }, (_, at) => at));
    const last = new Map<string, number>();
    for (const { trace, parent, position } of commits) {
      expect(parent).toBe(last.get(trace) ?? null);
      last.set(trace, position);
    }
    const roots = commits.map(({ trace }) => commits.findIndex((commit) => commit.trace === trace));
    expect(commits.map(({ root }) => root)).toEqual(roots);
    await expectSound(ledger, 60);
  });

  test("a body that fails leaves no hole and no trace, whoever shares its COMMIT", async (context) => {
    await using ledger = await opened(context);
    const { db, journal } = ledger;
    const acts = Array.from({ length: 30 }, (_, at) =>
      db.write(async (tx) => {
        await journal.append(tx, testEvent({ trace: `msg-${at % 3}` }));
        if (at % 4 === 1) throw new Error("no");
        await journal.append(tx, testEvent({ trace: `msg-${at % 5}` }));
      }),
    );
    const outcomes = await Promise.allSettled(acts);
    const landed = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(landed).toBe(22);
    await expectSound(ledger, 2 * landed);
  });

  test("what a body appended is what its next append follows", async (context) => {
    await using ledger = await opened(context);
    const { db, journal } = ledger;
    await db.write(async (tx) => {
      for (let at = 0; at < 5; at++) await journal.append(tx, testEvent());
    });
    expect((await ledger.commits()).map(({ parent }) => parent)).toEqual([null, 0, 1, 2, 3]);
    await expectSound(ledger, 5);
  });

  test("a clock that goes backwards changes no order", async (context) => {
    await using db = await (await opened(context)).db;
    let nowMs = 2_000_000_000_000;
    const clock = { ...virtualClock(), now: () => (nowMs -= 86_400_123.4) };
    const ledger = await testLedger({ db, clock });
    for (let at = 0; at < 9; at++) await ledger.append();
    const commits = await ledger.commits();
    expect(commits.map(({ parent }) => parent)).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7]);
    expect(commits.every(({ acceptedMs }, at) => at === 0 || acceptedMs < commits[at - 1]!.acceptedMs)).toBe(
      true,
    );
    expect((await ledger.reader.commits.recent(db, 2)).map(({ position }) => position)).toEqual([8, 7]);
    await expectSound(ledger, 9);
  });
}

const SIZE = 133;

function treeSuite(opened: Opened): void {
  test("the tree of every size has the root of its leaves, and every proof holds", async (context) => {
    await using ledger = await opened(context);
    const { db, log } = ledger;
    expect(await log.head(db)).toBeUndefined();
    await expect(log.headAt(db, 1)).rejects.toMatchObject({ code: "LOG_SIZE" });
    await db.write(async (tx) => {
      for (let at = 0; at < SIZE; at++)
        await ledger.journal.append(tx, testEvent({ trace: `msg-${at % 20}` }));
    });
    const leaves = (await ledger.commits()).map(({ leaf }) => leaf);
    const heads = [];
    for (let size = 1; size <= SIZE; size++) heads.push(await log.headAt(db, size));
    expect(heads.map(({ treeRoot }) => treeRoot)).toEqual(
      leaves.map((_, at) => naiveRoot(leaves.slice(0, at + 1))),
    );
    expect(await log.head(db)).toEqual(heads.at(-1));

    for (const size of [1, 2, 3, 64, 65, 100, SIZE]) {
      const root = heads[size - 1]?.treeRoot ?? "";
      for (let index = 0; index < size; index += 3) {
        const proof = await log.inclusion(db, index, size);
        expect(verifyInclusion({ leaf: leaves[index] ?? "", index, size, proof, root })).toBe(true);
      }
      for (let first = 1; first <= size; first += 5) {
        const proof = await log.consistency(db, first, size);
        const firstRoot = heads[first - 1]?.treeRoot ?? "";
        const claim = { firstSize: first, firstRoot, secondSize: size, secondRoot: root, proof };
        expect(verifyConsistency(claim)).toBe(true);
      }
    }
  });

  test("a size the log never had, and an index it does not hold, are refused", async (context) => {
    await using ledger = await opened(context);
    for (let at = 0; at < 3; at++) await ledger.append();
    const { db, log } = ledger;
    for (const size of [0, -1, 4, 1.5, Number.NaN]) {
      await expect(log.headAt(db, size)).rejects.toMatchObject({ code: "LOG_SIZE" });
      await expect(log.inclusion(db, 0, size)).rejects.toMatchObject({ code: "LOG_SIZE" });
      await expect(log.consistency(db, 1, size)).rejects.toMatchObject({ code: "LOG_SIZE" });
    }
    await expect(log.inclusion(db, 3, 3)).rejects.toMatchObject({ code: "LOG_SIZE" });
    await expect(log.inclusion(db, -1, 3)).rejects.toMatchObject({ code: "LOG_SIZE" });
    await expect(log.consistency(db, 3, 2)).rejects.toMatchObject({ code: "LOG_SIZE" });
  });
}

/** RFC 9162 2.1.1, word for word. */
function naiveRoot(leaves: readonly string[]): string {
  if (leaves.length === 1) return leaves[0] ?? "";
  let middle = 1;
  while (2 * middle < leaves.length) middle *= 2;
  return rootOf([naiveRoot(leaves.slice(0, middle)), naiveRoot(leaves.slice(middle))]);
}

function permanenceSuite(opened: Opened): void {
  test("the database itself refuses to change, delete or replace a commit", async (context) => {
    await using ledger = await opened(context);
    const { db } = ledger;
    await ledger.append();
    await ledger.append();
    const before = await ledger.commits();
    const attacks = [
      "UPDATE ledger_commits SET payload = '{}'",
      "UPDATE ledger_commits SET position = 7 WHERE position = 1",
      "DELETE FROM ledger_commits WHERE position = 1",
      db.dialect === "sqlite"
        ? "REPLACE INTO ledger_commits SELECT * FROM ledger_commits WHERE position = 1"
        : "TRUNCATE ledger_commits",
      "INSERT INTO ledger_commits SELECT * FROM ledger_commits WHERE position = 0",
    ];
    for (const sql of attacks) {
      await expect(db.write((tx) => tx.run(sql))).rejects.toThrow();
    }
    expect(await ledger.commits()).toEqual(before);
  });

  test("a record of the end that is older than the commits lets nothing be appended over them", async (context) => {
    await using ledger = await opened(context);
    const { db } = ledger;
    await ledger.append();
    const old = await db.get<{ log_root: string; frontier: string }>("SELECT * FROM ledger_tail");
    await ledger.append();
    await db.write((tx) =>
      tx.run(
        "UPDATE ledger_tail SET size = 1, log_root = ?, frontier = ?",
        old?.log_root ?? "",
        old?.frontier ?? "",
      ),
    );
    await expect(ledger.append()).rejects.toMatchObject({ code: "CONSTRAINT_BROKEN" });
    expect(await ledger.commits()).toHaveLength(2);
  });
}

function erasingSuite(opened: Opened): void {
  test("an erased field is gone, its commitment stays, and the ledger is sound", async (context) => {
    await using ledger = await opened(context);
    const { db, disclosures } = ledger;
    await ledger.append({ fields: { content: "secret", metadata: {}, signed: null } });
    const [before] = await ledger.commits();
    const id = before?.id ?? "";
    expect(await db.write((tx) => disclosures.erase(tx, id, ["content"]))).toEqual(["content"]);
    expect((await disclosures.fieldsOf(db, 0)).map(({ name }) => name)).toEqual(["metadata", "signed"]);
    const erasedMs = Math.floor(ledger.clock.now());
    expect(await disclosures.erasuresOf(db, 0)).toEqual([{ name: "content", erasedMs }]);
    expect(await ledger.commits()).toEqual([before]);
    await expectSound(ledger, 1);

    const again = db.write((tx) => disclosures.erase(tx, id, ["metadata", "content"]));
    await expect(again).rejects.toMatchObject({ code: "NO_SUCH_FIELD" });
    expect(await disclosures.fieldsOf(db, 0)).toHaveLength(2);
    await db.write((tx) => disclosures.erase(tx, id, "all"));
    expect(await disclosures.fieldsOf(db, 0)).toEqual([]);
    expect(await disclosures.erasuresOf(db, 0)).toHaveLength(3);
    await expectSound(ledger, 1);
    await expect(db.write((tx) => disclosures.erase(tx, "ctx_1_none", "all"))).rejects.toMatchObject({
      code: "NO_SUCH_COMMIT",
    });
  });

  test("of fields erased at once none comes back", async (context) => {
    await using ledger = await opened(context);
    const { db, disclosures } = ledger;
    const names = Array.from({ length: 8 }, (_, at) => `f${at}`);
    await ledger.append({ fields: Object.fromEntries(names.map((name) => [name, name])) });
    const [commit] = await ledger.commits();
    await Promise.all(
      names.slice(1).map((name) => db.write((tx) => disclosures.erase(tx, commit?.id ?? "", [name]))),
    );
    expect((await disclosures.fieldsOf(db, 0)).map(({ name }) => name)).toEqual(["f0"]);
    await expectSound(ledger, 1);
  });
}
