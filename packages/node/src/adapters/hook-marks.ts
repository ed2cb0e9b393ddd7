import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Until when a client was told of messages, by the hook that told it (milliseconds since the epoch). */
export type HookMarks = Readonly<Record<string, number>>;

/** What was told so far; a file that is not there or not readable says nothing. */
export function readHookMarks(path: string): HookMarks {
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof found !== "object" || found === null) return {};
    return Object.fromEntries(
      Object.entries(found).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    );
  } catch {
    // Without it an agent is told once more, which is no harm.
    return {};
  }
}

/** @throws what the disk says */
export function writeHookMarks(path: string, marks: HookMarks): void {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.${process.pid}`;
  writeFileSync(next, JSON.stringify(marks), { mode: 0o600 });
  renameSync(next, path);
}
