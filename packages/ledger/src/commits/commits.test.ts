import { expect, test } from "vitest";
import { testLedger } from "../testing/test-ledger.ts";
import { payloadOf } from "./commit.ts";

async function withCommits(traces: readonly string[]) {
  const ledger = await testLedger();
  for (const trace of traces) await ledger.append({ trace });
  const find = (name: string) => ledger.reader.commits.find(ledger.db, name);
  return { ledger, find, commits: await ledger.commits() };
}

test("a commit is found by its id, the beginning of it, its hash, the beginning of that, and its message", async () => {
  const { find, commits } = await withCommits(["msg-a", "msg-b", "msg-a"]);
  const [first, second, third] = commits;
  expect(await find(second?.id ?? "")).toEqual(second);
  // The clock stood still: all but the random part is the same.
  expect(await find(second?.id.slice(0, -8) ?? "")).toEqual(second);
  expect(await find(second?.integrityHash ?? "")).toEqual(second);
  expect(await find(`sha256:${first?.integrityHash}`)).toEqual(first);
  expect(await find(third?.integrityHash.slice(0, 8) ?? "")).toEqual(third);
  expect(await find("msg-a")).toEqual(third);
  expect(await find("msg-b")).toEqual(second);
});

test("what begins more than one, and what is none, is refused", async () => {
  const { find, commits } = await withCommits(["msg-a", "msg-b"]);
  await expect(find("ctx_")).rejects.toMatchObject({ code: "AMBIGUOUS_COMMIT" });
  await expect(find(commits[0]?.id.slice(0, 10) ?? "")).rejects.toMatchObject({ code: "AMBIGUOUS_COMMIT" });
  const none = ["", "msg", "ctx_16", "0".repeat(64), "00000000", commits[0]?.integrityHash.slice(0, 7) ?? ""];
  for (const name of [...none, commits[0]?.chainHash ?? "", "%", "ctx_%"])
    await expect(find(name)).rejects.toMatchObject({ code: "NO_SUCH_COMMIT" });
});

test("a message whose id looks like a commit's, or like a hash, is found", async () => {
  const { find, commits } = await withCommits(["ctx_9", "deadbeef00"]);
  expect(await find("ctx_9")).toEqual(commits[0]);
  expect(await find("deadbeef00")).toEqual(commits[1]);
});

test("a message called as another conversation's commit leads to neither", async () => {
  const { ledger, commits } = await withCommits(["private", "other"]);
  const { id = "", integrityHash: hash = "" } = commits[0] ?? {};
  for (const name of [hash.slice(0, 12), hash, id, id.slice(0, -3)]) {
    await ledger.append({ act: "message.received", trace: name, messageId: name });
    await expect(ledger.reader.commits.find(ledger.db, name)).rejects.toMatchObject({
      code: "AMBIGUOUS_COMMIT",
    });
    await expect(ledger.reader.planErasure(ledger.db, name, "all")).rejects.toMatchObject({
      code: "AMBIGUOUS_COMMIT",
    });
  }
  expect(await ledger.reader.commits.find(ledger.db, hash.slice(0, 20))).toEqual(commits[0]);
});

test("a hash is found however far back, and is looked for in pieces", async () => {
  await using ledger = await testLedger();
  const { db, journal } = ledger;
  const first = await ledger.append();
  for (let round = 0; round < 5; round++) {
    await db.write(async (tx) => {
      for (let at = 0; at < 4200; at++) {
        await journal.append(tx, { act: "a", trace: `t${at}`, peer: null, fields: {} });
      }
    });
  }
  const { commits } = ledger.reader;
  expect((await commits.find(db, first)).position).toBe(0);
  expect((await commits.find(db, first.slice(0, 20))).position).toBe(0);
});

test("the latest come newest first, page by page", async () => {
  const { ledger } = await withCommits(["a", "b", "c", "d", "e"]);
  const { commits } = ledger.reader;
  const traces = async (limit: number, before?: number) =>
    (await commits.recent(ledger.db, limit, before)).map(({ trace }) => trace);
  expect(await traces(2)).toEqual(["e", "d"]);
  expect(await traces(2, 3)).toEqual(["c", "b"]);
  expect(await traces(9, 1)).toEqual(["a"]);
});

test("a chain goes from the first commit of its trace to the one asked for, and no further", async () => {
  const { ledger, commits } = await withCommits(["a", "b", "a", "a", "b"]);
  const chain = await ledger.reader.commits.chain(ledger.db, commits[2]?.id ?? "");
  expect(chain.map(({ position }) => position)).toEqual([0, 2]);
  expect((await ledger.reader.commits.ofTrace(ledger.db, "a")).map(({ position }) => position)).toEqual([
    0, 2, 3,
  ]);
  for (const id of ["a", commits[2]?.id.slice(0, -3) ?? "", "ctx_1_0"])
    await expect(ledger.reader.commits.chain(ledger.db, id)).rejects.toMatchObject({
      code: "NO_SUCH_COMMIT",
    });
});

test("a payload that is no payload any more is refused as damage", async () => {
  const { commits } = await withCommits(["a"]);
  const [commit] = commits;
  expect(commit && payloadOf(commit).act).toBe("message.sent");
  for (const payload of ["", "{", "[]", "null", '{"act":1,"fields":{}}', '{"act":"a"}'])
    expect(() => payloadOf({ id: "ctx_1_x", payload })).toThrow("ctx_1_x");
});
