import type { Finding } from "../doctor/finding.ts";
import { plain } from "../plain.ts";

/** A finding for a person. */
export function findingLines({ check, level, what, fix }: Finding): string[] {
  const first = `${level.padEnd(4)}  ${check.padEnd(10)} ${plain(what)}`;
  return fix === undefined ? [first] : [first, `      ${" ".repeat(10)} fix: ${plain(fix)}`];
}
