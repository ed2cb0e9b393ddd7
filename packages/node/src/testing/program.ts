import { type ChildProcessByStdio, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { peekAgentId } from "../adapters/passport-peek.ts";
import { socketPlace } from "../adapters/socket-place.ts";
import { type Places, placesOf } from "../places.ts";

/** A home of its own with a passport, removed at its end. */
export interface TestHome extends Disposable {
  readonly home: string;
  readonly passport: string;
  readonly agentId: string;
  readonly places: Places;
  readonly socket: string;
  /** In place of the system's folder for temporary files. */
  readonly temporary: string;
}

export function testHome(within = "home"): TestHome {
  const folder = mkdtempSync(join(tmpdir(), "dm-"));
  const passport = join(folder, ".darkmatter", "passport.key");
  mkdirSync(join(folder, ".darkmatter"), { mode: 0o700 });
  const { d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  writeFileSync(passport, `${Buffer.from(d as string, "base64url").toString("hex")}\n`, { mode: 0o600 });
  const agentId = peekAgentId(passport, folder, folder) as string;
  const places = placesOf(join(folder, within), agentId);
  return {
    home: join(folder, within),
    passport,
    agentId,
    places,
    socket: socketPlace(places.folder, folder),
    temporary: folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
type Answer = any;

/** The program as a child process, spoken to in JSON-RPC lines. */
export interface Program extends AsyncDisposable {
  readonly child: Child;
  readonly pid: number;
  readonly stderr: () => string;
  readonly stdoutText: () => string;
  /** The first line of JSON of a command that goes on. */
  firstLine(): Promise<Answer>;
  readonly notices: Answer[];
  /** Every answer that came, in order: an id that comes twice was answered twice. */
  readonly answers: Answer[];
  /** Sends a request and resolves with its whole answer. */
  request(method: string, params?: object): Promise<Answer>;
  notify(method: string, params?: object): void;
  /** `initialize` and what follows it. */
  open(): Promise<Program>;
  /** A tool's result. */
  call(name: string, args?: object, meta?: object): Promise<Answer>;
  readonly exited: Promise<number | null>;
}

export function startProgram(
  at: Pick<TestHome, "home" | "passport" | "temporary">,
  argv: readonly string[] = ["mcp"],
  env: Readonly<Record<string, string>> = {},
  script = new URL("./fake-main.ts", import.meta.url).pathname,
): Program {
  const child = spawn(process.execPath, [script, ...argv], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      TMPDIR: at.temporary,
      DARKMATTER_HOME: at.home,
      DARKMATTER_AGENT_ENABLED: "false",
      DARKMATTER_SOLANA_RPC: "http://127.0.0.1:9",
      DARKMATTER_PASSPORT: at.passport,
      DARKMATTER_PORT: "0",
      ...env,
    },
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  const notices: Answer[] = [];
  const answers: Answer[] = [];
  let stderr = "";
  let stdout = "";
  let next = 0;
  let rest = "";
  child.stderr.on("data", (text) => (stderr += text));
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (text) => {
    stdout += text;
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.method !== undefined) notices.push(message);
      else answers.push(message);
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    }
  });
  const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const program: Program = {
    child,
    pid: child.pid as number,
    stderr: () => stderr,
    stdoutText: () => stdout,
    async firstLine() {
      await until(() => stdout.includes("\n"), 30_000);
      return JSON.parse(stdout.slice(0, stdout.indexOf("\n")));
    },
    notices,
    answers,
    exited,
    request(method, params) {
      const id = ++next;
      const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
      send({ id, method, params });
      return answered;
    },
    notify: (method, params) => void send({ method, params }),
    async open() {
      const clientInfo = { name: "test", version: "0" };
      await program.request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
      program.notify("notifications/initialized");
      return program;
    },
    async call(name, args = {}, _meta = {}) {
      const answer = await program.request("tools/call", { name, arguments: args, _meta });
      return answer.result?.structuredContent ?? answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      child.kill("SIGCONT");
      child.kill("SIGKILL");
      await exited;
    },
  };
  return program;
}

/** Waits until something is so, for at most `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error("it never came to be");
    await sleep(10);
  }
}

export const isThere = existsSync;
export const modeOf = (path: string) => statSync(path).mode & 0o777;
