import { execFile } from "node:child_process";

export interface Ran {
  /** `null` where a signal ended it: one that was sent, or that of its time being over. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const OUTPUT_BYTES_MAX = 64 << 20;

/** Runs a program to its end while other suites go on. Rejects only where it could not be started, or says too much. */
export function runProgram(
  file: string,
  args: readonly string[],
  { timeoutMs, cwd, env = process.env }: RunOptions,
): Promise<Ran> {
  const options = {
    cwd,
    env,
    timeout: timeoutMs,
    maxBuffer: OUTPUT_BYTES_MAX,
    killSignal: "SIGKILL",
  } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (typeof error?.code === "string") reject(error);
      else resolve({ status: child.exitCode, stdout, stderr });
    });
    child.stdin?.end();
  });
}
