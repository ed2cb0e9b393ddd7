import { randomUUID } from "node:crypto";
import { access, link, open, readdir, readFile, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Files } from "@darkmatter/core";
import { storeError } from "../errors.ts";
import { fileError, isReadOnly, systemCode } from "./file-errors.ts";
import { makeFolders } from "./folders.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * The system's files. What `replace` and `create` answered is on disk: file and folder are synced.
 * @throws FILE_READ_ONLY, FILE_FORBIDDEN, FILE_WRONG_KIND, DISK_FULL, DISK_FAILED, FILE_FAILED
 */
export const nodeFiles: Files = {
  async read(path) {
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw readError(error, path);
    }
  },

  async exists(path) {
    try {
      await access(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw readError(error, path);
    }
  },

  replace: (path, text, mode = FILE_MODE) =>
    translated(path, async () => {
      const written = await writeBeside(path, text, mode);
      await orRemove(written, () => rename(written, path));
      await syncFolder(dirname(path));
    }),

  create: (path, text, mode = FILE_MODE) =>
    translated(path, async () => {
      const written = await writeBeside(path, text, mode);
      // A link, unlike a rename, refuses to take another's place; and nobody ever sees half a file.
      const created = await orRemove(written, () => linkNew(written, path));
      await unlink(written);
      await syncFolder(dirname(path));
      return created;
    }),

  remove: (path) =>
    translated(path, async () => {
      await rm(path, { force: true });
    }),

  makeFolder: (path) => translated(path, () => makeFolders(path, FOLDER_MODE)),

  async list(path) {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw readError(error, path);
    }
  },
};

/** A synced file in the same folder, hence on the same disk as the one it is to become. */
async function writeBeside(path: string, text: string, mode: number): Promise<string> {
  const folder = dirname(path);
  await makeFolders(folder, FOLDER_MODE);
  const written = join(folder, `.${randomUUID()}.tmp`);
  await using file = await open(written, "wx", mode);
  await orRemove(written, async () => {
    // The process's umask has cut the mode that open was given.
    await file.chmod(mode);
    await file.writeFile(text, "utf8");
    await file.sync();
  });
  return written;
}

const HALF_WRITTEN = /^\.[0-9a-f-]{36}\.tmp$/;

/** Removes what processes that were killed while they wrote left in a folder, which nobody else may use meanwhile. */
export async function removeHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (HALF_WRITTEN.test(name)) await rm(join(folder, name));
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function orRemove<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** A new name is on disk once its folder is. Windows can sync no folder, and needs not. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  await using folder = await open(path, "r");
  await folder.sync();
}

async function translated<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fileError(error, path);
  }
}

/** A refusal to read is about permission to read. */
function readError(error: unknown, path: string): Error {
  return isReadOnly(error)
    ? storeError("FILE_FORBIDDEN", `The file cannot be read: ${path}`, error)
    : fileError(error, path);
}

function isMissing(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}
