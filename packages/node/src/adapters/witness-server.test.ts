import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner } from "@darkmatter/identity";
import { spkiPem } from "@darkmatter/proof";
import { serveHttp } from "@darkmatter/surface";
import { afterAll, expect, test } from "vitest";
import { nodeError } from "../errors.ts";
import { modeOf } from "../testing/program.ts";
import { startWitnessServer, type WitnessServerOptions } from "./witness-server.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-witness-"));
afterAll(() => rmSync(folder, { recursive: true }));

const logKey = createSigner("07".repeat(32)).agentId;
const otherKey = createSigner("08".repeat(32)).agentId;

function pemFile(name: string, ...keys: string[]): string {
  const file = join(folder, name);
  writeFileSync(file, keys.map((key) => spkiPem(key)).join("\n"));
  return file;
}

function optionsFor(name: string, more: Partial<WitnessServerOptions> = {}): WitnessServerOptions {
  return {
    home: join(folder, name),
    host: "127.0.0.1",
    port: 0,
    logUrl: "http://127.0.0.1:9",
    logKeyFile: undefined,
    trustProxy: false,
    confirm: async () => {
      throw nodeError("NOT_CONFIRMED");
    },
    ...more,
  };
}

async function codeOf(options: WitnessServerOptions): Promise<string> {
  try {
    await using witness = await startWitnessServer(options);
    return `started at ${witness.url}`;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Something that says it is a log, and its key. */
function fakeLog(key: () => string) {
  const body = () => JSON.stringify({ algorithm: "Ed25519", public_key: spkiPem(key()), previous: [] });
  return serveHttp({
    handler: async () => ({ status: 200, headers: {}, body: body() }),
    host: "127.0.0.1",
    port: 0,
    onError: () => undefined,
  });
}

test("a witness keeps its own key and the log's over a stop", async () => {
  const options = optionsFor("kept");
  const file = join(options.home, "witness", "witness.key");
  let id: string;
  {
    await using first = await startWitnessServer({ ...options, logKeyFile: pemFile("log.pem", logKey) });
    id = first.witnessId;
    expect(first.logKeys).toEqual([logKey]);
    expect(modeOf(file)).toBe(0o600);
    expect(await codeOf(options)).toBe("WITNESS_RUNS");
    const said = await (await fetch(`${first.url}/witness`)).json();
    expect(said).toMatchObject({
      witness_id: id,
      log_keys: [spkiPem(logKey)],
      public_key_pem: first.publicKey,
    });
  }
  {
    await using again = await startWitnessServer(options);
    expect(again).toMatchObject({ witnessId: id, logKeys: [logKey] });
  }
  // Another key would be another witness, who has signed nothing yet.
  chmodSync(file, 0o644);
  expect(await codeOf(options)).toBe("LOG_KEY_REFUSED");
  rmSync(file);
  expect(await codeOf(options)).toBe("LOG_KEY_MISSING");
});

test("the log's own word for its key is taken only when somebody confirms it, and once", async () => {
  let says = logKey;
  const log = await fakeLog(() => says);
  await using _log = { [Symbol.asyncDispose]: () => log.close() };
  const options = optionsFor("asked", { logUrl: log.url });
  expect(await codeOf(options)).toBe("NOT_CONFIRMED");

  const shown: string[] = [];
  const confirm = async (key: string) => void shown.push(key);
  {
    await using witness = await startWitnessServer({ ...options, confirm });
    expect(witness.logKeys).toEqual([logKey]);
  }
  says = otherKey;
  expect(await codeOf({ ...options, confirm })).toBe("LOG_KEY_DIFFERS");
  await log.close();
  await using again = await startWitnessServer({ ...options, confirm });
  expect(again.logKeys).toEqual([logKey]);
  expect(shown).toEqual([logKey]);
});

test("a witness that is told another key than the log has does not start", async () => {
  const log = await fakeLog(() => logKey);
  await using _log = { [Symbol.asyncDispose]: () => log.close() };
  const options = optionsFor("compared", { logUrl: log.url });
  const pin = join(options.home, "witness", "log-keys.pem");

  expect(await codeOf({ ...options, logKeyFile: pemFile("wrong.pem", otherKey) })).toBe("LOG_KEY_DIFFERS");
  expect(existsSync(pin)).toBe(false);
  {
    await using right = await startWitnessServer({ ...options, logKeyFile: pemFile("right.pem", logKey) });
    expect(right.uncompared).toBeUndefined();
  }
  const changed = pemFile("changed.pem", otherKey, logKey);
  await using both = await startWitnessServer({ ...options, logKeyFile: changed });
  expect(both).toMatchObject({ logKeys: [otherKey, logKey], uncompared: undefined });
});

test("a witness of a log that is away starts, and says that its key was not compared", async () => {
  await using away = await startWitnessServer(
    optionsFor("away", { logKeyFile: pemFile("away.pem", logKey) }),
  );
  expect(away.uncompared).toContain("does not answer");
});

test("what names no key pins none; a change of keys is told by the file", async () => {
  const options = optionsFor("pins");
  expect(await codeOf(options)).toBe("LOG_UNREACHABLE");
  const half = join(folder, "half.pem");
  for (const text of [
    "",
    "hello",
    `${spkiPem(logKey)}-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n`,
  ]) {
    writeFileSync(half, text);
    expect(await codeOf({ ...options, logKeyFile: half })).toBe("UNREADABLE_FILE");
  }
  expect(await codeOf({ ...options, logKeyFile: join(folder, "nowhere.pem") })).toBe("UNREADABLE_FILE");
  for (const keys of [[logKey], [logKey, otherKey]]) {
    await using witness = await startWitnessServer({ ...options, logKeyFile: pemFile("keys.pem", ...keys) });
    expect(witness.logKeys).toEqual(keys);
  }
  const pin = readFileSync(join(options.home, "witness", "log-keys.pem"), "utf8");
  expect(pin).toBe(spkiPem(logKey) + spkiPem(otherKey));
});
