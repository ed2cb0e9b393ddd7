import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { reasonOf } from "@darkmatter/core";

/** A client's file as it is on disk. `path` is where it really lies: links to it are followed. */
export type Present =
  | { readonly kind: "text"; readonly path: string; readonly text: string }
  | { readonly kind: "absent"; readonly path: string }
  | { readonly kind: "unreadable"; readonly path: string; readonly reason: string };

export const exists = (path: string): boolean => existsSync(path);

export function readClientFile(named: string): Present {
  let path = named;
  try {
    path = whereItLies(named);
    if (!existsSync(path)) return { kind: "absent", path };
    // What is no UTF-8 would come back changed.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
    return { kind: "text", path, text };
  } catch (error) {
    return { kind: "unreadable", path, reason: `it cannot be read: ${reasonOf(error)}` };
  }
}

/** At the end of every link, also of one that leads to nothing yet. */
function whereItLies(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const link = lstatSync(path, { throwIfNoEntry: false });
  return link?.isSymbolicLink() ? resolve(dirname(path), readlinkSync(path)) : path;
}

/** Where a file's content is kept before it is changed. */
export function backupOf(path: string): string {
  return `${path}.before-darkmatter`;
}

export interface Writing {
  readonly path: string;
  /** What was read; `undefined`: there was no file. */
  readonly before: string | undefined;
  /** `undefined` removes the file. */
  readonly after: string | undefined;
  readonly keepBackup: boolean;
}

/**
 * Replaces a file whole or not at all, with its owner and permissions, unless it changed since it was read. The folders that
 * were made for it. @throws what the system says, or that it changed
 */
export function writeClientFile({ path, before, after, keepBackup }: Writing): string[] {
  if (after === undefined) {
    unchanged(path, before);
    rmSync(path);
    return [];
  }
  const owner = ownerOf(path);
  const folders = makeFoldersFor(path);
  const mode = before === undefined ? 0o600 : statSync(path).mode & 0o7777;
  for (const folder of folders) give(folder, owner);
  if (keepBackup && before !== undefined) {
    putWhole(backupOf(path), before, mode);
    give(backupOf(path), owner);
  }
  const beside = `${path}.darkmatter-${process.pid}`;
  try {
    writeSynced(beside, after, mode);
    give(beside, owner);
    unchanged(path, before);
    renameSync(beside, path);
  } finally {
    rmSync(beside, { force: true });
  }
  return folders;
}

type Owner = Pick<Stats, "uid" | "gid">;

/** Whose a file is, or the folder it will be in. */
function ownerOf(path: string): Owner {
  let present = path;
  while (!existsSync(present)) present = dirname(present);
  return statSync(present);
}

/** What root writes in somebody's home stays that one's: the client could not read it otherwise. */
function give(path: string, { uid, gid }: Owner): void {
  if (process.getuid?.() === 0 && uid !== 0) chownSync(path, uid, gid);
}

function putWhole(path: string, text: string, mode: number): void {
  rmSync(path, { force: true });
  writeSynced(path, text, mode);
}

function writeSynced(path: string, text: string, mode: number): void {
  const file = openSync(path, "wx", mode);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  // What the umask took away.
  chmodSync(path, mode);
}

function unchanged(path: string, before: string | undefined): void {
  const now = readClientFile(path);
  if ((now.kind === "text" ? now.text : undefined) !== before)
    throw new Error("another program changed it meanwhile; run the same again");
}

function makeFoldersFor(path: string): string[] {
  const made: string[] = [];
  for (let at = dirname(path); !existsSync(at); at = dirname(at)) made.unshift(at);
  for (const folder of made) mkdirSync(folder, { mode: 0o700 });
  return made;
}

export function readBackup(path: string): string | undefined {
  const found = readClientFile(backupOf(path));
  return found.kind === "text" ? found.text : undefined;
}

/** Removes the copy and the folders that were made, where nothing else came into them. */
export function clearAfter(path: string, folders: readonly string[]): void {
  rmSync(backupOf(path), { force: true });
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch (error) {
      // Somebody else uses it by now.
      if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? ""))
        throw error;
    }
  }
}
