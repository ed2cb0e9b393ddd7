import type { ChildProcess } from "node:child_process";
import { text } from "node:stream/consumers";
import { startPrivatePostgres } from "@darkmatter/store/testing";
import { firstLine } from "../../bench/lib/first-line.ts";
import { endChild, type Home, makeHome } from "../../bench/lib/home.ts";
import { freePorts } from "../../e2e/world.ts";
import { ended, withLifeline } from "../side.ts";

/** The processes of one ledger server, each of which may be killed. */
export interface Servers extends AsyncDisposable {
  readonly engine: Engine;
  readonly urls: readonly string[];
  /** Kills one without warning and starts it again. */
  kill(at: number): Promise<void>;
  /** Resolves once all answer after the last kills. */
  ready(): Promise<void>;
  /** Ends all as an operator would. */
  stop(): Promise<void>;
  /** What `darkmatter ledger check` finds in the database, and how many commits it holds. */
  check(): Promise<{ readonly problems: readonly string[]; readonly commits: number }>;
  readonly endedAlone: readonly string[];
}

export const ENGINES = ["sqlite", "postgres"] as const;
export type Engine = (typeof ENGINES)[number];

const SETTINGS = {
  DARKMATTER_LEDGER_LIMIT_CALLS: "-1",
  DARKMATTER_LEDGER_LIMIT_PROVISIONS: "-1",
  DARKMATTER_LEDGER_LIMIT_PUBLIC_CALLS: "-1",
  DARKMATTER_LEDGER_LIMIT_AGENT_BYTES: "-1",
  DARKMATTER_LIFELINE: "3",
};

/** One process on SQLite, or two on a PostgreSQL of their own; why not where that cannot be. */
export async function startServers(engine: Engine): Promise<Servers | { readonly missing: string }> {
  await using undo = new AsyncDisposableStack();
  const settings: Record<string, string> = { ...SETTINGS };
  if (engine === "postgres") {
    const database = await startPrivatePostgres();
    if ("missing" in database) return database;
    undo.use(database);
    settings.DARKMATTER_LEDGER_DATABASE = database.url;
  }
  const home = withLifeline(makeHome(settings));
  undo.use(home);
  const ports = await freePorts(engine === "postgres" ? 2 : 1);
  const processes = await startProcesses(home, ports);
  const running = undo.move();
  return {
    engine,
    ...processes,
    check: () => check(home),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function startProcesses(home: Home, ports: readonly number[]) {
  const expected = new WeakSet<ChildProcess>();
  const endedAlone: string[] = [];
  const start = (port: number) => {
    const args = ["serve", "ledger", "--dev", "--port", String(port), "--json"];
    const child = home.start(args, ["ignore", "pipe", "inherit"]);
    child.once("exit", (code) => expected.has(child) || endedAlone.push(`a server ended with ${code}`));
    return child;
  };
  const children: ChildProcess[] = [];
  const urls: string[] = [];
  // One after the other: the first makes key and tables.
  for (const port of ports) {
    const child = start(port);
    children.push(child);
    urls.push((await firstLine<{ url: string }>(child)).url);
  }
  const recovering = children.map((): Promise<unknown> => Promise.resolve());
  return {
    urls,
    endedAlone,
    async kill(at: number) {
      const child = children[at];
      const port = ports[at];
      if (!child || port === undefined) throw new RangeError(`there is no server ${at}`);
      expected.add(child);
      await endChild(child);
      const next = start(port);
      children[at] = next;
      recovering[at] = firstLine(next);
      recovering[at].catch(() => undefined);
    },
    ready: () => Promise.all(recovering).then(() => undefined),
    async stop() {
      for (const child of children) expected.add(child);
      await Promise.all(children.map(ended));
    },
  };
}

interface CheckReport {
  readonly isSound?: boolean;
  readonly commits?: number;
  readonly problems?: Readonly<Record<string, number>>;
  readonly error?: string;
}

async function check(home: Home): Promise<{ problems: readonly string[]; commits: number }> {
  const child = home.start(["ledger", "check", "--json"], ["ignore", "pipe", "inherit"]);
  const said = await text(child.stdout as NodeJS.ReadableStream);
  const report = JSON.parse(said) as CheckReport;
  const problems = Object.entries(report.problems ?? {}).map(([kind, times]) => `${kind} × ${times}`);
  const isSound = report.isSound === true && problems.length === 0;
  return {
    commits: report.commits ?? 0,
    problems: isSound ? [] : problems.length > 0 ? problems : [report.error ?? said],
  };
}
