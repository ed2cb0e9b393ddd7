import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LOG_BYTES_MAX, openLog } from "./log.ts";

const folder = mkdtempSync(join(tmpdir(), "dm-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a log that is full becomes the old one, for every process that writes into it", () => {
  const path = join(folder, "shared.log");
  using one = openLog(path);
  using other = openLog(path);
  writeFileSync(path, "x".repeat(LOG_BYTES_MAX), { flag: "a" });

  one.turnOver();
  one.info("of one");
  other.turnOver();
  other.info("of the other");

  expect(statSync(`${path}.1`).size).toBe(LOG_BYTES_MAX);
  const events = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).msg);
  expect(events).toEqual(["of one", "of the other"]);
});
