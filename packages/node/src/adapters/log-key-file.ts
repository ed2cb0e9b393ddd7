import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { createSigner, type Signer } from "@darkmatter/identity";
import type { FormerLogKey } from "@darkmatter/ledger/server";
import { nodeError } from "../errors.ts";
import type { LedgerServerSettings } from "../ledger-server-config.ts";
import { makeFolders } from "./make-folders.ts";
import { whyRefused } from "./why-refused.ts";

const PUBLIC_KEY_BYTES = 32;
/** Read or written by anybody but the owner. */
const OTHERS = 0o077;
/** A key is a few lines; anything larger is something else. */
const KEY_BYTES_MAX = 64 * 1024;
const NO_KEY = "It is not an Ed25519 private key in PEM (PKCS#8).";

/** Where the key of a ledger server's log lies when nothing else is said. */
export function logKeyPath(home: string): string {
  return join(home, "ledger", "log.key");
}

/** What the environment says of a log's key. */
export interface LogKeySource {
  /** A PEM, or base64 of one. */
  readonly text: string | undefined;
  readonly file: string;
}

/** The key of a ledger server's log, and those it had before. @throws LOG_KEY_MISSING, LOG_KEY_REFUSED */
export function logKeysOf(
  home: string,
  settings: Pick<LedgerServerSettings, "logKey" | "logKeyFile" | "formerLogKeysFile">,
): { readonly key: Signer; readonly former: readonly FormerLogKey[] } {
  const key = readLogKey({ text: settings.logKey, file: settings.logKeyFile ?? logKeyPath(home) });
  return { key, former: settings.formerLogKeysFile ? readFormerLogKeys(settings.formerLogKeysFile) : [] };
}

/** The log's key. @throws LOG_KEY_MISSING, LOG_KEY_REFUSED, never with anything of what was read */
export function readLogKey({ text, file }: LogKeySource): Signer {
  if (text !== undefined) return signerOf(text, "DARKMATTER_LOG_KEY is no key.");
  return signerOf(privateText(file), `The key in ${file} cannot be used.`);
}

/** Makes a key where there is none, readable by its owner alone. @throws LOG_KEY_EXISTS, HOME_UNUSABLE */
export function makeLogKey(file: string): Signer {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  makeFolders(dirname(file));
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx", 0o600);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw nodeError("LOG_KEY_EXISTS", `There is a key in ${file} already.`);
    throw nodeError("HOME_UNUSABLE", `The key cannot be written to ${file}: ${whyRefused(error)}.`, error);
  }
  try {
    writeSync(descriptor, pem);
    fsyncSync(descriptor);
  } catch (error) {
    // Half a key would be refused for ever.
    unlinkSync(file);
    throw nodeError("HOME_UNUSABLE", `The key cannot be written to ${file}: ${whyRefused(error)}.`, error);
  } finally {
    closeSync(descriptor);
  }
  return signerOf(pem, NO_KEY);
}

/**
 * Keys the log had before: PEMs of public keys, each after a line `valid-until: <ISO 8601 time>`.
 * @throws LOG_KEY_REFUSED
 */
export function readFormerLogKeys(file: string): FormerLogKey[] {
  const refused = (why: string) => nodeError("LOG_KEY_REFUSED", `The former keys in ${file}: ${why}`);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw nodeError("LOG_KEY_REFUSED", `The former keys in ${file} cannot be read.`, error);
  }
  const entries =
    /^valid-until:[ \t]*(\S+)[ \t]*\r?\n(-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----)/gim;
  const found = [...text.matchAll(entries)].map(([, time = "", pem = ""]) => {
    if (!/^\d{4}-\d{2}-\d{2}T\S+(Z|[+-]\d{2}:\d{2})$/.test(time) || Number.isNaN(Date.parse(time)))
      throw refused("`valid-until:` needs a time such as 2026-11-21T10:00:00Z.");
    return { publicKey: publicHex(pem, refused), validUntil: new Date(time).toISOString() };
  });
  if (found.length === 0 || found.length !== text.split("-----BEGIN").length - 1)
    throw refused("each is a public key in PEM after a line `valid-until: 2026-11-21T10:00:00Z`.");
  return found;
}

function publicHex(pem: string, refused: (why: string) => Error): string {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw refused("one of them is no public key.");
  }
  if (key.asymmetricKeyType !== "ed25519") throw refused("one of them is no Ed25519 key.");
  return key.export({ format: "der", type: "spki" }).subarray(-PUBLIC_KEY_BYTES).toString("hex");
}

/** The text of a file that only its owner may read. */
function privateText(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw nodeError("LOG_KEY_MISSING", `There is no key in ${file}.`);
    throw nodeError("LOG_KEY_REFUSED", `The key in ${file} cannot be read.`, error);
  }
  try {
    // Of the opened file: what lies under the name may change in between.
    const { mode, size } = fstatSync(descriptor);
    if (process.platform !== "win32" && (mode & OTHERS) !== 0)
      throw nodeError("LOG_KEY_REFUSED", `Others may read the key in ${file}: chmod 600 ${file}`);
    return size > KEY_BYTES_MAX ? "" : readFileSync(descriptor, "utf8");
  } catch (error) {
    if (codeOf(error) !== "EISDIR") throw error;
    throw nodeError("LOG_KEY_REFUSED", `${file} is a folder.`);
  } finally {
    closeSync(descriptor);
  }
}

function signerOf(text: string, what: string): Signer {
  const pem = text.includes("-----BEGIN") ? text : Buffer.from(text, "base64").toString("utf8");
  let key: KeyObject;
  try {
    // Environments carry line ends as `\n` now and then.
    key = createPrivateKey(pem.replaceAll("\\n", "\n"));
  } catch {
    // The reason would quote what was read.
    throw nodeError("LOG_KEY_REFUSED", `${what} ${NO_KEY}`);
  }
  if (key.asymmetricKeyType !== "ed25519") throw nodeError("LOG_KEY_REFUSED", `${what} ${NO_KEY}`);
  const { d = "" } = key.export({ format: "jwk" });
  return createSigner(Buffer.from(d, "base64url"));
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
