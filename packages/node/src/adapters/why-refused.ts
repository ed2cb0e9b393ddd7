import { reasonOf } from "@darkmatter/core";

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "its disk takes no writes",
  ENOSPC: "its disk is full",
  EDQUOT: "its disk is full",
  ENOTDIR: "a file stands where a folder is needed",
  EEXIST: "a file stands where a folder is needed",
  EISDIR: "a folder stands where a file is needed",
};

/** Why a system call was refused, for a person. */
export function whyRefused(error: unknown): string {
  return WORDS[String((error as NodeJS.ErrnoException).code)] ?? reasonOf(error);
}
