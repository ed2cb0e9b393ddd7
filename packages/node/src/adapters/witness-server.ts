import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, MINUTE_MS, parseJson, reasonOf, SECOND_MS, systemClock } from "@darkmatter/core";
import { createVerifier, type Signer } from "@darkmatter/identity";
import { createWitnessServer, openLinesFile } from "@darkmatter/ledger";
import { createUndiciWire, type Wire } from "@darkmatter/net";
import { keyOfPem, spkiPem } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { runJobs, serveHttp } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import { openLog } from "./log.ts";
import { makeLogKey, readLogKey } from "./log-key-file.ts";
import { makeFolders } from "./make-folders.ts";
import { tryAcquire } from "./owner-lock.ts";

const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;
const FETCH_TIMEOUT_MS = 10 * SECOND_MS;

export interface WitnessServerOptions {
  readonly home: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Without a slash at its end. */
  readonly logUrl: string;
  /** A file with the log's public keys in PEM; they become the ones it signs for. */
  readonly logKeyFile: string | undefined;
  readonly trustProxy: boolean;
  /** Asked when the log alone says which key is its own. @throws NOT_CONFIRMED */
  readonly confirm: (logKey: string) => Promise<void>;
}

export interface RunningWitnessServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly log: string;
  readonly witnessId: string;
  /** Its own key, PEM. */
  readonly publicKey: string;
  /** 64 hex each. */
  readonly logKeys: readonly string[];
}

/** A witness in this process: its key and what it signed in `<home>/witness/`. One at a time has it. */
export async function startWitnessServer(options: WitnessServerOptions): Promise<RunningWitnessServer> {
  const folder = join(options.home, "witness");
  const logFile = join(folder, "witness.log");
  await using undo = new AsyncDisposableStack();
  makeFolders(folder);
  const attempt = await tryAcquire(join(folder, "owner.lock"));
  if (attempt.kind === "unusable") throw nodeError(attempt.trouble);
  if (attempt.kind === "busy")
    throw nodeError("WITNESS_RUNS", `Another process is the witness of ${folder}.`);
  undo.defer(() => attempt.lock.release());
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const logKeys = await pinnedKeys(folder, options, wire);
  const signer = ownKey(folder);
  const log = undo.use(openLog(logFile));
  const witness = createWitnessServer({
    clock: systemClock,
    signer,
    verifier: createVerifier(),
    logKeys,
    logUrl: options.logUrl,
    wire,
    file: await openLinesFile(join(folder, "signed.jsonl")),
    report: (event, context) => log.warn(event, context),
    trustProxy: options.trustProxy,
  });
  undo.defer(() => witness.stop());
  await witness.start();
  const http = await serveHttp({
    handler: witness.handler,
    host: options.host,
    port: options.port,
    maxBodyBytes: witness.maxBodyBytes,
    onError: (error) => log.warn("http.failed", { reason: reasonOf(error) }),
  });
  undo.defer(() => http.close());
  const turnOver = { name: "log", periodMs: MINUTE_MS, run: async () => log.turnOver() };
  undo.use(runJobs([turnOver], systemClock, (job, reason) => log.warn("job.failed", { job, reason })));
  log.info("witness.started", { url: http.url, witness: witness.witnessId });

  const running = undo.move();
  return {
    url: http.url,
    folder,
    log: logFile,
    witnessId: witness.witnessId,
    publicKey: spkiPem(signer.agentId),
    logKeys,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Made at the first start. One that is gone while its signatures are there would be another witness. */
function ownKey(folder: string): Signer {
  const file = join(folder, "witness.key");
  if (existsSync(file) || existsSync(join(folder, "signed.jsonl")))
    return readLogKey({ text: undefined, file });
  return makeLogKey(file);
}

/**
 * The log's keys, kept since the first start: whoever answers at the log's address later cannot put another in their
 * place. @throws UNREADABLE_FILE, LOG_UNREACHABLE, NOT_CONFIRMED
 */
async function pinnedKeys(
  folder: string,
  { logUrl, logKeyFile, confirm }: WitnessServerOptions,
  wire: Wire,
): Promise<readonly string[]> {
  const pin = join(folder, "log-keys.pem");
  if (logKeyFile === undefined && existsSync(pin)) return publicKeysIn(pin);
  const keys = logKeyFile === undefined ? [await askedKey(wire, logUrl, confirm)] : publicKeysIn(logKeyFile);
  await nodeFiles.replace(pin, keys.map((key) => spkiPem(key)).join(""), 0o600);
  return keys;
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

async function askedKey(
  wire: Wire,
  logUrl: string,
  confirm: WitnessServerOptions["confirm"],
): Promise<string> {
  const url = `${logUrl}/api/log/pubkey`;
  const unreachable = (cause?: unknown) =>
    nodeError("LOG_UNREACHABLE", `${url} does not say which key the log has.`, cause);
  const answer = await wire
    .request({ method: "GET", url, timeoutMs: FETCH_TIMEOUT_MS, reach: "private" })
    .catch((error: unknown) => {
      throw unreachable(error);
    });
  const said = parseJson(new TextDecoder().decode(answer.body)) ?? null;
  const pem = answer.status === 200 && isJsonObject(said) ? said.public_key : undefined;
  const key = typeof pem === "string" ? keyOfPem(pem) : undefined;
  if (key === undefined) throw unreachable();
  await confirm(key);
  return key;
}
