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

/** A failed system call in our words. Its own message, which names the path, stays in the cause. */
export function fileError(error: unknown): Error {
  const code = systemCode(error);
  return storeError(
    code !== undefined && code in CODES ? CODES[code as keyof typeof CODES] : "FILE_FAILED",
    undefined,
    error,
  );
}
