import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { socketUnsafe, type Trouble } from "../trouble.ts";
import { makeFolders } from "./make-folders.ts";

const NEAR = "s.sock";

/** A socket's path may take 104 bytes on macOS and 108 on Linux, the final NUL included. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Where the owner of a state folder listens: in the folder itself, or, where that path is too long, under the
 * system's folder for temporary files, keyed by a hash of the folder.
 */
export function socketPlace(folder: string, temporary = tmpdir()): string {
  const key = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  if (process.platform === "win32") return `\\\\.\\pipe\\darkmatter-${key}`;
  const near = join(folder, NEAR);
  if (Buffer.byteLength(near) <= SOCKET_PATH_BYTES_MAX) return near;
  return join(temporary, `darkmatter-${userInfo().uid}`, `${key}.sock`);
}

/**
 * Makes the folder a socket lies in, for this user alone. The temporary folder is shared: somebody else may have
 * made that name first, to listen in our place.
 */
export function prepareSocketFolder(socket: string): Trouble | undefined {
  if (process.platform === "win32") return undefined;
  const folder = dirname(socket);
  makeFolders(folder);
  return isSafe(folder, socket) ? undefined : socketUnsafe(folder);
}

/** What forbids connecting to a socket: what lies in a shared place must be ours alone. */
export function socketTrouble(socket: string): Trouble | undefined {
  if (process.platform === "win32") return undefined;
  return isSafe(dirname(socket), socket) ? undefined : socketUnsafe(dirname(socket));
}

function isSafe(folder: string, socket: string): boolean {
  if (basename(socket) === NEAR) return true;
  const found = lstatSync(folder, { throwIfNoEntry: false });
  // Nothing there: nobody listens, and nobody pretends to.
  if (found === undefined) return true;
  return found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0;
}
