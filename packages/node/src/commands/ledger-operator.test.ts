import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { JsonObject } from "@darkmatter/core";
import { afterAll, expect, test } from "vitest";
import { startLedgerServer } from "../adapters/ledger-server.ts";
import { makeLogKey } from "../adapters/log-key-file.ts";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { serverCommands } from "./ledger-client/table.ts";
import { serveCommands } from "./serve.ts";

const home = mkdtempSync(join(tmpdir(), "dm-operator-"));
afterAll(() => rmSync(home, { recursive: true }));

const serving = (of = home) =>
  startLedgerServer({
    home: of,
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: true,
    publish: undefined,
    settings: parseLedgerServerSettings({}),
  });

/** What a command says to a program, or the code it failed with. */
async function typed(
  name: string,
  args: Record<string, string> = {},
  more: Record<string, string | boolean> = {},
) {
  const command = [...serveCommands(), ...serverCommands()].find((one) => one.name === name);
  if (!command) throw new Error(`There is no ${name}.`);
  let said: JsonObject = {};
  let human = "";
  const out = {
    line: () => undefined,
    error: () => undefined,
    result(text: string, value: JsonObject) {
      human = text;
      said = value;
    },
  };
  const options = { home, ...more };
  const signal = name === "serve ledger" ? AbortSignal.abort() : new AbortController().signal;
  try {
    const exit = await command.run({ args, lists: {}, options, json: true, out, signal });
    return { exit, said, human };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

const ledgerDb = join(home, "ledger", "ledger.db");
const logKey = join(home, "ledger", "log.key");

/** While the server has its key, the operator has none. */
async function withoutKey<T>(act: () => Promise<T>): Promise<T> {
  renameSync(logKey, `${logKey}.away`);
  try {
    return await act();
  } finally {
    renameSync(`${logKey}.away`, logKey);
  }
}

const withAnotherKey = <T>(act: () => Promise<T>): Promise<T> =>
  withoutKey(async () => {
    makeLogKey(logKey);
    return act();
  });

async function post(url: string, body: object) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, said: (await answer.json()) as JsonObject };
}

test("beside a server that runs its operator checks the log and lets a password be set once", async () => {
  expect(await typed("ledger check")).toEqual({ code: "NO_LEDGER_SERVER" });
  {
    await using server = await serving();
    const made = await post(`${server.url}/api/provision`, { email: "you@example.org", agentName: "theirs" });
    expect(await typed("ledger check")).toMatchObject({ exit: 0, said: { isSound: true } });
    expect(await withoutKey(() => typed("ledger check"))).toEqual({ code: "LOG_KEY_NEEDED" });
    expect((await withAnotherKey(() => typed("ledger check"))).human).toContain(
      "Not one checkpoint is by the key",
    );

    expect(await typed("ledger reset-password", { email: "nobody@example.org" })).toEqual({
      code: "EMAIL_UNKNOWN",
    });
    const { said, human } = await typed("ledger reset-password", { email: "You@example.org" });
    // Whoever made the account with this email may have been somebody else.
    expect(said?.agents).toEqual([{ id: made.said.agentId, name: "theirs" }]);
    expect(human).toContain(`${String(made.said.agentId)} theirs`);
    // Where the server is, is known to who runs it alone.
    expect(human).toContain("curl -X POST '<address of your server>/auth/reset-password'");
    const baseUrl = "https://ledger.example.org";
    const named = await typed("ledger reset-password", { email: "you@example.org" }, { baseUrl });
    expect(named.human).toContain(`curl -X POST '${baseUrl}/auth/reset-password'`);
    const setting = { token: said?.token, password: "correct horse battery" };
    expect((await post(`${server.url}/auth/reset-password`, setting)).status).toBe(200);
    expect((await post(`${server.url}/auth/reset-password`, setting)).status).toBe(400);
    const login = { email: "you@example.org", password: setting.password };
    expect((await post(`${server.url}/auth/login`, login)).status).toBe(200);
  }

  const db = new DatabaseSync(ledgerDb);
  db.exec("UPDATE ledger_payloads SET payload = replace(payload, 'e', 'f') WHERE position = 0");
  db.close();
  const damaged = await typed("ledger check");
  expect(damaged).toMatchObject({
    exit: 1,
    said: { isSound: false, first: { kind: "payload_hash", position: 0 } },
  });
});

/** Does to a file what a failing disk does: another kind of page, or a key of an index that leads nowhere. */
function damageIndex(index: string, how: "page" | "key"): void {
  const db = new DatabaseSync(ledgerDb);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const page = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(index)?.rootpage as number;
  const { page_size } = db.prepare("PRAGMA page_size").get() as { page_size: number };
  db.close();
  const bytes = readFileSync(ledgerDb);
  const at = how === "page" ? (page - 1) * page_size : page * page_size - 2;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(ledgerDb, bytes);
}

test("a file that the engine finds damaged is not sound, though each of its commits is", async () => {
  const folder = join(home, "ledger");
  rmSync(folder, { recursive: true, force: true });
  {
    await using server = await serving();
    const { said } = await post(`${server.url}/api/provision`, { email: "you@example.org", agentName: "a" });
    const headers = { authorization: `Bearer ${String(said.apiKey)}`, "content-type": "application/json" };
    const commit = { method: "POST", headers, body: '{"payload":{"n":1}}' };
    expect((await fetch(`${server.url}/api/commit`, commit)).status).toBe(200);
  }
  expect(await typed("ledger check")).toMatchObject({ exit: 0 });
  const whole = readFileSync(ledgerDb);
  for (const index of ["sqlite_autoindex_ledger_commits_1", "ledger_rejections"]) {
    damageIndex(index, "page");
    const found = await typed("ledger check");
    expect(found, index).toMatchObject({
      exit: 1,
      said: { isSound: false, badCommits: 0, first: { kind: "file" }, problems: { file: 1 } },
    });
    expect(found.human).toMatch(/^DAMAGED[\s\S]*the database's file \(file\)[\s\S]*from a backup/);
    await expect(serving()).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
    writeFileSync(ledgerDb, whole);
  }
  // A server's quick look finds nothing here, and yet the commit is not found by its id.
  damageIndex("sqlite_autoindex_ledger_commits_1", "key");
  expect(await typed("ledger check")).toMatchObject({ exit: 1, said: { first: { kind: "file" } } });
});

test("no key is made in the place of a log's own", async () => {
  const own = mkdtempSync(join(tmpdir(), "dm-operator-key-"));
  {
    await using _server = await serving(own);
  }
  const file = join(own, "ledger", "log.key");
  const generated = (more = {}) => typed("keys generate", {}, { log: true, home: own, ...more });
  expect(await generated()).toEqual({ code: "LOG_KEY_EXISTS" });
  renameSync(file, `${file}.away`);
  expect(await generated()).toEqual({ code: "LOG_KEY_LOST" });
  expect(await generated({ output: file })).toEqual({ code: "LOG_KEY_LOST" });
  const beside = join(own, "new.key");
  expect(await generated({ output: beside })).toMatchObject({ exit: 0, said: { log_key: beside } });
  expect(await generated({ home: join(own, "another") })).toMatchObject({ exit: 0 });
  rmSync(own, { recursive: true });
});

test("a server that listens on all addresses says so, and how others reach it", async () => {
  const served = (more = {}) =>
    typed("serve ledger", {}, { dev: true, port: "0", home: join(home, "open"), ...more });
  const { human, said } = await served({ host: "0.0.0.0" });
  expect(human).toMatch(/listens on all addresses \(0\.0\.0\.0\), port \d+; others reach it (at http|by)/);
  for (const url of (said?.urls_for_others ?? []) as string[]) expect(human).toContain(url);
  expect(human).toContain("name with --base-url");
  expect((await served()).human).not.toContain("all addresses");
});

test("where no server has run nothing is made", async () => {
  rmSync(join(home, "ledger", "ledger.db"), { force: true });
  expect(await typed("ledger reset-password", { email: "you@example.org" })).toEqual({
    code: "NO_LEDGER_SERVER",
  });
});
