import { dirname } from "node:path";
import { storeError } from "../errors.ts";

const CODES = {
  EACCES: "FILE_READ_ONLY",
  EPERM: "FILE_READ_ONLY",
  EROFS: "FILE_READ_ONLY",
  ENOSPC: "DISK_FULL",
  EDQUOT: "DISK_FULL",
  EIO: "DISK_FAILED",
  EISDIR: "FILE_WRONG_KIND",
  ERR_FS_EISDIR: "FILE_WRONG_KIND",
  ENOTDIR: "FILE_WRONG_KIND",
  EEXIST: "FILE_WRONG_KIND",
} as const;

/** The `code` that Node gives to a failed system call. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

const READ_ONLY = new Set<unknown>(["EACCES", "EPERM", "EROFS"]);

/** Whether a system call failed for want of permission to write. */
export const isReadOnly = (error: unknown): boolean => READ_ONLY.has(systemCode(error));

/**
 * A failed system call in our words, with the file it was for. Files are written beside their place first, under names
 * that say nothing, so what may not be written is their folder.
 */
export function fileError(error: unknown, path: string): Error {
  const code = systemCode(error);
  const known = code !== undefined && code in CODES ? CODES[code as keyof typeof CODES] : "FILE_FAILED";
  const said = {
    FILE_READ_ONLY: `Nothing can be written in ${dirname(failedPath(error) ?? path)}.`,
    FILE_WRONG_KIND: `A file stands where a folder is needed, or a folder where a file is: ${path}`,
    FILE_FAILED: `The file system refused ${path} (${code ?? "no reason"}).`,
  };
  return storeError(known, said[known as keyof typeof said], error);
}

const failedPath = (error: unknown): string | undefined =>
  error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
