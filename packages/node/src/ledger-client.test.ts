import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import { type AtFolder, atFolder, realLedgerServer } from "./testing/at-folder.ts";

const KEY = `dm_sk_${"0123456789ab".repeat(4)}`;
let server: RunningLedgerServer;
let people = 0;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A folder where `darkmatter init` was run. */
async function initialised(agent = "writer"): Promise<AtFolder> {
  const at = atFolder();
  const email = `person-${++people}@example.test`;
  const { code } = await at.json(
    "init",
    "--host",
    server.url,
    "--email",
    email,
    "--agent",
    agent,
    "--no-test",
  );
  expect(code).toBe(0);
  return at;
}

const keyOf = (at: AtFolder) => /DARKMATTER_API_KEY=(\S+)/.exec(at.read(".env"))?.[1] ?? "";

async function commit(at: AtFolder, body: object | string): Promise<string> {
  const answer = await fetch(`${server.url}/api/commit`, {
    method: "POST",
    headers: { authorization: `Bearer ${keyOf(at)}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { id: string }).id;
}

async function chainOf(at: AtFolder, length = 3): Promise<string[]> {
  const ids: string[] = [];
  for (let step = 1; step <= length; step++) {
    const payload = { input: `ask ${step}`, output: `say ${step}` };
    ids.push(
      await commit(at, { payload, parentId: ids.at(-1), traceId: "trc_x", agent: { model: `m${step}` } }),
    );
  }
  return ids;
}

/** Something that is not, or not quite, a ledger server; and what it was asked. */
async function fakeServer(status: number, headers: Record<string, string>, body: string) {
  const asked: { url: string | undefined; authorization: string | undefined }[] = [];
  const fake = createServer((request, response) => {
    asked.push({ url: request.url, authorization: request.headers.authorization });
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => fake.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => fake.close(() => resolve())),
  };
}

describe("init", () => {
  test("makes an account and keeps its key where only its owner reads it, out of git and off the screen", async () => {
    using at = atFolder();
    at.write(".gitignore", "dist");
    const { code, out, err } = await at.typed(
      "init",
      "--host",
      server.url,
      "--email",
      "ana@example.test",
      "--agent",
      "ana",
    );
    const key = keyOf(at);
    expect(code).toBe(0);
    expect(key).toMatch(/^dm_sk_[0-9a-f]{48}$/);
    expect(out + err).not.toContain(key);
    expect(out).toContain(`${key.slice(0, 10)}••••••••${key.slice(-4)}`);
    expect(out).toMatch(/test {3}✓ committed ctx_\S+, verified, replayed \(1 step\)/);
    expect(statSync(join(at.folder, ".env")).mode & 0o777).toBe(0o600);
    expect(at.read(".env")).toContain(`DARKMATTER_HOST=${server.url}\n`);
    expect(at.read(".gitignore")).toBe("dist\n.env\n");
    expect((await at.json("me")).said).toMatchObject({ agentName: "ana", host: server.url });
    expect(readdirSync(at.folder).sort()).toEqual([".env", ".gitignore"]);
  });

  test("keys that are there are neither lost nor doubled unasked", async () => {
    using at = await initialised();
    const first = at.read(".env");
    const again = (...more: string[]) =>
      at.json(
        "init",
        "--host",
        server.url,
        "--email",
        `again-${++people}@example.test`,
        "--no-test",
        ...more,
      );
    expect(await again()).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("keys in .env already") },
    });
    expect(at.read(".env")).toBe(first);

    expect((await again("--env", "append")).code).toBe(0);
    expect(at.read(".env").startsWith(first)).toBe(true);
    expect(at.read(".env").match(/API_KEY/g)).toHaveLength(2);
    expect((await again("--env", "replace")).code).toBe(0);
    expect(at.read(".env").match(/API_KEY/g)).toHaveLength(1);
    expect((await at.json("me")).code).toBe(0);
    expect(await again("--env", "burn")).toMatchObject({ code: 2 });
  });

  test("an email that has an account gets no key, and is told how to log in", async () => {
    using at = atFolder();
    const init = () =>
      at.json("init", "--host", server.url, "--email", "bo@example.test", "--no-test", "--env", "append");
    expect((await init()).code).toBe(0);
    const before = at.read(".env");
    expect(await init()).toMatchObject({ code: 1, said: { hint: expect.stringContaining("/auth/login") } });
    expect(at.read(".env")).toBe(before);
  });

  test("where nobody can be asked, what is missing is named", async () => {
    using at = atFolder();
    expect(await at.json("init", "--host", server.url)).toMatchObject({
      code: 2,
      said: { error: "Say --email you@example.org" },
    });
    expect(await at.json("init", "--email", "nonsense")).toMatchObject({ code: 2 });
    expect(await at.json("init", "--email", "a@b.test", "--agent", "<b>")).toMatchObject({ code: 2 });
    expect(readdirSync(at.folder)).toEqual([]);
  });
});

describe("reading a server", () => {
  test("recent, replay, verify, lineage, search and pull say what is there, also by number", async () => {
    using at = await initialised();
    const [root, , tip] = await chainOf(at);
    const recent = await at.json("recent");
    expect(recent).toMatchObject({ code: 0, said: { server: server.url, total: 3 } });
    expect(recent.said.commits[0]).toMatchObject({
      index: 1,
      commit: tip,
      trace: "trc_x",
      model: "m3",
      valid: true,
    });
    expect((await at.json("recent", "--limit", "2")).said.commits).toHaveLength(2);

    const replay = await at.json("replay", "1", "--full", "--from", "2");
    expect(replay).toMatchObject({ code: 0, said: { contextId: tip, totalSteps: 3, chainIntact: true } });
    expect(replay.said.replay.map(({ payload }: { payload: object }) => payload)).toEqual([
      { input: "ask 2", output: "say 2" },
      { input: "ask 3", output: "say 3" },
    ]);
    expect(await at.json("verify", tip ?? "")).toMatchObject({
      code: 0,
      said: { verified: true, length: 3 },
    });
    const lineage = await at.json("lineage", "1");
    expect(lineage.said.chain.map(({ id }: { id: string }) => id).at(-1)).toBe(root);
    expect((await at.json("search", "SAY", "2")).said.commits).toHaveLength(1);
    expect((await at.json("search", "--model", "m1")).said.commits[0].commit).toBe(root);
    expect((await at.json("search", "nowhere")).said.commits).toEqual([]);
    expect((await at.json("pull", "--limit", "1")).said.contexts).toMatchObject([{ id: tip }]);

    const { out } = await at.typed("verify", "1");
    expect(out).toMatch(/intact, 3 steps\nPASS {2}payloads {4}3 passed, 0 failed/);
    expect((await at.typed("replay", "1", "--full")).out).toContain("\n       say 3");
  });

  test("numbers of a payload come as they were committed", async () => {
    using at = await initialised();
    await commit(at, '{"payload":{"output":{"amount":284.00,"big":9007199254740993,"tiny":1e-7}}}');
    const { out } = await at.typed("replay", "1", "--full", "--json");
    expect(out).toContain('{"amount":284.00,"big":9007199254740993,"tiny":1e-7}');
    expect((await at.typed("replay", "1", "--full")).out).toContain(
      '{"amount":284.00,"big":9007199254740993,"tiny":1e-7}',
    );
  });

  test("a fork leaves its source as it was, and diff says what differs", async () => {
    using at = await initialised();
    const [, second, tip] = await chainOf(at);
    const fork = await at.json("fork", "1", "--from", "2", "--model", "other", "--branch", "try");
    expect(fork).toMatchObject({ code: 0, said: { fork_of: tip, fork_point: second, branch_key: "try" } });
    const diff = await at.json("diff", "1", "--fork");
    expect(diff).toMatchObject({ code: 0, said: { ctxIdA: tip, ctxIdB: fork.said.id, changedSteps: 1 } });
    expect((await at.json("diff", tip ?? "", tip ?? "")).said.identical).toBe(true);
    expect((await at.typed("diff", tip ?? "", fork.said.id)).out).toMatch(
      /step 3: model m3 → other, payload\n {2}- say 3\n {2}\+ /,
    );
    expect((await at.typed("diff", "2", "1", "--model-only")).out).not.toContain("say 3");
    expect((await at.json("diff", tip ?? "", "--fork")).said.error).toContain("no fork");
    expect((await at.json("diff", "1")).code).toBe(2);
  });

  test("an export is written once, whole, for its owner alone, and verifies offline", async () => {
    using at = await initialised();
    await chainOf(at);
    const { code, said } = await at.json("export", "1", "-o", "chain.json");
    expect(code).toBe(0);
    expect(said).toMatchObject({ steps: 3, server: server.url, file: join(at.folder, "chain.json") });
    expect(statSync(said.file).mode & 0o777).toBe(0o600);
    at.env.DARKMATTER_HOST = "http://127.0.0.1:9";
    expect(await at.json("verify", "chain.json")).toMatchObject({ code: 0, said: { verified: true } });
    delete at.env.DARKMATTER_HOST;

    const before = at.read("chain.json");
    expect(await at.json("export", "2", "-o", "chain.json")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("exists already") },
    });
    expect(at.read("chain.json")).toBe(before);
    expect((await at.json("export", "2", "-o", "chain.json", "--force")).code).toBe(0);
    expect(at.read("chain.json")).not.toBe(before);
    expect((await at.json("export", "1", "--bare")).code).toBe(2);
  });
});

describe("publishing", () => {
  test("open publishes nothing that nobody agreed to", async () => {
    using at = await initialised();
    const [tip = ""] = await chainOf(at, 1);
    expect(await at.json("open")).toMatchObject({ code: 1, said: { error: "Nothing was done." } });
    expect((await at.json("shares", "list")).said.shares).toEqual([]);

    const opened = await at.json("open", tip, "--yes");
    expect(opened).toMatchObject({
      code: 0,
      said: { url: expect.stringContaining(`${server.url}/chain/share_`) },
    });
    const shareId = opened.said.url.split("/").at(-1);
    expect((await at.json("shares", "list")).said.shares).toMatchObject([{ shareId }]);
    expect((await at.json("open", shareId)).said.url).toBe(opened.said.url);
    expect((await at.json("shares", "list")).said.shares).toHaveLength(1);
    expect((await at.json("shares", "revoke", shareId)).code).toBe(0);
    expect((await fetch(`${server.url}/api/chain/${shareId}`)).status).toBe(404);
  });

  test("share says who sees it, for how long, and how to take it back", async () => {
    using at = await initialised();
    await chainOf(at, 1);
    const { code, out } = await at.typed("share", "1", "--label", "for Ana", "--expires", "7");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^http\S+\/chain\/share_\w{16}\nWhoever has this link sees .*, until .*\nTake it back: darkmatter shares revoke share_/,
    );
    expect((await at.json("share", "1", "--expires", "soon")).code).toBe(2);
  });
});

describe("signing keys", () => {
  test("a pair is made, registered, listed and revoked; the private half stays here", async () => {
    using at = await initialised();
    const made = await at.json("keys", "generate", "ci");
    expect(made.code).toBe(0);
    expect(statSync(join(at.folder, "ci.private.pem")).mode & 0o777).toBe(0o600);
    const secret = at.read("ci.private.pem");
    expect(secret).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(await at.json("keys", "generate", "ci")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("exists already") },
    });
    expect(at.read("ci.private.pem")).toBe(secret);
    expect((await at.json("keys", "generate", "../out")).code).toBe(2);

    expect(await at.json("keys", "register", "ci.private.pem", "--id", "x")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("private key: it stays here") },
    });
    expect(await at.json("keys", "register", "ci")).toMatchObject({
      code: 0,
      said: { key_id: "ci", status: "active" },
    });
    expect((await at.json("keys", "list")).said.keys).toMatchObject([{ key_id: "ci", status: "active" }]);
    expect(await at.json("keys", "revoke", "ci")).toMatchObject({
      code: 1,
      said: { error: "Nothing was done." },
    });
    expect(await at.json("keys", "revoke", "ci", "--yes")).toMatchObject({
      code: 0,
      said: { status: "revoked" },
    });
  });

  test("a log's key is made where the server looks for it, and never made anew over another", async () => {
    using at = atFolder();
    const { code, said } = await at.json("keys", "generate", "--log");
    expect(code).toBe(0);
    expect(said.log_key).toBe(join(at.folder, "home", "ledger", "log.key"));
    expect(statSync(said.log_key).mode & 0o777).toBe(0o600);
    expect((await at.json("keys", "generate", "--log", "--force")).code).toBe(1);
  });
});

describe("import", () => {
  async function exported(at: AtFolder, length = 3): Promise<string> {
    await chainOf(at, length);
    return (await at.json("export", "1", "-o", "bundle.json")).said.file;
  }

  test("a chain is committed anew: payloads, order and integrity hashes are the same, the original is named", async () => {
    using from = await initialised("first");
    using to = await initialised("second");
    await commit(from, '{"payload":{"output":1.0},"traceId":"t","eventType":"my.tool","branchKey":"b"}');
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
    using from = await initialised();
    using to = await initialised();
    const file = await exported(from);
    const before = (await from.json("recent")).said.commits.reverse();
    // The first of them, as an import that was cut off left it.
    const root = JSON.parse(from.read("bundle.json")).chain[0];
    await commit(to, {
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

  test("a chain that only happens to hold the same is not taken for an import", async () => {
    using from = await initialised();
    using to = await initialised();
    const file = await exported(from, 1);
    await chainOf(to, 1);
    expect(await to.json("import", file)).toMatchObject({ said: { imported: 1, already_there: 0 } });
  });

  test("what does not verify is not sent at all", async () => {
    using from = await initialised();
    const file = await exported(from);
    writeFileSync(file, from.read("bundle.json").replace("say 2", "say 3"));
    await using fake = await fakeServer(200, {}, "{}");
    using to = atFolder();
    to.env.DARKMATTER_API_KEY = KEY;
    to.env.DARKMATTER_HOST = fake.url;
    expect(await to.json("import", file)).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("does not verify, so nothing was imported") },
    });
    expect(fake.asked).toEqual([]);
    expect((await to.json("import", "missing.json")).code).toBe(1);
  });

  test("a server that stores something else is found out at the first step", async () => {
    using from = await initialised();
    const file = await exported(from);
    const passport = JSON.parse(from.read("bundle.json")).chain[1];
    await using fake = await fakeServer(200, {}, JSON.stringify({ ...passport, results: [], total: 0 }));
    using to = atFolder();
    to.env.DARKMATTER_API_KEY = KEY;
    to.env.DARKMATTER_HOST = fake.url;
    expect((await to.json("import", file)).said.error).toContain("with another integrity hash");
    expect(fake.asked).toHaveLength(2);
  });

  test("a server that takes no more calls for now is waited for", { timeout: 30_000 }, async () => {
    await using slow = await realLedgerServer({ DARKMATTER_LEDGER_LIMIT_CALLS: "-1" });
    let refused = 0;
    const proxy = createServer(async (request, response) => {
      const body = (await request.toArray()).join("");
      if (request.method === "POST" && refused++ === 1) {
        response.writeHead(429, { "retry-after": "1" }).end("{}");
        return;
      }
      const { authorization = "", "idempotency-key": idempotency } = request.headers;
      const answer = await fetch(slow.url + request.url, {
        method: request.method ?? "GET",
        headers: { authorization, ...(idempotency && { "idempotency-key": String(idempotency) }) },
        ...(body !== "" && { body }),
      });
      response.writeHead(answer.status).end(await answer.text());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      using from = await initialised();
      const file = await exported(from);
      using to = atFolder();
      await to.json("init", "--host", slow.url, "--email", "a@example.test", "--no-test");
      to.env.DARKMATTER_API_KEY = keyOf(to);
      to.env.DARKMATTER_HOST = url;
      to.write(".env", "");
      expect(await to.json("import", file)).toMatchObject({ code: 0, said: { imported: 3 } });
      expect(refused).toBe(4);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

describe("what goes wrong says what to do", () => {
  const asking = (url: string): AtFolder => {
    const at = atFolder();
    at.env.DARKMATTER_API_KEY = KEY;
    at.env.DARKMATTER_HOST = url;
    return at;
  };

  test("no server, no key, a key nobody knows, no such commit, nobody there", async () => {
    using nowhere = atFolder();
    expect(await nowhere.json("me")).toMatchObject({
      code: 1,
      said: { hint: expect.stringContaining("--host URL") },
    });
    expect(await nowhere.json("me", "--host", server.url)).toMatchObject({
      said: { hint: expect.stringContaining("darkmatter init") },
    });
    using stranger = asking(server.url);
    const refused = await stranger.json("me");
    expect(refused).toMatchObject({ code: 1, said: { hint: expect.stringContaining("rotated") } });
    expect(JSON.stringify(refused)).not.toContain(KEY);
    using at = await initialised();
    expect(await at.json("share", "ctx_1_000000000000")).toMatchObject({
      code: 1,
      said: { hint: expect.stringContaining("darkmatter search") },
    });
    expect((await at.json("replay", "7")).said.error).toContain("this account holds 0");
    using away = asking("http://127.0.0.1:9");
    expect(await away.json("me")).toMatchObject({
      code: 1,
      said: { error: "http://127.0.0.1:9 does not answer." },
    });
    expect((await away.json("me", "--limit")).code).toBe(2);
  });

  test("too many calls: when to come again", async () => {
    await using busy = await fakeServer(429, { "retry-after": "42" }, '{"error":"Too many requests."}');
    using at = asking(busy.url);
    expect(await at.json("me")).toMatchObject({
      code: 1,
      said: { error: "Too many requests. Try again in 42 s." },
    });
  });

  test("a redirect is not followed: the key goes nowhere else", async () => {
    await using elsewhere = await fakeServer(200, {}, "{}");
    await using server = await fakeServer(307, { location: `${elsewhere.url}/api/me` }, "");
    using at = asking(server.url);
    expect((await at.json("me")).said.error).toContain("that is not followed");
    expect(server.asked).toMatchObject([{ authorization: `Bearer ${KEY}` }]);
    expect(elsewhere.asked).toEqual([]);
  });

  test("a .env that names another server gets no key, and neither does --host", async () => {
    await using evil = await fakeServer(200, {}, '{"agentId":"dm_x","agentName":"x"}');
    using at = asking(server.url);
    at.write(".env", `DARKMATTER_HOST=${evil.url}\n`);
    expect(await at.json("me")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("is not sent to") },
    });
    expect((await at.json("me", "--host", evil.url)).code).toBe(1);
    expect(evil.asked).toEqual([]);
  });

  test("a server's words move no cursor and repeat no key; other programs' answers are named", async () => {
    await using rude = await fakeServer(400, {}, JSON.stringify({ error: `no \u001b[2J ${KEY}` }));
    using at = asking(rude.url);
    const { said } = await at.json("me");
    expect(said.error).toContain("no �[2J dm_sk_0123••••••••");
    expect(said.error).not.toContain(KEY);
    await using other = await fakeServer(200, {}, "<html>");
    using there = asking(other.url);
    expect((await there.json("me")).said.error).toContain("no JSON");
    await using empty = await fakeServer(200, {}, "{}");
    using here = asking(empty.url);
    expect((await here.json("me")).said.error).toContain("without agentId");
  });

  test("Ctrl-C leaves nothing half-written", async () => {
    const slow = createServer((_request, response) => {
      response.writeHead(200).write('{"chain":[');
      setTimeout(() => stop.abort(), 50);
    });
    const stop = new AbortController();
    await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
    using at = asking(`http://127.0.0.1:${(slow.address() as AddressInfo).port}`);
    const { code } = await at.typedUntil(stop.signal, "export", "ctx_1_000000000000", "-o", "x.json");
    slow.closeAllConnections();
    slow.close();
    expect(code).toBe(1);
    expect(readdirSync(at.folder)).toEqual([]);
  });
});

describe("this agent's own ledger and a server's", () => {
  test("a word that is no commit's id is told to no server", async () => {
    await using curious = await fakeServer(404, {}, '{"error":"no"}');
    using at = atFolder();
    at.env.DARKMATTER_API_KEY = KEY;
    at.env.DARKMATTER_HOST = curious.url;
    expect((await at.json("replay", "Ana")).said.error).toContain('"Ana" is no id of a commit');
    expect((await at.json("verify", "nothing.json")).said.error).toContain("There is no file nothing.json");
    expect(curious.asked).toEqual([]);
    await at.json("replay", "ctx_1_000000000000");
    expect(curious.asked).toMatchObject([{ url: "/api/replay/ctx_1_000000000000?mode=summary" }]);
    await at.json("replay", "Ana", "--server");
    expect(curious.asked).toHaveLength(2);
  });

  test("with neither, both are named", async () => {
    using at = atFolder();
    for (const command of [["recent"], ["replay", "1"], ["export", "ctx_1_000000000000"]]) {
      expect(await at.json(...command)).toMatchObject({
        code: 1,
        said: { hint: "Start a node: darkmatter up. Or use a ledger server: darkmatter init" },
      });
    }
  });
});

describe("quickstart", () => {
  const run = (at: AtFolder, file: string, env: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const options = { cwd: at.folder, env: { PATH: process.env.PATH, ...env } };
      execFile(
        process.execPath,
        ["--env-file=.env", "--experimental-strip-types", file],
        options,
        (error, out, err) => (error ? reject(new Error(err)) : resolve(out)),
      );
    });

  test("single runs as written", async () => {
    using at = await initialised();
    expect((await at.json("quickstart")).said).toMatchObject({
      file: join(at.folder, "darkmatter-single.ts"),
      needs: [],
    });
    expect(await run(at, "darkmatter-single.ts", {})).toMatch(
      /verified: 2 steps, intact\n1 ".*"\n2 ".*"\nas proof/,
    );
    at.write("darkmatter-single.ts", "mine");
    expect((await at.json("quickstart", "single")).code).toBe(1);
    expect(at.read("darkmatter-single.ts")).toBe("mine");
    expect((await at.json("quickstart", "single", "--force")).code).toBe(0);
    expect((await at.json("quickstart", "cobol")).code).toBe(2);
  });

  test.each([
    ["openai", "OPENAI_BASE_URL", { choices: [{ message: { content: "42" } }] }],
    ["anthropic", "ANTHROPIC_BASE_URL", { content: [{ text: "42" }] }],
  ])("%s runs as written, against a model that answers", async (name, variable, answer) => {
    await using model = await fakeServer(200, {}, JSON.stringify(answer));
    using at = await initialised();
    await at.json("quickstart", name);
    const out = await run(at, `darkmatter-${name}.ts`, {
      [variable]: model.url,
      OPENAI_API_KEY: "x",
      ANTHROPIC_API_KEY: "x",
    });
    expect(out).toMatch(/verified: 2 steps, intact\n1 "42"\n2 "42"/);
    expect(model.asked).toHaveLength(2);
  });

  test("langgraph runs as written, in a graph that calls its nodes in order", async () => {
    using at = await initialised();
    const place = join(at.folder, "node_modules", "@langchain", "langgraph");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), '{"type":"module","exports":"./index.js"}');
    writeFileSync(join(place, "index.js"), GRAPH);
    await at.json("quickstart", "langgraph");
    expect(await run(at, "darkmatter-langgraph.ts", {})).toMatch(/verified: 2 steps, intact/);
  });
});

/** As much of the library as the example uses. */
const GRAPH = `
export const START = "s", END = "e";
export const Annotation = Object.assign(() => ({}), { Root: (fields) => ({ fields, State: {} }) });
export class StateGraph {
  nodes = new Map(); next = new Map();
  addNode(name, run) { this.nodes.set(name, run); return this; }
  addEdge(from, to) { this.next.set(from, to); return this; }
  compile() {
    return { invoke: async (state) => {
      for (let at = this.next.get(START); at !== END; at = this.next.get(at)) state = { ...state, ...(await this.nodes.get(at)(state)) };
      return state;
    } };
  }
}
`;
