import { join } from "node:path";
import type { Files } from "@darkmatter/core";
import { describe, expect, test } from "vitest";

/** What every adapter of the Files port does. `open` answers the port and an absolute folder to work in. */
export function filesSuite(
  name: string,
  open: () => { readonly files: Files; readonly folder: string },
): void {
  describe(`files: ${name}`, () => {
    test("a file that is not there is undefined, does not exist, and may be removed", async () => {
      const { files, folder } = open();
      const path = join(folder, "none", "at-all");
      expect(await files.read(path)).toBeUndefined();
      expect(await files.exists(path)).toBe(false);
      await files.remove(path);
      expect(await files.list(join(folder, "none"))).toEqual([]);
    });

    test("replace makes the folders, the file, and then another in its place", async () => {
      const { files, folder } = open();
      const path = join(folder, "deep", "er", "note.txt");
      await files.replace(path, "one ☃");
      expect(await files.read(path)).toBe("one ☃");
      await files.replace(path, "two");
      expect(await files.read(path)).toBe("two");
      expect(await files.list(join(folder, "deep", "er"))).toEqual(["note.txt"]);
    });

    test("of many that create the same file exactly one hears that it did", async () => {
      const { files, folder } = open();
      const path = join(folder, "new", "key");
      const texts = ["a", "b", "c", "d"];
      const created = await Promise.all(texts.map((text) => files.create(path, text)));
      expect(created.filter(Boolean)).toHaveLength(1);
      expect(await files.read(path)).toBe(texts[created.indexOf(true)]);
      expect(await files.list(join(folder, "new"))).toEqual(["key"]);
    });

    test("a folder lists its files and folders in order", async () => {
      const { files, folder } = open();
      const place = join(folder, "listed");
      await files.makeFolder(join(place, "b"));
      await files.makeFolder(join(place, "b"));
      await files.replace(join(place, "c"), "");
      await files.replace(join(place, "a"), "");
      await files.replace(join(place, "b", "inside"), "");
      expect(await files.list(place)).toEqual(["a", "b", "c"]);
      expect(await files.exists(join(place, "b"))).toBe(true);
      await files.remove(join(place, "a"));
      expect(await files.list(place)).toEqual(["b", "c"]);
    });

    test("a file where a folder is needed, or the other way round, is refused by name", async () => {
      const { files, folder } = open();
      await files.replace(join(folder, "kinds", "file"), "");
      const wrong = { code: "FILE_WRONG_KIND" };
      await expect(files.replace(join(folder, "kinds", "file", "x"), "")).rejects.toMatchObject(wrong);
      await expect(files.makeFolder(join(folder, "kinds", "file"))).rejects.toMatchObject(wrong);
      await expect(files.list(join(folder, "kinds", "file"))).rejects.toMatchObject(wrong);
      await expect(files.read(join(folder, "kinds"))).rejects.toMatchObject(wrong);
      await expect(files.replace(join(folder, "kinds"), "")).rejects.toMatchObject(wrong);
      await expect(files.remove(join(folder, "kinds"))).rejects.toMatchObject(wrong);
      expect(await files.list(join(folder, "kinds"))).toEqual(["file"]);
    });
  });
}
