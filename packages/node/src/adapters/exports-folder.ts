import { join } from "node:path";
import { nodeFiles } from "@darkmatter/store";

/** Writes into a folder of this user alone, over an older file of the name; answers the path. */
export function keepExportIn(folder: string): (name: string, text: string) => Promise<string> {
  return async (name, text) => {
    const path = join(folder, name);
    await nodeFiles.replace(path, text);
    return path;
  };
}
