import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HelperFolders } from "@darkmatter/mesh";

/** The folders of helpers, in a folder of the node's state. */
export function helperFolders(folder: string): HelperFolders {
  const pathOf = (delegationId: string) => join(folder, delegationId);
  return {
    pathOf,
    async make(delegationId, files) {
      const path = pathOf(delegationId);
      await mkdir(path, { recursive: true, mode: 0o700 });
      for (const [name, text] of Object.entries(files))
        await writeFile(join(path, name), text, { mode: 0o600, flag: "wx" });
    },
    remove: (delegationId) => rm(pathOf(delegationId), { recursive: true, force: true }),
    removeAll: () => rm(folder, { recursive: true, force: true }),
  };
}
