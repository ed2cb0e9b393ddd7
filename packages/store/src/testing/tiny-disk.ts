import { spawnSync } from "node:child_process";
import { tempFolder } from "./temp-folder.ts";

/** A disk of so many KiB at a path of its own; `undefined` where this process may not make one. */
export function tinyDisk(sizeKb: number): (Disposable & { readonly path: string }) | undefined {
  if (process.platform !== "linux") return undefined;
  const folder = tempFolder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKb}k`, "tmpfs", folder.path]);
  if (mounted.status !== 0) {
    folder[Symbol.dispose]();
    return undefined;
  }
  return {
    path: folder.path,
    [Symbol.dispose]() {
      spawnSync("umount", [folder.path]);
      folder[Symbol.dispose]();
    },
  };
}
