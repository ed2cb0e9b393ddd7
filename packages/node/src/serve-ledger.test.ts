import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { real } from "./testing/commands.ts";
import { modeOf, testHome } from "./testing/program.ts";

const SLOW = { timeout: 60_000 };
const SERVE = ["serve", "ledger", "--port", "0", "--json"];

async function post(url: string, body: object, key?: string) {
  const headers = {
    "content-type": "application/json",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
  return { status: answer.status, said: (await answer.json()) as any };
}

test("a ledger server keeps what it answered over a kill, and stops cleanly at Ctrl-C", SLOW, async () => {
  using home = testHome();
  const folder = join(home.home, "ledger");
  let key: string;
  let id: string;
  {
    await using first = real(home, [...SERVE, "--dev"]);
    const { url, made_key, log_key, database } = await first.firstLine();
    expect(new URL(url).hostname).toBe("127.0.0.1");
    expect(database).toBe("sqlite");
    expect(log_key).toMatch(/^[0-9a-f]{64}$/);
    expect(made_key).toBe(join(folder, "log.key"));
    expect(modeOf(made_key)).toBe(0o600);
    const provisioned = await post(`${url}/api/provision`, { email: "you@example.org", agentName: "first" });
    expect(provisioned.status).toBe(201);
    key = provisioned.said.apiKey;
    const committed = await post(`${url}/api/commit`, { payload: { input: "Q", output: "A" } }, key);
    id = committed.said.id;
    expect(committed.said.verify_url).toBe(`${url}/r/${id}`);
    first.child.kill("SIGKILL");
    await first.exited;
  }
  await using again = real(home, SERVE);
  const { url } = await again.firstLine();
  const answer = await fetch(`${url}/api/pull`, { headers: { authorization: `Bearer ${key}` } });
  const { contexts } = (await answer.json()) as { contexts: { id: string }[] };
  expect(contexts.map((context) => context.id)).toEqual([id]);

  // What is under way when it is asked to stop is answered: done, or not to be had any more.
  const late = post(`${url}/api/commit`, { payload: { note: "x".repeat(1_000_000) } }, key);
  again.child.kill("SIGINT");
  const outcome = await late.then(({ status }) => status).catch(() => "never taken");
  expect([200, 503, "never taken"]).toContain(outcome);
  expect(await again.exited).toBe(0);
  expect(again.stderr()).toBe("");
  // Nothing of a running process is left, and the log says nothing that is secret.
  expect(readdirSync(folder).sort()).toEqual([
    "ledger.db",
    "ledger.log",
    "log.key",
    "log.signed",
    "owner.lock",
  ]);
  const log = readFileSync(join(folder, "ledger.log"), "utf8");
  expect(log).toContain("ledger.started");
  for (const secret of [key, "PRIVATE", "you@example.org"]) expect(log).not.toContain(secret);
});

test("a process whose log is another key's by now ends by itself, and says why", SLOW, async () => {
  using home = testHome();
  const secret = "an-operators-secret-of-the-test-0123";
  await using server = real(home, [...SERVE, "--dev"], { DARKMATTER_LEDGER_ADMIN_SECRET: secret });
  const { url } = await server.firstLine();
  const db = new DatabaseSync(join(home.home, "ledger", "ledger.db"), { timeout: 5000 });
  db.exec(`INSERT INTO ledger_log_keys VALUES ('${"ab".repeat(32)}', 1)`);
  db.close();
  // It may have found out by itself before it is asked.
  await post(`${url}/api/log/checkpoint`, {}, secret).catch(() => undefined);
  expect(await Promise.race([server.exited, sleep(8000, "it goes on")])).toBe(1);
  expect(server.stdoutText() + server.stderr()).toContain("This log is that of the key abab");
  expect(readFileSync(join(home.home, "ledger", "ledger.log"), "utf8")).toContain("ledger.ended");
});
