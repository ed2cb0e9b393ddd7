/** What a runner counted. The last line it prints says so, for people and for `npm test` alike. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** "12 passed, 0 failed", and ", 2 skipped" only if some were. */
export function tallyLine({ passed, failed, skipped }: Tally): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}

/** The last count in a runner's output, or undefined if it ended without one. */
export function readTally(output: string): Tally | undefined {
  const line = output
    .split("\n")
    .map((text) => text.trim())
    .findLast((text) => text !== "");
  const found = line?.match(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/);
  if (!found) return undefined;
  return { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) };
}

/** Every line "skip NAME: REASON" of a runner's output, without the word. */
export function readSkips(output: string): string[] {
  return [...output.matchAll(/^\s*skip (.+)$/gm)].map(([, text]) => (text ?? "").trim());
}

const FAILURES_SHOWN = 20;
const FAILURE_LENGTH_MAX = 400;
/** Where a runner names nothing that failed, what it said last is the best there is. */
const LAST_LINES = 8;

/** What a runner's output says of what failed: the lines that say so, or else those it ended with. */
export function readFailures(output: string): string[] {
  const lines = output.split("\n").map((line) => line.trim());
  const named = lines.filter((line) => /^(FAILED|SURVIVED|NOT TRIED)\s/.test(line));
  const shown = named.length > 0 ? named : lines.filter((line) => line !== "").slice(-LAST_LINES - 1, -1);
  const more = shown.length > FAILURES_SHOWN ? [`and ${shown.length - FAILURES_SHOWN} more`] : [];
  return [...shown.slice(0, FAILURES_SHOWN).map((line) => line.slice(0, FAILURE_LENGTH_MAX)), ...more];
}

/**
 * The skips that a list does not name. A list holds one skip a line, `*` standing for any text; empty lines
 * and lines that begin with # say nothing.
 */
export function unlistedSkips(skips: readonly string[], list: string): string[] {
  const patterns = list
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => new RegExp(`^${line.split("*").map(escaped).join(".*")}$`));
  return skips.filter((skip) => !patterns.some((pattern) => pattern.test(skip)));
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
}
