import { dirname } from "node:path";
import type { Files } from "@darkmatter/core";
import { storeError } from "../errors.ts";

/** Files in memory, with the same answers as the system's. Modes and durability mean nothing here. */
export function memoryFiles(): Files {
  const texts = new Map<string, string>();
  const folders = new Set<string>(["/"]);

  function makeFolder(path: string): void {
    if (texts.has(path)) throw storeError("FILE_WRONG_KIND");
    if (folders.has(path)) return;
    makeFolder(dirname(path));
    folders.add(path);
  }

  function put(path: string, text: string): void {
    makeFolder(dirname(path));
    if (folders.has(path)) throw storeError("FILE_WRONG_KIND");
    texts.set(path, text);
  }

  return {
    async read(path) {
      if (folders.has(path)) throw storeError("FILE_WRONG_KIND");
      return texts.get(path);
    },
    exists: async (path) => texts.has(path) || folders.has(path),
    replace: async (path, text) => put(path, text),
    async create(path, text) {
      if (texts.has(path) || folders.has(path)) return false;
      put(path, text);
      return true;
    },
    async remove(path) {
      if (folders.has(path)) throw storeError("FILE_WRONG_KIND");
      texts.delete(path);
    },
    makeFolder: async (path) => makeFolder(path),
    async list(path) {
      if (texts.has(path)) throw storeError("FILE_WRONG_KIND");
      const inside = [...texts.keys(), ...folders].filter((each) => each !== "/" && dirname(each) === path);
      return inside.map((each) => each.slice(path === "/" ? 1 : path.length + 1)).sort();
    },
  };
}
