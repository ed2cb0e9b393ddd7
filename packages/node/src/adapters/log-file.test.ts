import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openLogFile } from "./log-file.ts";

/** What another process does just before this one opens the marker, or writes; and bytes that the disk has room for. */
interface Between {
  readonly mark?: () => void;
  readonly write?: () => void;
  room?: number;
}

function openBeside(path: string, between: Between) {
  return openLogFile(path, BYTES_MAX, {
    openSync(opened, flags, mode) {
      between.mark?.();
      return openSync(opened, flags, mode);
    },
    writeSync(descriptor, bytes) {
      between.write?.();
      return writeSync(descriptor, bytes.subarray(0, between.room));
    },
  });
}

const folder = mkdtempSync(join(tmpdir(), "dm-log-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const BYTES_MAX = 100;
const FULL = "x".repeat(BYTES_MAX);
test("a file that another process turns over just before this one does is not turned over again", () => {
  const path = join(folder, "marked.log");
  using other = openLogFile(path, BYTES_MAX);
  using one = openBeside(path, {
    mark() {
      other.turnOver();
      other.write("new\n");
    },
  });
  writeFileSync(path, FULL);
  one.turnOver();
  expect(readFileSync(`${path}.1`, "utf8")).toBe(FULL);
  expect(readFileSync(path, "utf8")).toBe("new\n");
});

test("a line is kept although its file is turned over twice just before it is written", () => {
  const path = join(folder, "written.log");
  using other = openLogFile(path, BYTES_MAX);
  let turns = 0;
  using one = openBeside(path, {
    write() {
      for (; turns < 2; turns++) {
        writeFileSync(path, FULL);
        other.turnOver();
      }
    },
  });
  one.write("kept\n");
  expect(readFileSync(path, "utf8")).toBe("kept\n");
});

test("after a line that a full disk cut off the next one begins on a line of its own", () => {
  const path = join(folder, "cut.log");
  const disk: Between = { room: 3 };
  using log = openBeside(path, disk);
  log.write("cut off\n");
  delete disk.room;
  log.write("whole\n");
  log.write("another\n");
  expect(readFileSync(path, "utf8")).toBe("cut\nwhole\nanother\n");
});

test("a log that cannot be begun is named, with why and what to do", () => {
  const path = join(folder, "taken.log");
  mkdirSync(path);
  const refused = expect.objectContaining({
    code: "HOME_UNUSABLE",
    message: `The log ${path} cannot be written: a folder stands where a file is needed.`,
    hint: expect.stringContaining("--home"),
  });
  expect(() => openLogFile(path, BYTES_MAX)).toThrow(refused);
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(() => openLogFile(join(file, "inner", "a.log"), BYTES_MAX)).toThrow(
    expect.objectContaining({
      code: "HOME_UNUSABLE",
      message: `The folder ${join(file, "inner")} cannot be made: a file stands where a folder is needed.`,
    }),
  );
});
