import { existsSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import {
  type DarkMatterError,
  hasCode,
  MINUTE_MS,
  reasonOf,
  systemClock,
  systemRandom,
} from "@darkmatter/core";
import { createVerifier, type Signer } from "@darkmatter/identity";
import {
  createLedgerServer,
  databaseWindows,
  inServerWords,
  type LedgerServer,
  type LedgerServerPorts,
  ledgerServerMigrations,
  memoryWindows,
  publicationFolder,
  scryptPasswords,
} from "@darkmatter/ledger/server";
import { createUndiciWire } from "@darkmatter/net";
import {
  type Database,
  migrate,
  openPostgres,
  openSqlite,
  removeHalfWritten,
  storeMigrations,
} from "@darkmatter/store";
import { runJobs, serveHttp } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { LedgerServerSettings } from "../ledger-server-config.ts";
import { ledgerFile } from "./ledger-database.ts";
import { type Log, openLog } from "./log.ts";
import { logKeyPath, logKeysOf, makeLogKey } from "./log-key-file.ts";
import { logMemory } from "./log-memory.ts";
import { refuseLostKey } from "./lost-log-key.ts";
import { makeFolders } from "./make-folders.ts";
import { tryAcquire } from "./owner-lock.ts";

/** Nothing larger is read at all; each route has a bound of its own, below this. */
const REQUEST_BYTES_MAX = 16 * 1024 * 1024;

export interface LedgerServerOptions {
  readonly home: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Without a slash at its end; by default where it listens. */
  readonly baseUrl: string | undefined;
  readonly trustProxy: boolean;
  /** Makes a key where there is none. */
  readonly isDevelopment: boolean;
  /** A directory for checkpoints. */
  readonly publish: string | undefined;
  readonly settings: LedgerServerSettings;
}

export interface RunningLedgerServer extends AsyncDisposable {
  readonly url: string;
  readonly baseUrl: string;
  readonly folder: string;
  readonly log: string;
  readonly database: "sqlite" | "postgres";
  /** The log's public key, 64 hex. */
  readonly logKey: string;
  /** The file of a key that was made at this start. */
  readonly madeKey: string | undefined;
  /** Where other machines reach it, when it listens on all addresses; none otherwise. */
  readonly urlsForOthers: readonly string[];
  /** Why it may serve no longer; the caller then disposes it. */
  readonly ended: Promise<DarkMatterError>;
}

/**
 * A ledger server in this process: its state in `<home>/ledger/`, which one at a time has, or in a PostgreSQL database
 * that many may share.
 */
export async function startLedgerServer(options: LedgerServerOptions): Promise<RunningLedgerServer> {
  try {
    return await start(options);
  } catch (error) {
    throw inServerWords(error);
  }
}

async function start(options: LedgerServerOptions): Promise<RunningLedgerServer> {
  const { home, settings } = options;
  const folder = join(home, "ledger");
  const logFile = join(folder, "ledger.log");
  await using undo = new AsyncDisposableStack();
  makeFolders(folder);
  if (settings.database === undefined) await own(folder, undo);
  const found = keysOf(options);
  if (!found && !options.isDevelopment && settings.database === undefined && !existsSync(ledgerFile(home))) {
    await refuseLostKey(home, keyFileOf(options), undefined);
    throw missingKey(options);
  }
  const log = undo.use(openLog(logFile));
  const db = undo.use(await openDatabase(home, settings.database, log));
  await migrate(db, [...storeMigrations, ...ledgerServerMigrations]);
  const { key, former: formerLogKeys, madeKey } = found ?? (await newKeys(options, db));
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  // Its own address is part of what it answers: requests wait until it is known.
  const serving = Promise.withResolvers<Pick<LedgerServer, "handler" | "admitLarge">>();
  serving.promise.catch(() => undefined);
  const http = await serveHttp({
    handler: async (request) => (await serving.promise).handler(request),
    admitLarge: async (head, bytes) => (await serving.promise).admitLarge(head, bytes),
    host: options.host,
    port: options.port,
    maxBodyBytes: REQUEST_BYTES_MAX,
    onError: (error) => log.warn("http.failed", { reason: reasonOf(error) }),
  });
  const closing = once(() => http.close());
  undo.defer(closing);
  const baseUrl = options.baseUrl ?? http.url;
  const ports = portsOf(options, { db, wire, key, formerLogKeys, baseUrl, log });
  await requirePublishable(options.publish);
  const server = createLedgerServer(ports);
  await server.start();
  undo.defer(() => server.stop());
  // Undone in reverse: no new requests while the log is signed for the last time.
  undo.defer(closing);
  undo.use(
    runJobs(jobsOf(server, log), systemClock, (job, reason) => log.warn("job.failed", { job, reason })),
  );
  serving.resolve(server);
  log.info("ledger.started", { url: http.url, database: db.dialect, log_key: key.agentId });

  const running = undo.move();
  return {
    url: http.url,
    baseUrl,
    folder,
    log: logFile,
    database: db.dialect,
    logKey: key.agentId,
    madeKey,
    urlsForOthers: urlsForOthers(options.host, http.port),
    ended: server.ended,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Every address of this machine but its own loopback, where it listens on all of them. */
function urlsForOthers(host: string, port: number): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [];
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return all
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => `http://${address}:${port}`);
}

/** One process at a time has the state of a folder. @throws LEDGER_RUNS */
async function own(folder: string, undo: AsyncDisposableStack): Promise<void> {
  const attempt = await tryAcquire(join(folder, "owner.lock"));
  if (attempt.kind === "unusable") throw nodeError(attempt.trouble);
  if (attempt.kind === "busy")
    throw nodeError("LEDGER_RUNS", `Another process serves the ledger in ${folder}.`);
  undo.defer(() => attempt.lock.release());
  await removeHalfWritten(folder);
}

function openDatabase(home: string, url: string | undefined, log: Log): Promise<Database> {
  const report = (error: unknown) => log.warn("database", { reason: reasonOf(error) });
  return url === undefined ? openSqlite({ path: ledgerFile(home), report }) : openPostgres({ url, report });
}

/** Not one of the names that are published: whether this server may publish at all is only known later. */
const TRIAL = ".writable";

/** A folder that cannot be written is told where it was named. @throws PUBLISH_UNUSABLE */
async function requirePublishable(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  try {
    await publicationFolder(folder).replace(TRIAL, "");
    rmSync(join(folder, TRIAL), { force: true });
  } catch (error) {
    throw nodeError("PUBLISH_UNUSABLE", `${folder} cannot be written: ${reasonOf(error)}`, error);
  }
}

const keyFileOf = ({ home, settings }: LedgerServerOptions) => settings.logKeyFile ?? logKeyPath(home);

const missingKey = (options: LedgerServerOptions) =>
  nodeError("LOG_KEY_MISSING", `There is no key in ${keyFileOf(options)}.`);

/** The keys of the environment or the home; `undefined` where there is none. @throws LOG_KEY_REFUSED */
function keysOf({ home, settings }: LedgerServerOptions) {
  try {
    return { ...logKeysOf(home, settings), madeKey: undefined };
  } catch (error) {
    if (hasCode(error, "LOG_KEY_MISSING")) return undefined;
    throw error;
  }
}

/** A key for a log that never had one, in development. @throws LOG_KEY_LOST, LOG_KEY_MISSING, LOG_KEY_REFUSED */
async function newKeys(options: LedgerServerOptions, db: Database) {
  const madeKey = keyFileOf(options);
  await refuseLostKey(options.home, madeKey, db);
  if (!options.isDevelopment) throw missingKey(options);
  makeLogKey(madeKey);
  return { ...logKeysOf(options.home, options.settings), madeKey };
}

interface Parts extends Pick<LedgerServerPorts, "db" | "wire" | "formerLogKeys"> {
  readonly key: Signer;
  readonly baseUrl: string;
  readonly log: Log;
}

function portsOf(
  { home, settings, trustProxy, publish }: LedgerServerOptions,
  { db, wire, key, formerLogKeys, baseUrl, log }: Parts,
): LedgerServerPorts {
  const { limits, adminSecret, adminAgents, allowedOrigins } = settings;
  return {
    db,
    wire,
    formerLogKeys,
    clock: systemClock,
    random: systemRandom,
    logKey: key,
    verifier: createVerifier(),
    passwords: scryptPasswords(systemRandom),
    // One process counts by itself, many count together.
    windows: db.dialect === "sqlite" ? memoryWindows(systemClock) : databaseWindows(db, systemClock),
    publisher: publish === undefined ? undefined : publicationFolder(publish),
    logMemory: logMemory(home),
    report: (event, context) => log.warn(event, context),
    config: {
      baseUrl,
      limits,
      trustProxy,
      adminSecret,
      adminAgents,
      allowedOrigins,
      secureCookies: baseUrl.startsWith("https:"),
    },
  };
}

function jobsOf({ jobs }: LedgerServer, log: Log) {
  return [...jobs, { name: "log", periodMs: MINUTE_MS, run: async () => log.turnOver() }];
}

function once(act: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= act();
    return done;
  };
}
