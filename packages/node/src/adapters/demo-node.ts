import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { nodeError } from "../errors.ts";

/** How long a node may take to say that it runs, or to stop. */
const START_MS = 8000;
const STOP_MS = 3000;

/** A real node of the demo: this very program as a child process, with a home of its own. */
export interface DemoNode {
  readonly name: string;
  readonly home: string;
  readonly passport: string;
  readonly url: string;
  readonly agentId: string;
  readonly pid: number;
  /** Ends it without warning, as a power cut would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startDemoNode(folder: string, name: string): Promise<DemoNode> {
  const home = join(folder, name, "home");
  const passport = join(folder, name, "passport.key");
  mkdirSync(home, { recursive: true });
  const child = spawn(process.execPath, [process.argv[1] ?? "", "up", "--json"], {
    cwd: join(folder, name),
    // The fourth pipe is a lifeline: should the demo itself be killed, its nodes stop.
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...ownEnvironment(), ...settings(name, home, passport) },
  });
  try {
    const { url, agent_id } = await firstAnswer(child);
    return {
      name,
      home,
      passport,
      url,
      agentId: agent_id,
      pid: child.pid as number,
      kill: () => end(child, "SIGKILL"),
      stop: () => end(child, "SIGTERM"),
    };
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
}

function settings(name: string, home: string, passport: string) {
  return {
    DARKMATTER_HOME: home,
    DARKMATTER_PASSPORT: passport,
    DARKMATTER_DISPLAY_NAME: name,
    DARKMATTER_PORT: "0",
    DARKMATTER_DISCOVERY: "false",
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_SOLANA_RPC: "none",
    DARKMATTER_LIFELINE: "3",
  };
}

/** Without this user's own settings: the demo is the same everywhere. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DARKMATTER_")));
}

async function firstAnswer(child: ChildProcess): Promise<{ url: string; agent_id: string }> {
  let complaint = "";
  child.stderr?.on("data", (text) => (complaint += text));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const late = AbortSignal.timeout(START_MS);
  const line = once(lines, "line", { signal: late }).then(([text]) => String(text));
  const gone = once(child, "exit", { signal: late }).then(() => undefined);
  line.catch(() => undefined);
  const first = await Promise.race([line, gone]).catch(() => undefined);
  const answer = first === undefined ? undefined : JSON.parse(first);
  if (answer?.url === undefined) {
    throw nodeError("NODE_FAILED", answer?.error ?? (complaint.trim() || "A node did not start in time."));
  }
  return answer;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exited;
  clearTimeout(insist);
}
