import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { nodeError } from "../errors.ts";
import { whyRefused } from "./why-refused.ts";

/**
 * Makes a folder and those above it that are missing, for this user alone.
 *
 * @NOTE Not by `recursive`: where a folder above cannot be made, that hides the reason, and in some file systems it
 * never ends.
 *
 * @param named what is said not to be made
 * @throws HOME_UNUSABLE
 */
export function makeFolders(folder: string, named = folder): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      // Another session was quicker.
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw nodeError("HOME_UNUSABLE", `The folder ${named} cannot be made: ${whyRefused(error)}.`, error);
    }
  }
}
