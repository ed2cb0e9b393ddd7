import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { type LedgerServerOptions, startLedgerServer } from "./ledger-server.ts";
import { logKeyPath, makeLogKey } from "./log-key-file.ts";

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
  expect((await refusalOf(options)).code).toBe("LOG_KEY_WRONG");
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

  const publish = join(folder, "public");
  await using server = await startLedgerServer({ ...options, publish });
  expect(readFileSync(join(publish, "pubkey.pem"), "utf8")).toContain("BEGIN PUBLIC KEY");
  expect(server.madeKey).toBeUndefined();
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
