import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeAfterAll } from "../testing/database-suite.ts";
import { filesSuite } from "../testing/files-suite.ts";
import { memoryFiles } from "../testing/memory-files.ts";
import { tempFolder } from "../testing/temp-folder.ts";
import { tinyDisk } from "../testing/tiny-disk.ts";
import { nodeFiles } from "./node-files.ts";

const onEnd = closeAfterAll();

filesSuite("in memory", () => ({ files: memoryFiles(), folder: "/home/ana" }));

filesSuite("the system's", () => {
  const folder = tempFolder();
  onEnd(() => folder[Symbol.dispose]());
  return { files: nodeFiles, folder: folder.path };
});

test("files are their owner's alone unless another mode is asked for", async () => {
  using folder = tempFolder();
  await nodeFiles.replace(join(folder.path, "home", "secret"), "s");
  await nodeFiles.replace(join(folder.path, "home", "script"), "s", 0o777);
  await nodeFiles.create(join(folder.path, "home", "created"), "s", 0o640);
  const modes = ["", "secret", "script", "created"].map(
    (name) => statSync(join(folder.path, "home", name)).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o600, 0o777, 0o640]);
});

test("a full disk refuses by name, and the file that was there stays whole", async (context) => {
  using disk = tinyDisk(64);
  if (!disk) return context.skip("this process may not mount a small disk");
  const path = join(disk.path, "note");
  await nodeFiles.replace(path, "old");
  await expect(nodeFiles.replace(path, "x".repeat(200_000))).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(await nodeFiles.read(path)).toBe("old");
  expect(await nodeFiles.list(disk.path)).toEqual(["note"]);
});
