import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What a verifier says of one bundle. */
export interface Opinion {
  readonly verdict: string;
  /** Names of the phases that fail, sorted. */
  readonly failing: readonly string[];
}

/** The verifier in Python, as a process that is asked again and again. */
export interface PythonVerifier extends AsyncDisposable {
  /** Questions may be asked before the answers to others have come. Rejects once the process has ended. */
  ask(bundle: Uint8Array): Promise<Opinion>;
}

const SCRIPT = join(import.meta.dirname, "..", "..", "interop", "verify.py");

/** Why it cannot run here; `undefined` when it can. */
export function pythonMissing(): string | undefined {
  const tried = spawnSync("python3", ["-c", "import cryptography"], { stdio: "ignore" });
  if (tried.error) return "there is no python3";
  return tried.status === 0 ? undefined : "python3 has no package cryptography";
}

export function startPythonVerifier(): PythonVerifier {
  const child = spawn("python3", [SCRIPT, "--stream"], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: PromiseWithResolvers<Opinion>[] = [];
  let ended: Error | undefined;

  const end = (reason: string) => {
    ended ??= new Error(`the verifier in Python ${reason}`);
    for (const one of waiting.splice(0)) one.reject(ended);
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    try {
      waiting.shift()?.resolve(opinionOf(line));
    } catch {
      end(`answered what is no answer: ${line.slice(0, 200)}`);
    }
  });
  child.on("exit", (code, signal) => end(`ended with ${code ?? signal}`));
  child.on("error", (error) => end(error.message));
  child.stdin.on("error", (error) => end(error.message));

  return {
    async ask(bundle) {
      if (ended) throw ended;
      const answer = Promise.withResolvers<Opinion>();
      waiting.push(answer);
      child.stdin.write(`${bundle.length}\n`);
      child.stdin.write(bundle);
      return answer.promise;
    },
    [Symbol.asyncDispose]: () => stop(child),
  };
}

function opinionOf(line: string): Opinion {
  const { verdict, phases } = JSON.parse(line) as { verdict: string; phases: Record<string, string> };
  const failing = Object.keys(phases).filter((name) => phases[name] === "fail");
  return { verdict, failing: failing.sort() };
}

const STOP_MS = 5000;

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.stdin?.end();
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exited;
  clearTimeout(late);
}
