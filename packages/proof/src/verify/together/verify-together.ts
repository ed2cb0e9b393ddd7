import type { VerifySignature } from "../../signatures.ts";
import { NO_FILE_PROVES } from "../not-proven.ts";
import { type CheckedBundle, checkBundle } from "../verify-bundle.ts";
import { type Entry, entriesOf, sideOf } from "./entries.ts";
import { historyProblems } from "./histories.ts";
import { orderOf } from "./order.ts";
import { pairsOf } from "./pairs.ts";
import type { Problem, TogetherReport } from "./statement.ts";
import { statementsOf } from "./statements.ts";

/** A file to check beside others. */
export interface NamedBundle {
  readonly name: string;
  readonly text: string | Uint8Array;
}

/**
 * Checks several bundles, each by itself and all against each other (docs/proof.md, "Several bundles together").
 * Statements come from the bundles that are verified. Never rejects.
 */
export async function verifyTogether(
  files: readonly NamedBundle[],
  verify: VerifySignature,
): Promise<TogetherReport> {
  const checked: (CheckedBundle & { readonly name: string })[] = [];
  // One after another: each may be large.
  for (const { name, text } of files) checked.push({ name, ...(await checkBundle(text, verify)) });
  const verified = checked.filter(({ report }) => report.verdict === "verified");
  const sides = verified.flatMap(({ name, bundle }) => (bundle && sideOf(name, bundle)) ?? []);
  const entries = entriesOf(sides);
  const { order, stuck } = orderOf(entries);
  const { pairs, problems } = pairsOf(entries);
  const all = [
    ...checked.flatMap(failureOf),
    ...problems,
    ...historyProblems(sides, entries),
    ...stuck.map(stuckProblem),
  ];
  return {
    verdict: all.length === 0 ? "verified" : "failed",
    bundles: checked.map(({ name, report }) => ({ name, report })),
    statements: statementsOf(order, pairs),
    problems: all,
    notProven: notProvenTogether(checked),
  };
}

function failureOf({ name, report }: CheckedBundle & { readonly name: string }): Problem[] {
  if (report.verdict === "verified") return [];
  const phases = report.phases.filter(({ status }) => status === "fail").map(({ phase }) => phase);
  const agentId = report.about?.exportedBy ?? null;
  return [{ files: [name], agentId, commit: null, what: `the file fails: ${phases.join(", ")}` }];
}

function stuckProblem({ said, side }: Entry): Problem {
  const what = "it names a commit that can only have been written after it";
  return { files: [side.file], agentId: side.agentId, commit: said.commit, what };
}

function notProvenTogether(
  checked: readonly (CheckedBundle & { readonly name: string })[],
): readonly string[] {
  const foreign = checked.filter(({ bundle }) => bundle && !bundle.node);
  const unchecked = checked.flatMap(({ name, report }) =>
    report.verdict === "verified"
      ? report.notProven
          .filter((sentence) => !NO_FILE_PROVES.includes(sentence))
          .map((one) => `${name}: ${one}`)
      : [],
  );
  return [
    ...foreign.map(({ name }) => `${name}: not compared with the others, as it is no node's`),
    ...unchecked,
    ...NO_FILE_PROVES,
  ];
}
