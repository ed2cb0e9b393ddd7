import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { within } from "../checks.ts";
import { type Home, PROGRAM, type World } from "../world.ts";

export interface Finding {
  readonly check: string;
  readonly level: "ok" | "warn" | "fail";
  readonly what: string;
  readonly fix?: string;
}

export interface Verdict {
  readonly code: number | null;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  readonly ms: number;
}

const DOCTOR_MS = 20_000;

/** As whom a process runs: nobody in particular where a root user could do anything. */
export const UNPRIVILEGED = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** What the doctor says at a home, and how quickly. */
export async function doctor(world: World, home: Home, as: object = {}): Promise<Verdict> {
  const start = performance.now();
  const { code, out, err } = await shell(world, home, `"${process.execPath}" "${PROGRAM}" doctor --json`, as);
  const ms = performance.now() - start;
  if (out.trim() === "") throw new Error(`the doctor said nothing: ${err}`);
  return { code, ms, ...JSON.parse(out) };
}

/** The line about one thing; its words are checked too. */
export function line(verdict: Verdict, check: string, level: Finding["level"], words: RegExp): Finding {
  const about = verdict.findings.filter((finding) => finding.check === check);
  const found = about.find((finding) => finding.level === level && words.test(finding.what));
  if (!found) throw new Error(`no ${level} about ${check} like ${words}: ${JSON.stringify(about)}`);
  if (level !== "ok" && !found.fix) throw new Error(`no fix for ${check}`);
  return found;
}

/** A command as a person types it in the agent's folder. */
export async function shell(world: World, home: Home, command: string, as: object = {}) {
  const child = typed(world, home, command, as);
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  child.stdin?.end();
  const code = await within(DOCTOR_MS, new Promise<number | null>((done) => child.on("close", done)));
  return { code, out: await out, err: await err };
}

/** The same for a command that goes on, until the world ends. */
export function typed(world: World, home: Home, command: string, as: object = {}): ChildProcess {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: home.project,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: { ...home.env, DARKMATTER_LIFELINE: "3" },
    ...as,
  });
  child.on("exit", world.adopt(child.pid as number));
  child.stdin?.on("error", () => undefined);
  return child;
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

/** A server that answers every request with a JSON object, with a clock of its own. */
export async function fakeServer(port: number, body: object, aheadMs = () => 0): Promise<AsyncDisposable> {
  const server: Server = createServer((_request, response) => {
    const date = new Date(Date.now() + aheadMs()).toUTCString();
    response.writeHead(200, { "content-type": "application/json", date, connection: "close" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", done);
  });
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
