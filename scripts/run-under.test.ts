import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";

/** Two programs that start one after the other, on a busy machine. */
const START_MS = 10_000;
/** As on an older Node, which cannot replace a process by another. */
const WITHOUT_EXECVE = `process.execve = undefined;`;

/** Starts a process that becomes `node --eval code`, and gathers what comes out of it. */
function become(code: string, before: string) {
  const module = JSON.stringify(join(import.meta.dirname, "run-under.mjs"));
  const outer = `${before} const { runUnder } = await import(${module});
    runUnder(process.execPath, ["--input-type=module", "--eval", ${JSON.stringify(code)}]);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", outer]);
  const seen = { output: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen.output += text;
  });
  return { child, seen };
}

for (const [name, before] of [
  ["replaced", ""],
  ["with a child", WITHOUT_EXECVE],
] as const) {
  test(`${name}: input, output and exit code are the program's own`, async () => {
    const { child, seen } = become(`process.stdin.pipe(process.stdout); process.exitCode = 5;`, before);
    child.stdin.end("hello");
    expect(await once(child, "close")).toEqual([5, null]);
    expect(seen.output).toBe("hello");
  });

  test(`${name}: a signal reaches the program, which ends as it likes`, async () => {
    const code = `process.on("SIGINT", () => process.exit(6)); setInterval(() => {}, 1e6); console.log("up");`;
    const { child, seen } = become(code, before);
    await expect.poll(() => seen.output, { timeout: START_MS }).toBe("up\n");
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([6, null]);
  });

  test(`${name}: a program killed by a signal looks killed`, async () => {
    const { child } = become(`process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1e6);`, before);
    expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
  });
}

test("with a child: the lifeline ends when the parent is killed", async () => {
  const code = `import { Socket } from "node:net";
    const lifeline = new Socket({ fd: Number(process.env.DARKMATTER_LIFELINE) });
    lifeline.on("close", () => { console.log("alone"); process.exit(); }).resume();
    console.log("up");`;
  const { child, seen } = become(code, WITHOUT_EXECVE);
  await expect.poll(() => seen.output, { timeout: START_MS }).toBe("up\n");
  child.kill("SIGKILL");
  await once(child, "close");
  expect(seen.output).toBe("up\nalone\n");
});
