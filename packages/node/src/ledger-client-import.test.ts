import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import {
  type AtFolder,
  atFolder,
  chainAs,
  commitAs,
  fakeServer,
  initialised,
  keyIn,
  realLedgerServer,
  STRANGE_KEY,
  serverWith,
} from "./testing/at-folder.ts";

let server: RunningLedgerServer;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("import", () => {
  async function exported(at: AtFolder, length = 3): Promise<string> {
    await chainAs(at, length);
    return (await at.json("export", "1", "-o", "bundle.json")).said.file;
  }

  test("a chain is committed anew: payloads, order and integrity hashes are the same, the original is named", async () => {
    using from = await initialised(server.url, "first");
    using to = await initialised(server.url, "second");
    await commitAs(from, '{"payload":{"output":1.0},"traceId":"t","eventType":"my.tool","branchKey":"b"}');
    const [one] = (await from.json("recent")).said.commits;
    const file = (await from.json("export", "1", "-o", "bundle.json")).said.file;

    const { code, said } = await to.json("import", file);
    expect(code).toBe(0);
    expect(said).toMatchObject({
      steps: 1,
      imported: 1,
      already_there: 0,
      commits: [{ original: one.commit }],
    });
    const [there] = (await to.json("recent")).said.commits;
    expect(there.commit).not.toBe(one.commit);
    expect(there.passport.integrity.integrity_hash).toBe(one.passport.integrity.integrity_hash);
    expect(there).toMatchObject({ trace: "t", event: "my.tool" });
    expect(there.passport).toMatchObject({ branch_key: "b", created_by: { agent_name: "second" } });
    expect((await to.typed("recent", "--json")).out).toContain('"output":1.0');
    await to.json("export", "1", "-o", "again.json");
    expect(JSON.parse(to.read("again.json")).commits[0].metadata.imported).toMatchObject({
      id: one.commit,
      agent_name: "first",
    });
  });

  test("the same bundle again commits nothing; what was interrupted goes on where it ended", async () => {
    using from = await initialised(server.url);
    using to = await initialised(server.url);
    const file = await exported(from);
    const before = (await from.json("recent")).said.commits.reverse();
    // The first of them, as an import that was cut off left it.
    const root = JSON.parse(from.read("bundle.json")).chain[0];
    await commitAs(to, {
      payload: root.payload,
      traceId: "trc_x",
      metadata: { imported: { id: root.id } },
    });

    const first = await to.json("import", file);
    expect(first).toMatchObject({ code: 0, said: { steps: 3, imported: 2, already_there: 1 } });
    expect(await to.json("import", file)).toMatchObject({
      code: 0,
      said: { imported: 0, already_there: 3, tip: first.said.tip },
    });
    const after = (await to.json("recent")).said.commits.reverse();
    const hash = ({ passport }: { passport: { integrity: object } }) => passport.integrity;
    expect(after.map(hash)).toMatchObject(
      before.map((one: never) => ({
        integrity_hash: (hash(one) as { integrity_hash: string }).integrity_hash,
      })),
    );
  });

  test("of a chain with a fork, whose steps stand in two traces, nothing is committed twice either", async () => {
    using from = await initialised(server.url);
    using to = await initialised(server.url);
    await exported(from);
    await from.json("fork", "1", "--from", "2", "--yes");
    const file = (await from.json("export", "1", "-o", "forked.json")).said.file;
    const first = await to.json("import", file);
    expect(first).toMatchObject({ code: 0, said: { steps: 3, imported: 3, already_there: 0 } });
    expect(await to.json("import", file)).toMatchObject({
      said: { imported: 0, already_there: 3, tip: first.said.tip },
    });
  });

  test("a chain that only happens to hold the same is not taken for an import", async () => {
    using from = await initialised(server.url);
    using to = await initialised(server.url);
    const file = await exported(from, 1);
    await chainAs(to, 1);
    expect(await to.json("import", file)).toMatchObject({ said: { imported: 1, already_there: 0 } });
  });

  test("what does not verify is not sent at all", async () => {
    using from = await initialised(server.url);
    const file = await exported(from);
    writeFileSync(file, from.read("bundle.json").replace("say 2", "say 3"));
    await using fake = await fakeServer(200, {}, "{}");
    using to = atFolder();
    to.env.DARKMATTER_API_KEY = STRANGE_KEY;
    to.env.DARKMATTER_HOST = fake.url;
    expect(await to.json("import", file)).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("does not verify, so nothing was imported") },
    });
    expect(fake.asked).toEqual([]);
    expect((await to.json("import", "missing.json")).code).toBe(1);
  });

  test("a server that stores something else is found out at the first step", async () => {
    using from = await initialised(server.url);
    const file = await exported(from);
    const passport = JSON.parse(from.read("bundle.json")).chain[1];
    await using fake = await fakeServer(200, {}, JSON.stringify({ ...passport, results: [], total: 0 }));
    using to = atFolder();
    to.env.DARKMATTER_API_KEY = STRANGE_KEY;
    to.env.DARKMATTER_HOST = fake.url;
    expect((await to.json("import", file)).said.error).toContain("with another integrity hash");
    expect(fake.asked).toHaveLength(2);
  });

  test("a server that takes no more calls for now is waited for", { timeout: 30_000 }, async () => {
    await using slow = await realLedgerServer();
    let posts = 0;
    await using proxy = await serverWith(async ({ method = "GET", url, headers }, body) => {
      if (method === "POST" && ++posts === 2)
        return { status: 429, headers: { "retry-after": "1" }, body: "{}" };
      const { authorization = "", "idempotency-key": key } = headers;
      const answer = await fetch(slow.url + url, {
        method,
        headers: { authorization, ...(key && { "idempotency-key": String(key) }) },
        ...(body !== "" && { body }),
      });
      return { status: answer.status, body: await answer.text() };
    });
    using from = await initialised(server.url);
    const file = await exported(from);
    using to = await initialised(slow.url);
    to.env.DARKMATTER_API_KEY = keyIn(to);
    to.env.DARKMATTER_HOST = proxy.url;
    to.write(".env", "");
    expect(await to.json("import", file)).toMatchObject({ code: 0, said: { imported: 3 } });
    expect(posts).toBe(4);
  });
});
