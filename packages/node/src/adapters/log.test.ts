import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { openLog } from "./log.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

const BYTES_MAX = 4000;
const opened = (path: string) => openLog(path, BYTES_MAX);
const fill = (path: string) => writeFileSync(path, `${"x".repeat(BYTES_MAX)}\n`, { flag: "a" });
const linesOf = (path: string): { msg: string; n: number }[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const eventsOf = (path: string) => linesOf(path).map(({ msg }) => msg);

test("a log that is full becomes the old one, for every process that writes into it", () => {
  const path = join(folder, "shared.log");
  using one = opened(path);
  using other = opened(path);
  fill(path);

  one.turnOver();
  one.info("of one");
  other.turnOver();
  other.info("of the other");

  expect(statSync(`${path}.1`).size).toBe(BYTES_MAX + 1);
  expect(eventsOf(path)).toEqual(["of one", "of the other"]);
});

test("a log is full with five megabytes", () => {
  const path = join(folder, "large.log");
  const full = 5 * 1024 * 1024;
  writeFileSync(path, "x".repeat(full - 1));
  openLog(path)[Symbol.dispose]();
  expect(existsSync(`${path}.1`)).toBe(false);
  writeFileSync(path, "x".repeat(full));
  openLog(path)[Symbol.dispose]();
  expect(statSync(`${path}.1`).size).toBe(full);
});

test("whoever has not looked since writes into the new file, too", () => {
  const path = join(folder, "followed.log");
  using one = opened(path);
  using other = opened(path);
  fill(path);
  one.turnOver();
  other.info("of the other");
  expect(eventsOf(path)).toEqual(["of the other"]);
});

test("a file that somebody removed begins anew; with its folder gone nothing fails", () => {
  const path = join(folder, "removed", "a.log");
  using log = opened(path);
  rmSync(path);
  log.turnOver();
  log.info("again");
  expect(eventsOf(path)).toEqual(["again"]);
  fill(path);
  rmSync(path);
  log.turnOver();
  expect(existsSync(`${path}.1`)).toBe(false);

  fill(path);
  rmSync(dirname(path), { recursive: true });
  log.info("nowhere");
  log.turnOver();
  expect(existsSync(dirname(path))).toBe(false);
  mkdirSync(dirname(path));
  log.info("back");
  expect(eventsOf(path)).toEqual(["back"]);
});

test("one at a time turns a file over; what a crash left of that stops nobody for long", () => {
  const path = join(folder, "marked.log");
  const marker = `${path}.turning`;
  using log = opened(path);
  fill(path);
  writeFileSync(marker, "");
  log.turnOver();
  expect(existsSync(`${path}.1`)).toBe(false);

  const hourAgo = new Date(Date.now() - 3_600_000);
  utimesSync(marker, hourAgo, hourAgo);
  log.turnOver();
  log.turnOver();
  expect(existsSync(`${path}.1`)).toBe(true);
  log.info("on");
  expect(eventsOf(path)).toEqual(["on"]);
  expect(existsSync(marker)).toBe(false);
});

test("what keeps a full file from being turned over is said in it, and ends nobody", () => {
  const path = join(folder, "stuck.log");
  mkdirSync(join(`${path}.1`, "in the way"), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ msg: "x".repeat(BYTES_MAX) })}\n`);
  using log = opened(path);
  log.info("on");
  expect(eventsOf(path).slice(1)).toEqual(["log.full", "on"]);
  expect(() => log.turnOver()).toThrow();
  expect(existsSync(`${path}.turning`)).toBe(false);
});

/** A process that writes into a log until it is stopped; the number of its last line. */
async function writing(path: string, name: string) {
  const script = new URL("../testing/children/log-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, path, name, String(BYTES_MAX)]);
  const ended = new Promise((resolve) => child.on("close", resolve));
  let [said, complained] = ["", ""];
  const ready = new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (complained += text));
  await Promise.race([ready, ended]);
  return async () => {
    child.stdin.end();
    expect([await ended, complained]).toEqual([0, ""]);
    return Number(said.split("\n")[1]);
  };
}

test("of two processes that turn one log over no newer line is lost than those that are kept", {
  timeout: 60_000,
}, async () => {
  const path = join(folder, "raced", "two.log");
  const names = ["ana", "bo"];
  for (let round = 0; round < 3; round++) {
    const stops = await Promise.all(names.map((name) => writing(path, name)));
    await sleep(100);
    const last = await Promise.all(stops.map((stop) => stop()));

    expect(readdirSync(dirname(path)).sort()).toEqual(["two.log", "two.log.1"]);
    // It was full when it was turned over: nothing small took its place.
    expect(statSync(`${path}.1`).size).toBeGreaterThanOrEqual(BYTES_MAX);
    const kept = [`${path}.1`, path].filter((file) => statSync(file).size > 0).flatMap(linesOf);
    for (const [at, name] of names.entries()) {
      const numbers = kept.filter(({ msg }) => msg === name).map(({ n }) => n);
      // All that are there follow each other, and lead to the last.
      const before = (last[at] ?? 0) - numbers.length;
      expect(numbers).toEqual(numbers.map((_, index) => before + index + 1));
    }
    rmSync(dirname(path), { recursive: true });
  }
});
