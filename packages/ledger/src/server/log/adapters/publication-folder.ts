import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import type { PublicationFolder } from "../../ports.ts";

/** What is published is for everybody: the web server that serves it is somebody else. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

/** A folder of the system. What `replace` answered is on disk, whole. @throws as `nodeFiles` */
export function publicationFolder(folder: string): PublicationFolder {
  async function openFolder(path: string): Promise<void> {
    if ((await mkdir(path, { recursive: true, mode: FOLDER_MODE })) === undefined) return;
    // The process's umask has cut the mode.
    await chmod(path, FOLDER_MODE);
  }
  return {
    read: (name) => nodeFiles.read(join(folder, name)),
    async replace(name, text) {
      const path = join(folder, name);
      await openFolder(folder);
      await openFolder(dirname(path));
      await nodeFiles.replace(path, text, FILE_MODE);
    },
  };
}
