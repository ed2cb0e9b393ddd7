import type { JsonObject } from "@darkmatter/core";
import type { BundleReport, Problem, Proof, Statement, TogetherReport } from "@darkmatter/proof";
import { brief, shortId } from "./context.ts";
import { type Names, namesIn, statementLines } from "./statement-text.ts";
import { aboutText, agentText, notHashedText, phaseLine, verdictText } from "./verify-text.ts";

const SENTENCE_MAX = 300;
const FILE_MAX = 200;

/** What the check of one file, or of several together, says to a person. */
export function togetherText(report: TogetherReport): string {
  const names = namesIn(report);
  const isAlone = report.bundles.length === 1;
  const files = report.bundles.flatMap(({ name, report: one }) => fileLines(name, one, isAlone));
  const problems = isAlone ? [] : report.problems.map((problem) => problemLine(problem, names));
  const statements =
    report.statements.length === 0
      ? []
      : ["", "What was done, in order:", ...statementLines(report.statements, names)];
  const verdict = isAlone ? [] : ["", togetherVerdict(report)];
  // Where a check failed, nothing that its file says is proven.
  const unproven = report.statements.length === 0 ? [] : ["Not proven:", ...unprovenLines(report)];
  return [...files, ...problems, ...statements, ...verdict, ...unproven].join("\n");
}

/** A file alone is told phase by phase; among others only what is wrong with it. */
function fileLines(name: string, report: BundleReport, isAlone: boolean): string[] {
  const { phases, about } = report;
  const shown = isAlone ? phases : phases.filter(({ status }) => status === "fail");
  return [
    `${brief(name, FILE_MAX)}: ${verdictText(report)}`,
    ...(about === null ? [] : [aboutText(about)]),
    ...shown.map(phaseLine),
    ...(about !== null && report.verdict === "verified" ? [notHashedText(about)] : []),
  ];
}

function togetherVerdict({ verdict, problems }: TogetherReport): string {
  if (verdict === "verified") return "TOGETHER: nothing in these files contradicts anything else.";
  return `TOGETHER: FAILED (${problems.length === 1 ? "1 problem" : `${problems.length} problems`})`;
}

function problemLine({ files, agentId, commit, what }: Problem, names: Names): string {
  const who = agentId === null ? "" : ` ${agentText(agentId, names.get(agentId) ?? null)}:`;
  const where = commit === null ? "" : ` (commit ${shortId(commit)}…)`;
  return `PROBLEM  ${files.map((file) => brief(file, FILE_MAX)).join(" + ")}:${who} ${brief(what, SENTENCE_MAX)}${where}`;
}

/** Sentences that several files share are said once. */
function unprovenLines({ notProven, bundles }: TogetherReport): string[] {
  const byFile = notProven.map((sentence) => {
    const name = bundles.map((one) => one.name).find((one) => sentence.startsWith(`${one}: `));
    return { name, said: name === undefined ? sentence : sentence.slice(name.length + 2) };
  });
  return [...Map.groupBy(byFile, ({ said }) => said)].map(([said, from]) => {
    const names = from.flatMap(({ name }) => (name === undefined ? [] : [brief(name, FILE_MAX)]));
    const which =
      bundles.length > 1 && names.length > 0 && names.length < bundles.length ? `${names.join(", ")}: ` : "";
    return `  - ${which}${brief(said, SENTENCE_MAX)}`;
  });
}

/** The same for a program: everything, under the names of the wire. */
export function togetherJson(report: TogetherReport): JsonObject {
  const bundles = report.bundles.map(({ name, report: one }) => ({ file: name, report: bundleJson(one) }));
  const [only] = bundles;
  return {
    verdict: report.verdict,
    ...(bundles.length === 1 &&
      only && { phases: only.report.phases ?? null, about: only.report.about ?? null }),
    bundles,
    statements: report.statements.map(statementJson),
    problems: report.problems.map(({ files, agentId, commit, what }) => ({
      files: [...files],
      agent_id: agentId,
      commit,
      what,
    })),
    not_proven: [...report.notProven],
  };
}

function bundleJson({ verdict, phases, about, notProven }: BundleReport): JsonObject {
  return {
    verdict,
    phases: phases.map((phase) => ({ ...phase })),
    about: about && {
      exported_by: about.exportedBy,
      exported_at: about.exportedAt,
      export_id: about.exportId,
      agent_name: about.agentName,
      log: about.log,
      trace_id: about.traceId,
      steps: about.steps,
      peers: [...about.peers],
      from: about.from,
      to: about.to,
      checkpoint: about.checkpoint && { ...about.checkpoint },
      witnesses: about.witnesses.map((witness) => ({ ...witness })),
      accused: [...about.accused],
    },
    not_proven: [...notProven],
  };
}

function statementJson(statement: Statement): JsonObject {
  const { id, commit, file, act, peer, at, position, content } = statement;
  return {
    id,
    commit,
    file,
    agent_id: statement.agentId,
    agent_name: statement.agentName,
    act,
    peer,
    message_id: statement.messageId,
    at,
    position,
    content,
    disclosed: statement.disclosed.map(({ name, value }) => ({ name, value })),
    proven_by: statement.provenBy.map(proofJson),
    not_proven: [...statement.notProven],
  };
}

function proofJson(proof: Proof): JsonObject {
  if (proof.kind === "checkpoint") return { ...proof, witnesses: [...proof.witnesses] };
  const { agentId, ...others } = proof;
  return { ...others, agent_id: agentId };
}
