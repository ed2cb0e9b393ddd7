import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./file-errors.ts";

/**
 * Makes a folder, and those above it that are missing, each with this mode. Not by `recursive`, which never ends where a
 * file system says of a folder that is there that nothing can be in it.
 * @throws what the system said
 */
export async function makeFolders(path: string, mode: number): Promise<void> {
  try {
    await makeFolder(path, mode);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolders(dirname(path), mode);
    await makeFolder(path, mode);
  }
}

async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (await isFolder(path)) return;
    throw error;
  }
  // The process's umask has cut the mode.
  await chmod(path, mode);
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
