import type { FsckReport, Problem } from "@darkmatter/ledger";
import { plain } from "./context.ts";

const RESTORE =
  "Nothing was changed. Put the whole state back from a backup; what is sound can still be read and exported.";
/** The engine's own finding: commits may all be sound, and yet are not found by their ids, or not served at all. */
const RESTORE_FILE =
  "The database's file is damaged: who opens it refuses it, or answers wrongly from it. Nothing was changed.\n" +
  "Stop what runs on it, put the whole state back from a backup, and check again; keep this file until that is done.";

/** The outcome of looking through a whole ledger, for a person. `words` name what was compared and what is gone. */
export function fsckReportText(
  report: FsckReport,
  words: { readonly held: string; readonly gone: string },
): string {
  const { commits, checkpoints, values, erased, first } = report;
  const looked = `${commits} commits, ${checkpoints} checkpoints, ${values} ${words.held}, ${erased} ${words.gone}`;
  if (report.isSound) return `Sound: ${looked}.`;
  const kinds = Object.entries(report.problems).map(([kind, count]) => `  ${kind}: ${count}`);
  return [
    `DAMAGED: ${looked}.`,
    ...(first ? [`The first that is wrong: ${problemText(first)}`] : []),
    `Bad commits: ${report.badCommits}, bad checkpoints: ${report.badCheckpoints}`,
    ...kinds,
    report.problems.file === undefined ? RESTORE : RESTORE_FILE,
  ].join("\n");
}

function problemText({ kind, position, id }: Problem): string {
  const nowhere = kind === "file" ? "the database's file" : "the record of the log's end";
  const where = position === null ? nowhere : `position ${position}`;
  return `${id === null ? where : `${plain(id)} at ${where}`} (${kind})`;
}
