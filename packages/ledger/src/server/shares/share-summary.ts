import { markdownText } from "./markdown.ts";
import type { Shown } from "./shared-chain.ts";

const NAMES_MAX = 12;

/** A chain in a few lines of Markdown, for a pull request or a chat. */
export function summaryOf(
  shown: Shown,
  { label, url }: { readonly label: string | null; readonly url: string | null },
): string {
  const lines = [
    `### ${label === null ? "Chain of commits" : markdownText(label)}`,
    "",
    `- ${verdictOf(shown)}`,
    `- Steps: ${shown.totalSteps}`,
    `- Agents: ${listOf(shown.agents)}`,
    `- Models: ${listOf(shown.models)}`,
  ];
  if (url !== null) lines.push("", `[Look at it, and check it](${url})`);
  return `${lines.join("\n")}\n`;
}

/** What a check that was just made found. */
export function verdictOf({ isIntact, totalSteps, reason }: Shown): string {
  if (!isIntact) return `Broken: ${reason ?? "a check failed"}`;
  return totalSteps === 1
    ? "Intact: the one step was recomputed"
    : `Intact: all ${totalSteps} steps were recomputed`;
}

function listOf(names: readonly string[]): string {
  if (names.length === 0) return "none named";
  const shown = names.slice(0, NAMES_MAX).map(markdownText).join(", ");
  return names.length > NAMES_MAX ? `${shown} and ${names.length - NAMES_MAX} more` : shown;
}
