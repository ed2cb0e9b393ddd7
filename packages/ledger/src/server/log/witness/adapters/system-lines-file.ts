import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolders } from "@darkmatter/store";
import { witnessError } from "../errors.ts";
import type { LinesFile } from "../lines-file.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** A file of the system, made when there is none. @throws what the system says */
export async function openLinesFile(path: string): Promise<LinesFile> {
  await makeFolders(dirname(path), FOLDER_MODE);
  const file = await open(path, "a+", FILE_MODE);
  await syncFolder(dirname(path));
  let size = (await file.stat()).size;

  async function cut(bytes: number): Promise<void> {
    await file.truncate(bytes);
    await file.sync();
    size = bytes;
  }

  return {
    cut,
    read: () => readAll(file),
    async append(line) {
      // Somebody else writes to it: whatever is known of its end is no longer true.
      if ((await file.stat()).size !== size) throw witnessError("WITNESS_FILE_TAKEN");
      const bytes = Buffer.from(`${line}\n`, "utf8");
      try {
        await file.appendFile(bytes);
        await file.sync();
      } catch (error) {
        await cut(size);
        throw error;
      }
      size += bytes.byteLength;
    },
    close: () => file.close(),
  };
}

async function readAll(file: FileHandle): Promise<string> {
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size);
  let read = 0;
  while (read < size) {
    const { bytesRead } = await file.read(bytes, read, size - read, read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read).toString("utf8");
}

/** A new name is on disk once its folder is. Windows can sync no folder, and needs not. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  await using folder = await open(path, "r");
  await folder.sync();
}
