import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { JsonObject } from "@darkmatter/core";
import { afterAll, expect, test } from "vitest";
import { startLedgerServer } from "../adapters/ledger-server.ts";
import { makeLogKey } from "../adapters/log-key-file.ts";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { serveCommands } from "./serve.ts";

const home = mkdtempSync(join(tmpdir(), "dm-operator-"));
afterAll(() => rmSync(home, { recursive: true }));

const serving = () =>
  startLedgerServer({
    home,
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: true,
    publish: undefined,
    settings: parseLedgerServerSettings({}),
  });

/** What a command says to a program, or the code it failed with. */
async function typed(name: string, args: Record<string, string> = {}) {
  const command = serveCommands().find((one) => one.name === name);
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
  const options = { home, baseUrl: "http://127.0.0.1:5002" };
  const signal = new AbortController().signal;
  try {
    const exit = await command.run({ args, lists: {}, options, json: true, out, signal });
    return { exit, said, human };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

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
    const setting = { token: said?.token, password: "correct horse battery" };
    expect((await post(`${server.url}/auth/reset-password`, setting)).status).toBe(200);
    expect((await post(`${server.url}/auth/reset-password`, setting)).status).toBe(400);
    const login = { email: "you@example.org", password: setting.password };
    expect((await post(`${server.url}/auth/login`, login)).status).toBe(200);
  }

  const db = new DatabaseSync(join(home, "ledger", "ledger.db"));
  db.exec("UPDATE ledger_payloads SET payload = replace(payload, 'e', 'f') WHERE position = 0");
  db.close();
  const damaged = await typed("ledger check");
  expect(damaged).toMatchObject({
    exit: 1,
    said: { isSound: false, first: { kind: "payload_hash", position: 0 } },
  });
});

test("where no server has run nothing is made", async () => {
  rmSync(join(home, "ledger", "ledger.db"), { force: true });
  expect(await typed("ledger reset-password", { email: "you@example.org" })).toEqual({
    code: "NO_LEDGER_SERVER",
  });
});
