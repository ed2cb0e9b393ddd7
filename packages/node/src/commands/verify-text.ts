import type { BundleAbout, BundleReport, CheckStatus, PhaseReport } from "@darkmatter/proof";
import { brief, shortId } from "./context.ts";

/** Characters of a detail shown: it may quote what the file says. */
const DETAIL_MAX = 200;
const NAME_MAX = 24;

const WORDS: Readonly<Record<CheckStatus, string>> = { pass: "PASS", fail: "FAIL", "not checked": "SKIP" };

/** One line: `FAIL  chain               ctx_…: why`. */
export function phaseLine({ phase, status, detail, failing }: PhaseReport): string {
  const where = failing === undefined ? "" : `${brief(failing, 80)}: `;
  return `${WORDS[status]}  ${phase.padEnd(18)}  ${where}${brief(detail, DETAIL_MAX)}`;
}

/** `Ana (ab12cd34ef56)`: the name is the file's word, the key is what was checked. */
export function agentText(agentId: string, name: string | null): string {
  const called = brief(name ?? "", NAME_MAX);
  return called === "" || called === agentId ? shortId(agentId) : `${called} (${shortId(agentId)})`;
}

/** Whether everything that the bundle claims of itself was checked and holds. */
export function isProven({ verdict, phases }: BundleReport): boolean {
  const levels = phases.find(({ phase }) => phase === "assurance");
  return verdict === "verified" && levels?.status === "pass";
}

/** What a ledger server's hashes leave out (docs/proof.md, section 5): whoever has the file or the database can rewrite it. */
export const NOT_HASHED =
  "Not proven by hashes: names, roles, providers, models, event types, labels, recipients, branches, traces, " +
  "and metadata that no client attested.";
/** The same of a node's bundle, whose exporter's key signs all of it. */
const NOT_HASHED_OF_NODE =
  "Not proven by hashes, only the exporter's word: names, roles, providers, models, labels.";

/** What a verdict does not speak of, where its reader sees it. */
export const notHashedText = ({ log }: BundleAbout): string =>
  log === null ? NOT_HASHED : NOT_HASHED_OF_NODE;

/** Who exported what, when it was, and who else signed; where that is only what the file says, it is said so. */
export function aboutText(about: BundleAbout): string {
  const { steps, peers, witnesses, checkpoint, accused, log } = about;
  const with_ = peers.length === 0 ? "" : ` with ${peers.map(shortId).join(", ")}`;
  const trace = brief(about.traceId ?? "an unnamed trace", 80);
  const lines = [
    `${steps} ${steps === 1 ? "step" : "steps"}${log === null ? "" : ` of ${trace}`}${with_}, ` +
      `${brief(about.from, 30)} to ${brief(about.to, 30)}`,
    ...(log === null ? [`as the file says: of ${trace}`] : []),
    `${log === null ? "as the file says: " : ""}exported by ${agentText(about.exportedBy, about.agentName)} at ${brief(about.exportedAt, 30)}`,
    checkpoint === null
      ? "under no checkpoint"
      : `under checkpoint ${brief(checkpoint.id, 60)} of ${checkpoint.size} commits, signed ${brief(checkpoint.timestamp, 30)}`,
  ];
  const signers = witnesses.map(
    ({ id, name }) => `${brief(name ?? "", NAME_MAX) || "(no name)"} (${brief(id, 40)})`,
  );
  if (signers.length > 0) lines.push(`witnessed by ${signers.join(", ")}`);
  if (accused.length > 0)
    lines.push(`holds evidence of a split history of ${accused.map(shortId).join(", ")}`);
  return lines.map((line) => `  ${line}`).join("\n");
}

/** `VERIFIED (16 passed, 0 failed, 3 not checked)` */
export function verdictText(report: BundleReport): string {
  const { phases } = report;
  const failed = phases.filter(({ status }) => status === "fail").length;
  const skipped = phases.filter(({ status }) => status === "not checked").length;
  const counts = `${phases.length - failed - skipped} passed, ${failed} failed, ${skipped} not checked`;
  if (failed > 0) return `FAILED (${counts})`;
  return isProven(report)
    ? `VERIFIED (${counts})`
    : `NOT VERIFIED: a claimed level could not be checked (${counts})`;
}
