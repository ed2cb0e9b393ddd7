import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import {
  atFolder,
  chainAs,
  commitAs,
  initialised,
  keyIn,
  newEmail,
  realLedgerServer,
  STRANGE_KEY,
} from "./testing/at-folder.ts";

let server: RunningLedgerServer;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("init", () => {
  test("makes an account and keeps its key where only its owner reads it, out of git and off the screen", async () => {
    using at = atFolder();
    at.write(".gitignore", "dist");
    const { code, out, err } = await at.typed(
      "init",
      "--host",
      server.url,
      "--email",
      newEmail(),
      "--agent",
      "ana",
    );
    const key = keyIn(at);
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
    using at = await initialised(server.url);
    const first = at.read(".env");
    const again = (...more: string[]) =>
      at.json("init", "--host", server.url, "--email", newEmail(), "--no-test", ...more);
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
    const email = newEmail();
    const init = () =>
      at.json("init", "--host", server.url, "--email", email, "--no-test", "--env", "append");
    expect((await init()).code).toBe(0);
    const before = at.read(".env");
    expect(await init()).toMatchObject({ code: 1, said: { hint: expect.stringContaining("/auth/login") } });
    expect(at.read(".env")).toBe(before);
  });

  test("another agent of an account is made beside one, with its key and no other", async () => {
    using first = await initialised(server.url);
    const commit = await commitAs(first, { payload: { output: "of the first" } });
    using second = atFolder();
    // Another server's key lies about: it is neither needed nor sent.
    second.env.DARKMATTER_API_KEY = `dm_sk_${"0".repeat(48)}`;
    second.env.DARKMATTER_HOST = "https://elsewhere.example";
    const made = await second.json("init", "--beside", first.folder, "--agent", "second");
    expect(made).toMatchObject({
      code: 0,
      said: { agent_name: "second", host: server.url, test: { ok: true } },
    });
    expect(keyIn(second)).toMatch(/^dm_sk_[0-9a-f]{48}$/);
    expect(keyIn(second)).not.toBe(keyIn(first));
    expect(statSync(join(second.folder, ".env")).mode & 0o777).toBe(0o600);

    const named = await second.json("init", "--beside", join(first.folder, ".env"), "--env", "append");
    expect(named.code).toBe(0);

    const [me, other] = [await first.json("me"), await second.json("me")];
    expect(other.said).toMatchObject({ agentName: basename(second.folder), accountId: me.said.accountId });
    expect((await second.json("verify", commit, "--server")).code).toBe(0);
  });

  test("beside what has no key, and with an email, no agent is made", async () => {
    using at = atFolder();
    at.env.DARKMATTER_API_KEY = STRANGE_KEY;
    at.env.DARKMATTER_HOST = server.url;
    expect(await at.json("init", "--beside", ".")).toMatchObject({
      code: 1,
      said: { error: `There is no API key in ${join(at.folder, ".env")}.` },
    });
    expect(await at.json("init", "--beside", ".", "--email", newEmail())).toMatchObject({ code: 2 });
    // The environment's key fits the server, but is not the one that was named.
    using elsewhere = await initialised(server.url);
    elsewhere.write(".env", elsewhere.read(".env").replace(server.url, "https://elsewhere.example"));
    expect(await at.json("init", "--beside", elsewhere.folder, "--host", server.url)).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("is for https://elsewhere.example") },
    });
    expect((await at.json("init", "--beside", "nowhere")).said.error).toBe(
      `There is no folder ${join(at.folder, "nowhere")}.`,
    );
    expect(readdirSync(at.folder)).toEqual([]);
  });

  test("an init that makes no agent leaves nothing behind", async () => {
    using first = await initialised(server.url);
    using at = atFolder();
    const email = newEmail();
    const init = ["init", "--email", email, "--no-test", "--host"];
    expect((await first.json(...init, server.url, "--env", "append")).code).toBe(0);
    for (const host of ["http://127.0.0.1:9", server.url])
      expect((await at.json(...init, host)).code).toBe(1);
    expect(readdirSync(at.folder)).toEqual([]);
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
    using at = await initialised(server.url);
    const [root, , tip] = await chainAs(at);
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
    expect((await at.typed("replay", "1", "--from", "9")).out).toContain("It has no step 9.");
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
    for (const command of ["search", "pull"]) {
      expect((await at.json(command, "--since", "2026-11-21")).code).toBe(0);
      expect((await at.json(command, "--since", "2026-11-21T09:30:00Z")).code).toBe(0);
      for (const time of ["yesterday", "2026-13-45"]) {
        const { code, said } = await at.json(command, "--since", time);
        expect({ code, error: said.error }).toEqual({
          code: 2,
          error: expect.stringContaining("--since takes"),
        });
      }
    }

    const { out } = await at.typed("verify", "1");
    expect(out).toMatch(/intact, 3 steps\nPASS {2}payloads {4}3 passed, 0 failed/);
    expect((await at.typed("replay", "1", "--full")).out).toContain("\n       say 3");
  });

  test("numbers of a payload come as they were committed", async () => {
    using at = await initialised(server.url);
    await commitAs(at, '{"payload":{"output":{"amount":284.00,"big":9007199254740993,"tiny":1e-7}}}');
    const { out } = await at.typed("replay", "1", "--full", "--json");
    expect(out).toContain('{"amount":284.00,"big":9007199254740993,"tiny":1e-7}');
    expect((await at.typed("replay", "1", "--full")).out).toContain(
      '{"amount":284.00,"big":9007199254740993,"tiny":1e-7}',
    );
  });

  test("a fork leaves its source as it was, and diff says what differs", async () => {
    using at = await initialised(server.url);
    const [, second, tip] = await chainAs(at);
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
    expect(await at.json("diff", tip ?? "", "1", "--step", "9")).toMatchObject({
      code: 1,
      said: { error: "The longer chain has 3 steps." },
    });
  });

  test("an export is written once, whole, for its owner alone, and verifies offline", async () => {
    using at = await initialised(server.url);
    await chainAs(at);
    const { code, said } = await at.json("export", "1", "-o", "chain.json");
    expect(code).toBe(0);
    expect(said).toMatchObject({ steps: 3, server: server.url, file: join(at.folder, "chain.json") });
    expect(statSync(said.file).mode & 0o777).toBe(0o600);
    at.env.DARKMATTER_HOST = "http://127.0.0.1:9";
    expect(await at.json("verify", "chain.json")).toMatchObject({ code: 0, said: { verified: true } });
    delete at.env.DARKMATTER_HOST;

    const before = at.read("chain.json");
    expect(await at.json("export", "2", "-o", "chain.json", "--server")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("exists already") },
    });
    expect(at.read("chain.json")).toBe(before);
    expect((await at.json("export", "2", "-o", "chain.json", "--force")).code).toBe(0);
    expect(at.read("chain.json")).not.toBe(before);
    expect((await at.json("export", "1", "--bare")).code).toBe(2);
    for (const ledger of [["--server"], []])
      expect(await at.json("export", "1", "-o", "nowhere/chain.json", ...ledger)).toMatchObject({
        code: 1,
        said: { error: `There is no folder ${join(at.folder, "nowhere")}.` },
      });
    expect(readdirSync(at.folder)).not.toContain("nowhere");
  });
});

describe("publishing", () => {
  test("open publishes nothing that nobody agreed to", async () => {
    using at = await initialised(server.url);
    const [tip = ""] = await chainAs(at, 1);
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
    using at = await initialised(server.url);
    await chainAs(at, 1);
    const [tip = ""] = (await at.json("recent")).said.commits.map(({ commit }: { commit: string }) => commit);
    const { code, out } = await at.typed("share", tip, "--label", "for Ana", "--expires", "7");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^http\S+\/chain\/share_\w{16}\nWhoever has this link sees .*, until .*\nTake it back: darkmatter shares revoke share_/,
    );
    expect((await at.json("share", "1", "--expires", "soon")).code).toBe(2);
  });

  test("a number is shared only by whoever agrees to the commit it means; lists of other numbers have none", async () => {
    using at = await initialised(server.url);
    const [root = "", tip = ""] = await chainAs(at, 2);
    const { code, out } = await at.typed("share", "1");
    expect([code, out]).toEqual([1, expect.stringContaining(`  ${tip}, 20`)]);
    expect(out).toMatch(/Z, by writer: say 2\n/);
    expect((await at.json("shares", "list")).said.shares).toEqual([]);
    expect(await at.json("share", "2", "--yes")).toMatchObject({ code: 0, said: { ctxId: root } });

    for (const [command, ...args] of [["search", "say 1"], ["pull"]])
      expect((await at.typed(command ?? "", ...args)).out).toMatch(/^✓ +\d+ s {2}ctx_/);
    expect((await at.json("search", "say 1")).said.commits[0]).not.toHaveProperty("index");
    expect((await at.typed("recent")).out).toMatch(/^ {2}1 {2}✓/);
  });

  test("what is not there is not asked about", async () => {
    using at = await initialised(server.url);
    await chainAs(at, 1);
    for (const argv of [
      ["open", "zzz"],
      ["share", "zzz"],
      ["replay", "zzz", "--server", "--open"],
      ["fork", "zzz", "--open"],
      ["keys", "revoke", "nokey"],
    ]) {
      const { code, out, err } = await at.typed(...argv);
      expect([argv, code, out, err]).toEqual([argv, 1, "", expect.stringContaining("darkmatter recent")]);
    }
  });
});

describe("signing keys", () => {
  test("a pair is made, registered, listed and revoked; the private half stays here", async () => {
    using at = await initialised(server.url);
    const made = await at.json("keys", "generate", "ci");
    expect(made.code).toBe(0);
    expect(statSync(join(at.folder, "ci.private.pem")).mode & 0o777).toBe(0o600);
    expect(at.read(".gitignore")).toBe(".env\n*.private.pem\n");
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
