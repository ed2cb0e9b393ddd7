import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { reasonOf } from "@darkmatter/core";
import type { BundleFiles } from "@darkmatter/ledger";
import { BUNDLE_BYTES_MAX } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { nodeError } from "../errors.ts";

/**
 * The bytes of a bundle's file, as they lie there: whether they are text is for the check to say.
 * @throws UNREADABLE_FILE, FILE_TOO_LARGE
 */
export async function readBundleFile(path: string, bytesMax = BUNDLE_BYTES_MAX): Promise<Uint8Array> {
  // Looked at before it is opened: opening a pipe waits for whoever writes to it.
  const found = await readable(path, stat(path));
  if (!found.isFile()) throw nodeError("UNREADABLE_FILE", `${path} is not a file.`);
  if (found.size > bytesMax) throw tooLarge(path, found.size, bytesMax);
  return readable(path, readFile(path));
}

async function readable<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const why = isMissing ? `There is no file ${path}.` : `The file cannot be read: ${reasonOf(error)}.`;
    throw nodeError("UNREADABLE_FILE", why, error);
  }
}

function tooLarge(path: string, sizeBytes: number, bytesMax: number): Error {
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  return nodeError(
    "FILE_TOO_LARGE",
    `${path} has ${megabytes(sizeBytes)}; at most ${megabytes(bytesMax)} are read.`,
  );
}

/** An agent's bundles: kept in a folder of this user alone, read from wherever they were put. */
export function bundleFilesIn(folder: string): BundleFiles {
  return {
    async keep(name, text) {
      const path = join(folder, name);
      await nodeFiles.replace(path, text);
      return path;
    },
    async read(path) {
      // The node's own folder is not the agent's.
      if (!isAbsolute(path)) throw nodeError("UNREADABLE_FILE", "Give the file's whole path.");
      return readBundleFile(path);
    },
  };
}
