import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode, isJsonObject, parseJson, SECOND_MS } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import { keyOfPem, spkiPem } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { nodeError } from "../errors.ts";

const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;
const FETCH_TIMEOUT_MS = 10 * SECOND_MS;

export interface PinOptions {
  /** Without a slash at its end. */
  readonly logUrl: string;
  /** A file with the log's public keys in PEM; they become the ones pinned. */
  readonly logKeyFile: string | undefined;
  /** Asked when the log alone says which key is its own. @throws NOT_CONFIRMED */
  readonly confirm: (logKey: string) => Promise<void>;
}

export interface PinnedLogKeys {
  /** 64 hex each. */
  readonly logKeys: readonly string[];
  /** Why the log's own word was not compared with them: it may be away. `undefined` when it was. */
  readonly uncompared: string | undefined;
}

/**
 * The log's keys, kept in a witness's folder since the first start: whoever answers at the log's address later cannot
 * put another in their place. A log that says another key than these would have nothing signed, so that is told here.
 * @throws UNREADABLE_FILE, LOG_UNREACHABLE, LOG_KEY_DIFFERS, NOT_CONFIRMED
 */
export async function pinnedLogKeys(
  folder: string,
  { logUrl, logKeyFile, confirm }: PinOptions,
  wire: Wire,
): Promise<PinnedLogKeys> {
  const pin = join(folder, "log-keys.pem");
  const given = logKeyFile ?? (existsSync(pin) ? pin : undefined);
  if (given === undefined) {
    const key = await askedKey(wire, logUrl);
    await confirm(key);
    await writePin(pin, [key]);
    return { logKeys: [key], uncompared: undefined };
  }
  const logKeys = publicKeysIn(given);
  const uncompared = await compare(logKeys, wire, logUrl);
  if (given !== pin) await writePin(pin, logKeys);
  return { logKeys, uncompared };
}

function writePin(pin: string, keys: readonly string[]): Promise<void> {
  return nodeFiles.replace(pin, keys.map((key) => spkiPem(key)).join(""), 0o600);
}

function publicKeysIn(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw nodeError("UNREADABLE_FILE", `The log's key in ${file} cannot be read.`, error);
  }
  const keys = (text.match(PEM) ?? []).map((pem) => keyOfPem(`${pem.replaceAll("\r", "")}\n`));
  const known = keys.filter((key) => key !== undefined);
  if (known.length === 0 || known.length !== text.split("-----BEGIN").length - 1)
    throw nodeError("UNREADABLE_FILE", `${file} does not hold the log's public key in PEM.`);
  return known;
}

/** Why the log could not be asked; `undefined` when it says one of these keys. @throws LOG_KEY_DIFFERS */
async function compare(keys: readonly string[], wire: Wire, logUrl: string): Promise<string | undefined> {
  let said: string;
  try {
    said = await askedKey(wire, logUrl);
  } catch (error) {
    if (hasCode(error, "LOG_UNREACHABLE")) return error.message;
    throw error;
  }
  if (keys.includes(said)) return undefined;
  const pinned = keys.join(", ");
  throw nodeError(
    "LOG_KEY_DIFFERS",
    `${logUrl} says that its key is ${said}; this witness is pinned to ${pinned}.`,
  );
}

async function askedKey(wire: Wire, logUrl: string): Promise<string> {
  const url = `${logUrl}/api/log/pubkey`;
  const answer = await wire
    .request({ method: "GET", url, timeoutMs: FETCH_TIMEOUT_MS, reach: "private" })
    .catch((error: unknown) => {
      throw nodeError("LOG_UNREACHABLE", `${logUrl} does not answer.`, error);
    });
  const said = parseJson(new TextDecoder().decode(answer.body)) ?? null;
  const pem = answer.status === 200 && isJsonObject(said) ? said.public_key : undefined;
  const key = typeof pem === "string" ? keyOfPem(pem) : undefined;
  if (key === undefined)
    throw nodeError(
      "LOG_UNREACHABLE",
      `${url} answers ${answer.status} and does not say which key the log has.`,
    );
  return key;
}
