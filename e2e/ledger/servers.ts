import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { within } from "../checks.ts";
import { freePorts, type Home, type World } from "../world.ts";

const START_MS = 30_000;
const STOP_MS = 10_000;

export type Engine = "sqlite" | "postgres";

/** A secret that only this run knows. */
export const ADMIN = `e2e-${crypto.randomUUID()}`;

/** A ledger server: one process on SQLite, two on one PostgreSQL. */
export interface LedgerServers extends AsyncDisposable {
  readonly engine: Engine;
  readonly home: Home;
  /** Of each process; any answers what another was told. */
  readonly urls: readonly string[];
  /** Of PostgreSQL. */
  readonly database: string | undefined;
  stop(): Promise<void>;
  /** Starts them again, at the same addresses. */
  start(): Promise<void>;
}

export async function startLedger(
  world: World,
  engine: Engine,
): Promise<LedgerServers | { readonly missing: string }> {
  await using undo = new AsyncDisposableStack();
  let database: string | undefined;
  if (engine === "postgres") {
    const postgres = await startPrivatePostgres();
    if ("missing" in postgres) return postgres;
    undo.use(postgres);
    database = postgres.url;
  }
  const ports = await freePorts(engine === "postgres" ? 2 : 1);
  const home = world.home(`ledger-${engine}`, ports[0] ?? 0, {
    ...(database !== undefined && { DARKMATTER_LEDGER_DATABASE: database }),
    DARKMATTER_LEDGER_ADMIN_SECRET: ADMIN,
  });
  const children: ChildProcess[] = [];
  const start = async () => {
    // One after the other: the first makes key and tables.
    for (const port of ports) children.push(await served(world, home, port));
  };
  const stop = async () => {
    await Promise.all(children.splice(0).map(ended));
  };
  undo.defer(stop);
  await start();
  const running = undo.move();
  return {
    engine,
    home,
    database,
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    start,
    stop,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function served(world: World, home: Home, port: number): Promise<ChildProcess> {
  const child = world.start(home, ["serve", "ledger", "--dev", "--port", String(port), "--json"]);
  await firstLineOf(child);
  return child;
}

/** The first line a program prints, as JSON; fails with what it said on its way out. */
export async function firstLineOf(child: ChildProcess): Promise<Record<string, string>> {
  let complaint = "";
  child.stderr?.on("data", (text) => (complaint += text));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const first = new Promise<string>((done, failed) => {
    lines.once("line", done);
    child.once("exit", (code) => failed(new Error(`it ended with ${code}: ${complaint.trim()}`)));
  });
  return JSON.parse(await within(START_MS, first));
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await within(STOP_MS, exit);
}
