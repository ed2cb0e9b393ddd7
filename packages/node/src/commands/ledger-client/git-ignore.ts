import { join } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { type Ignored, ignoring } from "../../ledger-client/dot-env.ts";

/** Anybody may read what git ignores. */
const GITIGNORE_MODE = 0o644;

/** A folder's `.gitignore` as it is to be. */
export interface IgnoreFile {
  readonly path: string;
  readonly text: string;
}

/** What has to be written for git to leave something in a folder alone; `undefined` where it does already. */
export async function ignoredFrom(folder: string, what: Ignored): Promise<IgnoreFile | undefined> {
  const path = join(folder, ".gitignore");
  const text = ignoring((await nodeFiles.read(path)) ?? "", what);
  return text === undefined ? undefined : { path, text };
}

export async function writeIgnored(file: IgnoreFile | undefined): Promise<void> {
  if (file !== undefined) await nodeFiles.replace(file.path, file.text, GITIGNORE_MODE);
}
