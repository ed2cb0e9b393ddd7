import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { helperFolders } from "./helper-folders.ts";
import { nodeProcesses } from "./node-processes.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const processes = nodeProcesses();

/** A script that runs as a helper would. */
function started(
  script: string,
  more: { readonly stdin?: string; readonly args?: readonly string[]; readonly mark?: string } = {},
) {
  const { args = [], mark = "yes", ...rest } = more;
  return processes.start({
    command: process.execPath,
    args: ["-e", script, "--", ...args],
    cwd: process.cwd(),
    env: { PATH: process.env.PATH ?? "", HELPER: mark },
    ...rest,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that has ended and that nobody has fetched yet answers, too.
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function until(holds: () => boolean, withinMs = 5000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds() && performance.now() < end) await sleep(10);
  expect(holds()).toBe(true);
}

/** Two generations that print their ids and stay, deaf to SIGTERM if asked. */
const FAMILY = `
  const { spawn } = require("node:child_process");
  const deaf = process.argv.includes("deaf");
  if (deaf) process.on("SIGTERM", () => {});
  const grandchild = spawn(process.execPath, ["-e", (deaf ? "process.on('SIGTERM',()=>{});" : "") +
    "console.log('ready');setInterval(()=>{},1000)"], { stdio: ["ignore", "pipe", "ignore"] });
  grandchild.stdout.once("data", () => console.log("pid " + grandchild.pid));
  setInterval(() => {}, 1000);
`;

async function family(args: readonly string[] = [], mark = "yes") {
  const one = started(FAMILY, { args, mark });
  await until(() => /pid \d+/.test(one.tail()));
  const grandchild = Number(/pid (\d+)/.exec(one.tail())?.[1]);
  expect([isAlive(one.pid ?? 0), isAlive(grandchild)]).toEqual([true, true]);
  return { one, grandchild };
}

test("arguments reach a program as they are, with no shell between, and nothing of our environment by itself", async () => {
  const args = ["--dash", "$(touch x) `id` ; rm -rf *", "a\nb", ""];
  const one = started(
    "console.log(JSON.stringify([process.argv.slice(1), process.env.HELPER, process.env.HOME]))",
    {
      args,
    },
  );
  expect(await one.ended).toEqual({ kind: "exited", code: 0 });
  expect(JSON.parse(one.tail())).toEqual([args, "yes", null]);
});

test("stdin holds what it is given and then ends; without it is at its end", async () => {
  const script = "let all='';process.stdin.on('data',(d)=>all+=d).on('end',()=>console.log(all.length))";
  const given = started(script, { stdin: "x".repeat(300_000) });
  await given.ended;
  expect(given.tail()).toBe("300000\n");
  const none = started(script);
  await none.ended;
  expect(none.tail()).toBe("0\n");
});

test("a program that reads nothing of its stdin harms nobody", async () => {
  const one = started("process.exit(3)", { stdin: "x".repeat(3_000_000) });
  expect(await one.ended).toEqual({ kind: "exited", code: 3 });
});

test("what it writes without end is kept to its last characters", async () => {
  const one = started("process.stdout.write('y'.repeat(3e6)+'end')");
  await one.ended;
  expect(one.tail()).toHaveLength(4096);
});

test("what cannot be started says so and leaves nothing", async () => {
  const spec = { args: [], cwd: process.cwd(), env: {} };
  const gone = processes.start({ ...spec, command: join(process.cwd(), "no-such-program") });
  expect(await gone.ended).toEqual({ kind: "not started", reason: "ENOENT" });
  await gone.terminate(5000);
  const nul = processes.start({ ...spec, command: process.execPath, args: ["a\0b"] });
  expect(await nul.ended).toMatchObject({ kind: "not started" });
});

test("ending a helper ends what it started, too", async () => {
  const { one, grandchild } = await family();
  await one.terminate(5000);
  await until(() => !isAlive(grandchild));
  expect(await one.ended).toEqual({ kind: "killed", signal: "SIGTERM" });
});

test("a group deaf to the request is killed when its time is over, all of it", async () => {
  const { one, grandchild } = await family(["deaf"]);
  const before = performance.now();
  await one.terminate(300);
  expect(performance.now() - before).toBeGreaterThan(290);
  await until(() => !isAlive(grandchild));
  expect(await one.ended).toEqual({ kind: "killed", signal: "SIGKILL" });
});

test("what a helper leaves behind when it ends by itself is ended", async () => {
  const one = started(`${FAMILY} setTimeout(() => process.exit(0), 500)`);
  await until(() => /pid \d+/.test(one.tail()));
  const grandchild = Number(/pid (\d+)/.exec(one.tail())?.[1]);
  expect(await one.ended).toEqual({ kind: "exited", code: 0 });
  await until(() => !isAlive(grandchild));
});

test.runIf(process.platform === "linux")(
  "what an earlier run left is ended only if it is provably the same process",
  async () => {
    const { one, grandchild } = await family();
    const { pid = 0, mark = "" } = one;
    expect(await processes.terminateLeftover({ pid, mark: `${mark}1` })).toBe(false);
    expect(isAlive(grandchild)).toBe(true);
    expect(await processes.terminateLeftover({ pid, mark })).toBe(true);
    await until(() => !isAlive(grandchild));
    expect(await processes.terminateLeftover({ pid, mark })).toBe(false);
  },
);

test.runIf(process.platform === "linux")(
  "what an earlier run left without a word of its number is found by its environment, whatever it started",
  async () => {
    // Nobody else's on this machine.
    const mark = `dg-${randomUUID()}`;
    const { one, grandchild } = await family([], mark);
    expect(await processes.terminateMarked("HELPER", "no")).toBe(false);
    expect(await processes.terminateMarked("HELP", `ER=${mark}`)).toBe(false);
    expect([isAlive(one.pid ?? 0), isAlive(grandchild)]).toEqual([true, true]);
    expect(await processes.terminateMarked("HELPER", mark)).toBe(true);
    await until(() => !isAlive(one.pid ?? 0) && !isAlive(grandchild));
    expect(await processes.terminateMarked("HELPER", mark)).toBe(false);
  },
);

test("a process is known by its group or by whom it descends from, and nobody else is", async () => {
  const { one, grandchild } = await family();
  const apart = started(
    `const away = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(()=>{},1000)"],
       { detached: true, stdio: "ignore" });
     console.log("pid " + away.pid); setInterval(() => {}, 1000);`,
  );
  await until(() => /pid \d+/.test(apart.tail()));
  const away = Number(/pid (\d+)/.exec(apart.tail())?.[1]);
  const leaders = [one.pid ?? 0, apart.pid ?? 0];
  const seen = [one.pid ?? 0, grandchild, away, process.pid, 1, 2 ** 30];
  expect(await Promise.all(seen.map((pid) => processes.isOf(pid, leaders)))).toEqual([
    ...[true, true, true],
    ...[false, false, false],
  ]);
  expect(await processes.isOf(grandchild, [apart.pid ?? 0])).toBe(false);
  process.kill(away, "SIGKILL");
  await Promise.all([one.terminate(0), apart.terminate(0)]);
});

test.runIf(process.platform === "linux")(
  "another's process under the same number is left alone",
  async () => {
    const other = spawn(process.execPath, ["-e", "setInterval(()=>{},1000)"], {
      detached: true,
      stdio: "ignore",
    });
    const { pid = 0 } = other;
    expect(await processes.terminateLeftover({ pid, mark: "an earlier boot 1" })).toBe(false);
    await sleep(50);
    expect(isAlive(pid)).toBe(true);
    other.kill("SIGKILL");
  },
);

test("a program is found where the system would find it, never in whatever folder one is in", async () => {
  await using folder = await temporaryFolder();
  writeFileSync(join(folder.path, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(folder.path, "text"), "", { mode: 0o644 });
  mkdirSync(join(folder.path, "dir"));
  const here = nodeProcesses({ PATH: `:.:${folder.path}` });
  expect(await here.find("tool")).toBe(join(folder.path, "tool"));
  expect(await here.find(join(folder.path, "tool"))).toBe(join(folder.path, "tool"));
  expect([await here.find("text"), await here.find("dir"), await here.find("package.json")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("a helper's folder is for this user alone, and is gone when it is", async () => {
  await using folder = await temporaryFolder();
  const folders = helperFolders(join(folder.path, "helpers"));
  await folders.make("dg-1", { "mcp.json": "secret" });
  const path = folders.pathOf("dg-1");
  expect([statSync(path).mode & 0o777, statSync(join(path, "mcp.json")).mode & 0o777]).toEqual([
    0o700, 0o600,
  ]);
  await folders.remove("dg-1");
  expect(existsSync(path)).toBe(false);
  await folders.make("dg-2", {});
  await folders.removeAll();
  expect(existsSync(join(folder.path, "helpers"))).toBe(false);
});
