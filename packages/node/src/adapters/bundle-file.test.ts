import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUNDLE_BYTES_MAX } from "@darkmatter/proof";
import { tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { readBundleFile } from "./bundle-file.ts";

test("a bundle's bytes are read as they are, text or not", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "a b.json");
  writeFileSync(path, Buffer.from([0x7b, 0xff, 0x00]));
  expect([...(await readBundleFile(path))]).toEqual([0x7b, 0xff, 0x00]);
});

test("what is no file, or too large, is refused with words before anything of it is read", async () => {
  using folder = tempFolder();
  const pipe = join(folder.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  const large = join(folder.path, "large.json");
  writeFileSync(large, "");
  truncateSync(large, BUNDLE_BYTES_MAX + 1);
  const refusals: [string, string, RegExp][] = [
    [join(folder.path, "none.json"), "UNREADABLE_FILE", /There is no file .*none\.json/],
    [folder.path, "UNREADABLE_FILE", /is not a file/],
    [pipe, "UNREADABLE_FILE", /is not a file/],
    [large, "FILE_TOO_LARGE", /has 201 MB; at most 200 MB/],
  ];
  for (const [path, code, message] of refusals) {
    await expect(readBundleFile(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  }
});
