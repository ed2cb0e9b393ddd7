import { dirname, join } from "node:path";
import { makeFolders, nodeFiles } from "@darkmatter/store";
import type { PublicationFolder } from "../../ports.ts";

/** What is published is for everybody: the web server that serves it is somebody else. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

/** A folder of the system. What `replace` answered is on disk, whole. @throws as `nodeFiles` */
export function publicationFolder(folder: string): PublicationFolder {
  return {
    read: (name) => nodeFiles.read(join(folder, name)),
    async replace(name, text) {
      const path = join(folder, name);
      await makeFolders(dirname(path), FOLDER_MODE);
      await nodeFiles.replace(path, text, FILE_MODE);
    },
  };
}
