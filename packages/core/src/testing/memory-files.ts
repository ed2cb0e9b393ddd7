import type { Files } from "../files.ts";

export interface MemoryFiles extends Files {
  /** The permission bits a file was written with. */
  mode(path: string): number | undefined;
  /** From now on writing at or below `path` fails as on a disk mounted read-only. */
  forbid(path: string): void;
}

/** A disk that lasts as long as its test. Paths are POSIX and absolute. */
export function memoryFiles(initial: Readonly<Record<string, string>> = {}): MemoryFiles {
  const files = new Map(Object.entries(initial).map(([path, text]) => [path, { text, mode: 0o600 }]));
  const folders = new Set<string>();
  const forbidden: string[] = [];

  function write(path: string, text: string, mode = 0o600): void {
    const barrier = forbidden.find((folder) => path === folder || path.startsWith(`${folder}/`));
    if (barrier)
      throw Object.assign(new Error(`EROFS: read-only file system, open '${path}'`), { code: "EROFS" });
    files.set(path, { text, mode });
  }

  return {
    async read(path) {
      if ([...files.keys()].some((file) => path.startsWith(`${file}/`)))
        throw Object.assign(new Error(`ENOTDIR: not a directory, open '${path}'`), { code: "ENOTDIR" });
      return files.get(path)?.text;
    },
    exists: async (path) =>
      files.has(path) || folders.has(path) || [...files.keys()].some((file) => file.startsWith(`${path}/`)),
    replace: async (path, text, mode) => write(path, text, mode),
    async create(path, text, mode) {
      if (files.has(path)) return false;
      write(path, text, mode);
      return true;
    },
    async remove(path) {
      files.delete(path);
    },
    async makeFolder(path) {
      folders.add(path);
    },
    async list(path) {
      const inside = [...files.keys(), ...folders].filter((name) => name.startsWith(`${path}/`));
      return [...new Set(inside.map((name) => name.slice(path.length + 1).split("/")[0] ?? ""))].sort();
    },
    mode: (path) => files.get(path)?.mode,
    forbid: (path) => void forbidden.push(path),
  };
}
