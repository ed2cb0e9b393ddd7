import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { until } from "../testing/program.ts";
import { type LedgerServerOptions, startLedgerServer } from "./ledger-server.ts";
import { logKeyPath, makeLogKey } from "./log-key-file.ts";
import { refuseLostKeyOf } from "./lost-log-key.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-ledger-server-"));
afterAll(() => rmSync(folder, { recursive: true }));

function optionsFor(name: string, more: Partial<LedgerServerOptions> = {}): LedgerServerOptions {
  return {
    home: join(folder, name),
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: true,
    publish: undefined,
    settings: parseLedgerServerSettings({}),
    ...more,
  };
}

async function refusalOf(options: LedgerServerOptions) {
  try {
    await using server = await startLedgerServer(options);
    return { code: `started at ${server.url}`, text: "" };
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string };
    return { code, text: JSON.stringify([message, hint, String((error as Error).cause)]) };
  }
}

test("without a key, with one that others may read and with garbage no ledger server starts", async () => {
  const options = optionsFor("keyless");
  const file = logKeyPath(options.home);
  const missing = await refusalOf({ ...options, isDevelopment: false });
  expect(missing).toMatchObject({
    code: "LOG_KEY_MISSING",
    text: expect.stringContaining("keys generate --log"),
  });
  expect(existsSync(join(options.home, "ledger", "ledger.db"))).toBe(false);

  makeLogKey(file);
  chmodSync(file, 0o644);
  expect((await refusalOf(options)).code).toBe("LOG_KEY_REFUSED");
  chmodSync(file, 0o600);
  writeFileSync(file, "hunter2");
  const garbage = await refusalOf(options);
  expect(garbage.code).toBe("LOG_KEY_REFUSED");
  expect(garbage.text).not.toContain("hunter2");
  // Nor is it replaced.
  expect(readFileSync(file, "utf8")).toBe("hunter2");
});

test("a log goes on with its own key alone", async () => {
  const options = optionsFor("two-keys");
  {
    await using first = await startLedgerServer(options);
    expect(first.madeKey).toBe(logKeyPath(options.home));
  }
  {
    await using again = await startLedgerServer({ ...options, isDevelopment: false });
    expect(again.madeKey).toBeUndefined();
  }
  rmSync(logKeyPath(options.home));
  makeLogKey(logKeyPath(options.home));
  expect((await refusalOf(options)).code).toBe("LOG_KEY_WRONG");
});

/** Starts and stops once; the key the log has from then on. */
async function servedOnce(options: LedgerServerOptions): Promise<string> {
  await using server = await startLedgerServer(options);
  await post(`${server.url}/api/provision`, { email: `${Math.random()}@example.org` });
  return server.logKey;
}

const post = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

test("a key that is gone is told as lost, and none is made in its place", async () => {
  const options = optionsFor("lost-key");
  const file = logKeyPath(options.home);
  const logKey = await servedOnce(options);
  rmSync(file);
  for (const isDevelopment of [false, true]) {
    const lost = await refusalOf({ ...options, isDevelopment });
    expect(lost).toMatchObject({ code: "LOG_KEY_LOST", text: expect.stringContaining(logKey) });
    expect(lost.text).toContain("from a backup");
  }
  await expect(refuseLostKeyOf(options.home, file)).rejects.toMatchObject({ code: "LOG_KEY_LOST" });
  // Nor where the database went with it, which the key's log lay in.
  rmSync(join(options.home, "ledger", "ledger.db"));
  for (const isDevelopment of [false, true])
    expect((await refusalOf({ ...options, isDevelopment })).code).toBe("LOG_KEY_LOST");
  expect(existsSync(file)).toBe(false);
  await refuseLostKeyOf(join(folder, "never-served"), logKeyPath(join(folder, "never-served")));
});

test("a log whose key is lost for good goes on with a new one and what the refusal says of the old one", async () => {
  const options = optionsFor("lost-for-good");
  const lostKey = await servedOnce(options);
  const file = logKeyPath(options.home);
  renameSync(file, `${file}.found`);
  const lost = await startLedgerServer(options).catch((error: Error) => error.message);
  const [former] = String(lost).match(/valid-until:.*-----END PUBLIC KEY-----/s) ?? [];
  const [logKeyFile, formerLogKeysFile] = [join(folder, "next.key"), join(folder, "lost.pem")];
  makeLogKey(logKeyFile);
  const settings = { ...options.settings, logKeyFile };
  expect((await refusalOf({ ...options, settings })).code).toBe("LOG_KEY_WRONG");
  writeFileSync(formerLogKeysFile, `${former}\n`);
  expect(await servedOnce({ ...options, settings: { ...settings, formerLogKeysFile } })).not.toBe(lostKey);
  // Whoever finds the old one again signs nothing more with it.
  renameSync(`${file}.found`, file);
  expect((await refusalOf(options)).code).toBe("LOG_KEY_WRONG");
});

test("a log that was emptied, put back from an older copy or is another one is not signed on", async () => {
  const options = optionsFor("put-back");
  const database = join(options.home, "ledger", "ledger.db");
  await servedOnce(options);
  const older = readFileSync(database);
  {
    await using server = await startLedgerServer(options);
    const made = await post(`${server.url}/api/provision`, { email: "you@example.org" });
    const { apiKey } = (await made.json()) as { apiKey: string };
    const headers = { authorization: `Bearer ${apiKey}` };
    expect((await post(`${server.url}/api/commit`, { payload: { n: 1 } }, headers)).status).toBe(200);
  }
  const newest = readFileSync(database);
  writeFileSync(database, older);
  const refused = await refusalOf(options);
  expect(refused).toMatchObject({
    code: "LOG_OLDER",
    text: expect.stringContaining("signed 6 commits"),
  });
  expect(refused.text).toMatch(/the log has 5\..*newer database back from a backup/);
  rmSync(database);
  expect((await refusalOf(options)).text).toContain("the log has 0.");

  writeFileSync(database, newest);
  const memory = join(options.home, "ledger", "log.signed");
  const signed = readFileSync(memory, "utf8");
  for (const damaged of ["", signed.slice(0, 40), signed.replace('"tree_size":6', '"tree_size":7')]) {
    writeFileSync(memory, damaged);
    expect((await refusalOf(options)).code).toBe("LOG_MEMORY_DAMAGED");
  }
  rmSync(memory);
  await servedOnce(options);
  expect(JSON.parse(readFileSync(memory, "utf8"))).toEqual(JSON.parse(signed));
});

test("a damaged end is told with the command that looks at a server's log", async () => {
  const options = optionsFor("damaged-end");
  await servedOnce(options);
  const db = new DatabaseSync(join(options.home, "ledger", "ledger.db"));
  db.exec("UPDATE ledger_tail SET size = size - 1");
  db.close();
  const refused = await refusalOf(options);
  expect(refused).toMatchObject({
    code: "LEDGER_DAMAGED",
    text: expect.stringContaining("darkmatter ledger check"),
  });
  expect(refused.text).not.toContain("fsck");
});

test("a new log is signed before anybody asks", async () => {
  await using server = await startLedgerServer(optionsFor("signed-at-once"));
  const size = async () => {
    const answer = await fetch(`${server.url}/api/log/checkpoint`);
    return ((await answer.json()) as { checkpoint: { tree_size: number } | null }).checkpoint?.tree_size;
  };
  await until(async () => (await size()) === 5);
});

test("a second process is refused, and takes over once the first has gone", async () => {
  const options = optionsFor("owned");
  {
    await using _first = await startLedgerServer(options);
    expect((await refusalOf(options)).code).toBe("LEDGER_RUNS");
  }
  await using _next = await startLedgerServer(options);
});

test("a port that is taken and a database that is not there are said, and nothing stays open", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as { port: number };
  const options = optionsFor("refused");
  const busy = await refusalOf({ ...options, port });
  taken.close();
  expect(busy.code).toBe("PORT_TAKEN");

  const database = "postgresql://me:hunter2@127.0.0.1:9/ledger";
  const away = await refusalOf({ ...options, settings: { ...options.settings, database } });
  expect(away.code).toBe("DATABASE_UNREACHABLE");
  expect(away.text).not.toContain("hunter2");

  await using server = await startLedgerServer(options);
  const { status } = await fetch(`${server.url}/api/stats`);
  expect(status).toBe(200);
  expect(readdirSync(server.folder)).toContain("ledger.db");
});

test("a folder that nothing can be published in is told at the start", async () => {
  const options = optionsFor("published");
  const file = join(folder, "no-folder");
  writeFileSync(file, "");
  const refused = await refusalOf({ ...options, publish: join(file, "checkpoints") });
  expect(refused.code).toBe("PUBLISH_UNUSABLE");
  expect(refused.text).toContain(file);

  // Where making what is missing fails for ever, it ends all the same.
  if (process.platform === "linux") {
    const nowhere = await refusalOf({ ...options, publish: "/proc/no-such/place" });
    expect(nowhere.code).toBe("PUBLISH_UNUSABLE");
  }

  const publish = join(folder, "public", "log");
  {
    await using server = await startLedgerServer({ ...options, publish });
    expect(server.madeKey).toBeUndefined();
  }
  expect(readFileSync(join(publish, "pubkey.pem"), "utf8")).toContain("BEGIN PUBLIC KEY");
  expect(readdirSync(publish)).not.toContain(".writable");
});

test("a folder to publish in is tried before the log's key, and a server with another key leaves it as it was", async () => {
  const options = { ...optionsFor("published-wrong"), publish: join(folder, "public-wrong") };
  {
    await using _first = await startLedgerServer(options);
  }
  const published = () =>
    readdirSync(options.publish)
      .filter((name) => name !== "checkpoints")
      .map((name) => [name, readFileSync(join(options.publish, name), "utf8")]);
  const before = published();
  expect(before.map(([name]) => name)).toContain("pubkey.pem");
  rmSync(logKeyPath(options.home));
  makeLogKey(logKeyPath(options.home));
  const unusable = { ...options, publish: join(folder, "no-folder", "checkpoints") };
  writeFileSync(join(folder, "no-folder"), "");
  expect((await refusalOf(unusable)).code).toBe("PUBLISH_UNUSABLE");
  expect((await refusalOf(options)).code).toBe("LOG_KEY_WRONG");
  expect(published()).toEqual(before);
});

test("links in answers begin with the URL that others reach it by", async () => {
  const options = optionsFor("based", { baseUrl: "https://ledger.example.org" });
  await using server = await startLedgerServer(options);
  expect(server.baseUrl).toBe("https://ledger.example.org");
  const answer = await fetch(`${server.url}/api/provision`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "you@example.org" }),
  });
  const { dashboardUrl } = (await answer.json()) as { dashboardUrl: string };
  expect(dashboardUrl).toMatch(/^https:\/\/ledger\.example\.org\//);
});
