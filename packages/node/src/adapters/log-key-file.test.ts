import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { spkiPem } from "@darkmatter/proof";
import { afterAll, expect, test } from "vitest";
import { modeOf } from "../testing/program.ts";
import { logKeyPath, makeLogKey, readFormerLogKeys, readLogKey } from "./log-key-file.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-log-key-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fresh = (name: string) => logKeyPath(join(folder, name));
const signer = createSigner("07".repeat(32));
/** An Ed25519 seed in PKCS#8 (RFC 8410). */
function pemOf(seedHex: string): string {
  const der = Buffer.from(`302e020100300506032b657004220420${seedHex}`, "hex").toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

test("a key that was made is read again, and is its owner's alone", () => {
  const file = fresh("made");
  const made = makeLogKey(file);
  expect(readLogKey({ text: undefined, file }).agentId).toBe(made.agentId);
  expect(modeOf(file)).toBe(0o600);
  expect(modeOf(join(file, ".."))).toBe(0o700);
  // A log's key is never replaced by the way.
  const before = readFileSync(file, "utf8");
  expect(codeOf(() => makeLogKey(file))).toBe("LOG_KEY_EXISTS");
  expect(readFileSync(file, "utf8")).toBe(before);
});

test("a key comes as PEM, as base64 of it, or with its line ends written out", () => {
  const pem = pemOf("07".repeat(32));
  const file = fresh("none");
  for (const text of [pem, Buffer.from(pem).toString("base64"), pem.replaceAll("\n", "\\n")])
    expect(readLogKey({ text, file }).agentId).toBe(signer.agentId);
});

test("no key is told from one that cannot be used", () => {
  expect(codeOf(() => readLogKey({ text: undefined, file: fresh("missing") }))).toBe("LOG_KEY_MISSING");
  const file = fresh("folder");
  mkdirSync(file, { recursive: true });
  expect(codeOf(() => readLogKey({ text: undefined, file }))).toBe("LOG_KEY_REFUSED");
});

test("a key that others may read is refused", () => {
  const file = fresh("open");
  makeLogKey(file);
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(file, mode);
    expect(codeOf(() => readLogKey({ text: undefined, file }))).toBe("LOG_KEY_REFUSED");
  }
  chmodSync(file, 0o400);
  expect(readLogKey({ text: undefined, file }).agentId).toHaveLength(64);
});

test("what is no Ed25519 private key is refused, and nothing of it is shown", () => {
  const other = (type: "rsa" | "x25519") =>
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey
      : generateKeyPairSync("x25519").privateKey;
  const pem = pemOf("07".repeat(32));
  const wrong = [
    "",
    "hunter2",
    "07".repeat(32),
    pem.slice(0, 60),
    pem.replace("MC4C", "MC4D"),
    spkiPem(signer.agentId),
    other("rsa").export({ format: "pem", type: "pkcs8" }).toString(),
    other("x25519").export({ format: "pem", type: "pkcs8" }).toString(),
  ];
  for (const text of wrong) {
    try {
      readLogKey({ text, file: fresh("none") });
      expect.unreachable(text);
    } catch (error) {
      expect(hasCode(error, "LOG_KEY_REFUSED")).toBe(true);
      if (text.length > 5) expect(JSON.stringify([error, String(error)])).not.toContain(text.slice(0, 6));
      expect((error as Error).cause).toBeUndefined();
    }
  }
});

test("former keys are read with the time they were good until; half a file is none", () => {
  const file = join(folder, "former.txt");
  const other = createSigner("08".repeat(32));
  const entry = (key: string, time: string) => `valid-until: ${time}\n${spkiPem(key)}\n`;
  writeFileSync(
    file,
    `# two of them\n${entry(signer.agentId, "2026-01-01T00:00:00Z")}\n${entry(other.agentId, "2026-02-01T01:00:00+01:00")}`,
  );
  expect(readFormerLogKeys(file)).toEqual([
    { publicKey: signer.agentId, validUntil: "2026-01-01T00:00:00.000Z" },
    { publicKey: other.agentId, validUntil: "2026-02-01T00:00:00.000Z" },
  ]);
  for (const text of [
    "",
    spkiPem(signer.agentId),
    entry(signer.agentId, "yesterday"),
    entry(signer.agentId, "2026-13-01T00:00:00Z"),
    `${entry(signer.agentId, "2026-01-01T00:00:00Z")}${spkiPem(other.agentId)}`,
    `valid-until: 2026-01-01T00:00:00Z\n${pemOf("07".repeat(32))}`,
  ]) {
    writeFileSync(file, text);
    expect(
      codeOf(() => readFormerLogKeys(file)),
      text,
    ).toBe("LOG_KEY_REFUSED");
  }
  expect(codeOf(() => readFormerLogKeys(join(folder, "nowhere")))).toBe("LOG_KEY_REFUSED");
});

test("a key that cannot be written is told as that, not as a key that is wrong", () => {
  const file = join(folder, "no-folder");
  writeFileSync(file, "");
  expect(codeOf(() => makeLogKey(join(file, "log.key")))).toBe("HOME_UNUSABLE");
});
