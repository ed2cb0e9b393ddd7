import { closeSync, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { MINUTE_MS, systemClock } from "@darkmatter/core";
import { nodeError } from "../errors.ts";
import { makeFolders } from "./make-folders.ts";
import { whyRefused } from "./why-refused.ts";

const MODE = 0o600;
/** Turning takes microseconds: what marks one that began so long ago was left behind by a crash. */
const MARKER_MS_MAX = MINUTE_MS;

/** Lines that several processes append to one file: it, and the one before it (`<path>.1`), are kept. */
export interface LogFile extends Disposable {
  /** What cannot be written, as on a full disk, is not: no program ends for its log. */
  write(line: string): void;
  /** Begins another file when this one holds `bytesMax` or more. @throws what keeps it from being renamed */
  turnOver(): void;
}

/** Where another process may come in between; tests do what that one would. */
interface Acts {
  readonly openSync: (path: string, flags: string, mode: number) => number;
  readonly writeSync: (descriptor: number, bytes: Uint8Array) => number;
}

/**
 * @param bytesMax a file grows to this, and on until somebody calls `turnOver`
 * @throws HOME_UNUSABLE
 */
export function openLogFile(path: string, bytesMax: number, acts: Acts = { openSync, writeSync }): LogFile {
  makeFolders(dirname(path));
  let descriptor = openFirst(path);
  let isClosed = false;
  /** The last line lacks its end: the disk was full. */
  let isCut = false;

  /** Goes on in the file that has the name now: others turn it over, and people remove it. */
  function follow(): void {
    if (inodeAt(path) === fstatSync(descriptor).ino) return;
    const before = descriptor;
    try {
      descriptor = openSync(path, "a", MODE);
    } catch {
      // Its folder is gone, or too many files are open: the old one is as good a place as any.
      return;
    }
    isCut = false;
    closeSync(before);
  }

  function append(line: string): void {
    const bytes = Buffer.from(isCut ? `\n${line}` : line);
    isCut = acts.writeSync(descriptor, bytes) < bytes.length;
  }

  return {
    write(line) {
      if (isClosed) return;
      try {
        follow();
        append(line);
        if (fstatSync(descriptor).nlink > 0) return;
        // It was turned over twice just then: the line is in a file that is not kept any more.
        follow();
        append(line);
      } catch {
        // There is nowhere else to say it.
      }
    },
    turnOver() {
      if (isClosed) return;
      follow();
      const { ino, size } = fstatSync(descriptor);
      if (size < bytesMax) return;
      turn(path, ino, acts);
      follow();
    },
    [Symbol.dispose]() {
      if (!isClosed) closeSync(descriptor);
      isClosed = true;
    },
  };
}

/** Whoever starts is told; later on no program ends for its log. */
function openFirst(path: string): number {
  try {
    return openSync(path, "a", MODE);
  } catch (error) {
    throw nodeError("HOME_UNUSABLE", `The log ${path} cannot be written: ${whyRefused(error)}.`, error);
  }
}

const inodeAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;

/** Makes the full file of this inode the old one, unless somebody else does. */
function turn(path: string, inode: number, acts: Acts): void {
  const marker = `${path}.turning`;
  try {
    if (!mark(marker, acts)) return;
    try {
      // Whoever was quicker has begun a new file, which must not take the place of the full one.
      if (inodeAt(path) === inode) renameSync(path, `${path}.1`);
    } finally {
      rmSync(marker, { force: true });
    }
  } catch (error) {
    // Somebody removed the file or its folder just then: there is nothing to turn over any more.
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Marks that this process turns the file over; false where another does. */
function mark(marker: string, acts: Acts): boolean {
  try {
    closeSync(acts.openSync(marker, "wx", MODE));
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  const left = statSync(marker, { throwIfNoEntry: false });
  const isLeftOver = left && Math.abs(systemClock.now() - left.mtimeMs) > MARKER_MS_MAX;
  // Only taken away: were it taken over at once, two that found it would both turn. The next call does.
  if (isLeftOver) rmSync(marker, { force: true });
  return false;
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;
