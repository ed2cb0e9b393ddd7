import type { FsckReport, Problem } from "@darkmatter/ledger";
import { plain } from "./context.ts";

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
    "Nothing was changed. Put the whole state back from a backup; what is sound can still be read and exported.",
  ].join("\n");
}

function problemText({ kind, position, id }: Problem): string {
  const where = position === null ? "the record of the log's end" : `position ${position}`;
  return `${id === null ? where : `${plain(id)} at ${where}`} (${kind})`;
}
