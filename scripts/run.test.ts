import { expect, test } from "vitest";
import { run } from "./run.ts";

const MINUTE_MS = 60_000;
/** The killed orphan of a container is there as a zombie until the first process looks for it. */
const SLOW_REAPER = { timeout: 15_000 };

function node(code: string, timeoutMs = MINUTE_MS) {
  return run(["--input-type=module", "--eval", code], { show: false, timeoutMs });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const startGrandchild = `
  import { spawn } from "node:child_process";
  const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
  child.unref();
  console.log(child.pid);
`;

test("both streams and the exit code come back", async () => {
  const { code, output } = await node(`console.log("out"); console.error("err"); process.exitCode = 3;`);
  expect(code).toBe(3);
  expect(output.split("\n").sort()).toEqual(["", "err", "out"]);
});

test("output larger than a pipe is not cut off", async () => {
  const { output } = await node(`process.stdout.write("x".repeat(1e6) + "end");`);
  expect(output).toHaveLength(1e6 + 3);
});

test("a program killed by a signal did not do what it should", async () => {
  expect((await node(`process.kill(process.pid, "SIGKILL");`)).code).toBe(137);
});

test("what a program leaves behind ends with it", async () => {
  const { code, output } = await node(startGrandchild);
  expect(code).toBe(0);
  await expect.poll(() => isRunning(Number(output)), SLOW_REAPER).toBe(false);
});

test("a program that hangs is stopped, and all it started", async () => {
  const { code, output } = await node(`${startGrandchild} setInterval(() => {}, 1000);`, 1000);
  expect(code).toBe(137);
  expect(output).toMatch("had not ended after 1 s");
  await expect.poll(() => isRunning(Number.parseInt(output, 10)), SLOW_REAPER).toBe(false);
});
