import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommandLine } from "@darkmatter/surface";
import { type RunningLedgerServer, startLedgerServer } from "../adapters/ledger-server.ts";
import { commandTable } from "../commands/table.ts";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";

/** What a command printed, and its exit code. */
export interface Typed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** An empty folder in which somebody types commands, with no variable set but those given. */
export interface AtFolder extends Disposable {
  readonly folder: string;
  readonly env: Record<string, string>;
  typed(...argv: string[]): Promise<Typed>;
  /** The same until somebody presses Ctrl-C. */
  typedUntil(signal: AbortSignal, ...argv: string[]): Promise<Typed>;
  /** What it says under `--json`. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
  json(...argv: string[]): Promise<{ readonly code: number; readonly said: any; readonly err: string }>;
  read(name: string): string;
  write(name: string, text: string): void;
}

/** Commands run in this process, one at a time, with its folder and its variables changed meanwhile. */
export function atFolder(): AtFolder {
  const folder = mkdtempSync(join(tmpdir(), "dm-typed-"));
  const env: Record<string, string> = {};
  const typedUntil = (signal: AbortSignal, ...argv: string[]) => typedThere(folder, env, argv, signal);
  const typed = (...argv: string[]) => typedUntil(new AbortController().signal, ...argv);
  return {
    folder,
    env,
    typed,
    typedUntil,
    async json(...argv) {
      const { code, out, err } = await typed(...argv, "--json");
      return { code, said: JSON.parse(out), err };
    },
    read: (name) => readFileSync(join(folder, name), "utf8"),
    write: (name, text) => writeFileSync(join(folder, name), text),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function typedThere(
  folder: string,
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<Typed> {
  const before = { cwd: process.cwd(), env: process.env };
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("DARKMATTER_"));
  process.env = { ...Object.fromEntries(kept), DARKMATTER_HOME: join(folder, "home"), ...env };
  process.chdir(folder);
  const printed = { out: "", err: "" };
  try {
    const code = await runCommandLine({
      name: "darkmatter",
      summary: "",
      version: "0",
      commands: commandTable({}),
      argv,
      streams: {
        stdout: (text) => {
          printed.out += text;
        },
        stderr: (text) => {
          printed.err += text;
        },
      },
      signal,
    });
    return { code, ...printed };
  } finally {
    process.chdir(before.cwd);
    process.env = before.env;
  }
}

/** A ledger server as `darkmatter serve ledger` starts it, on a file and on loopback. */
export async function realLedgerServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningLedgerServer> {
  const home = mkdtempSync(join(tmpdir(), "dm-ledger-"));
  const server = await startLedgerServer({
    home,
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: true,
    publish: undefined,
    settings: parseLedgerServerSettings({
      DARKMATTER_LEDGER_LIMIT_CALLS: "-1",
      DARKMATTER_LEDGER_LIMIT_PROVISIONS: "-1",
      ...settings,
    }),
  });
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** An API key that no server made. */
export const STRANGE_KEY = `dm_sk_${"0123456789ab".repeat(4)}`;

let people = 0;

/** An address that no account has yet. */
export const newEmail = (): string => `person-${process.pid}-${++people}@example.test`;

/** A folder where `darkmatter init` was run. */
export async function initialised(url: string, agent = "writer"): Promise<AtFolder> {
  const at = atFolder();
  const { code, out } = await at.typed(
    ...["init", "--host", url, "--email", newEmail(), "--agent", agent, "--no-test"],
  );
  if (code !== 0) throw new Error(`init: ${out}`);
  return at;
}

export const keyIn = (at: AtFolder): string => /DARKMATTER_API_KEY=(\S+)/.exec(at.read(".env"))?.[1] ?? "";

/** Commits as the agent of a folder; the commit's id. */
export async function commitAs(at: AtFolder, body: object | string): Promise<string> {
  const host = /DARKMATTER_HOST=(\S+)/.exec(at.read(".env"))?.[1];
  const answer = await fetch(`${host}/api/commit`, {
    method: "POST",
    headers: { authorization: `Bearer ${keyIn(at)}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  if (answer.status !== 200) throw new Error(`commit: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

/** Steps `say 1`, `say 2` … by models `m1`, `m2` …, first one first. */
export async function chainAs(at: AtFolder, length = 3): Promise<string[]> {
  const ids: string[] = [];
  for (let step = 1; step <= length; step++) {
    const payload = { input: `ask ${step}`, output: `say ${step}` };
    const agent = { model: `m${step}` };
    ids.push(await commitAs(at, { payload, parentId: ids.at(-1), traceId: "trc_x", agent }));
  }
  return ids;
}

/** Something that is not, or not quite, a ledger server; and what it was asked. */
export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: { readonly url: string | undefined; readonly authorization: string | undefined }[];
}

/** Answers everything alike. */
export function fakeServer(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<FakeServer> {
  return serverWith(async () => ({ status, headers, body }));
}

/** Answers each request, its body as text, as `answer` says; what has no status never ends. */
export async function serverWith(
  answer: (
    request: IncomingMessage,
    body: string,
  ) => Promise<{ status?: number; headers?: Readonly<Record<string, string>>; body: string }>,
): Promise<FakeServer> {
  const asked: FakeServer["asked"] = [];
  const http = createServer(async (request, response) => {
    asked.push({ url: request.url, authorization: request.headers.authorization });
    const { status, headers, body } = await answer(request, (await request.toArray()).join(""));
    if (status === undefined) response.writeHead(200).write(body);
    else response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}
