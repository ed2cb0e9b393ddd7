import type { JsonObject } from "@darkmatter/core";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import type { Diffed, DiffSide, DiffStep } from "../../ledger-client/answers.ts";
import type { LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { brief, numberOption } from "../context.ts";
import { stepsText } from "../history-text.ts";
import { atServer } from "./at-server.ts";
import { brokenChainText, brokenMark, verifyHint, withoutPayload } from "./broken-text.ts";
import { serverCommit } from "./naming.ts";
import { valueText } from "./passport-text.ts";

const VALUE_BRIEF = 100;
const VALUE_FULL = 10_000;

export const diff = (input: CommandInput): Promise<ExitCode> => {
  const { a = "", b } = input.args;
  const isFork = input.options.fork === true;
  if ((b === undefined) !== isFork) {
    throw nodeError("USAGE", "Name two commits, or one on a fork with --fork.");
  }
  const only = numberOption(input, "step", Number.MAX_SAFE_INTEGER);
  return atServer(input, async ({ client, progress }) => {
    const second = await serverCommit(client, b ?? a);
    const first = isFork ? await sourceOf(client, second) : await serverCommit(client, a);
    progress("comparing");
    const answer = await client.diff(first, second);
    const steps = answer.steps.filter(({ step }) => only === undefined || step === only);
    if (steps.length === 0)
      throw clientError("NO_STEP", `The longer chain has ${stepsText(answer.totalSteps)}.`);
    input.out.result(diffText({ ...answer, steps }, input, only !== undefined), {
      ...answer,
      steps,
    } as JsonObject);
    return faultsOf(answer).length === 0 ? EXIT_OK : EXIT_FAILURE;
  });
};

/** Whose rows the server can no longer read: of them nothing was compared. */
function unreadOf(steps: readonly DiffStep[]): string[] {
  const sides = steps.flatMap(({ a, b }) => [a, b]);
  return [...new Set(sides.flatMap((side) => (side?.unreadable ? [side.id] : [])))];
}

/** Per chain that does not verify: where, and why. What is shown of it was not committed so. */
function faultsOf({ ctxIdA, ctxIdB, ...answer }: Diffed): string[] {
  const a = { ctx_id: ctxIdA, broken_at: answer.brokenAtA, reason: answer.reasonA };
  const b = { ctx_id: ctxIdB, broken_at: answer.brokenAtB, reason: answer.reasonB };
  return [
    ...(answer.chainIntactA === false ? [`A  ✗ ${brokenChainText(a)}`] : []),
    ...(answer.chainIntactB === false ? [`B  ✗ ${brokenChainText(b)}`] : []),
  ];
}

/** What the newest fork on a commit's chain was made of. @throws NO_FORK */
async function sourceOf(client: LedgerClient, commit: string): Promise<string> {
  const { replay } = await client.replay(commit, { mode: "summary" });
  const source = replay.findLast(({ fork_of }) => fork_of)?.fork_of;
  if (source) return source;
  throw clientError("NO_FORK", `There is no fork on the chain up to ${commit}.`);
}

function diffText(answer: Diffed, { options }: CommandInput, isOneStep: boolean): string {
  const { summary, changedSteps, unchangedSteps, identical, steps } = answer;
  const changed = steps.filter(isChanged);
  const [first] = changed;
  const faults = faultsOf(answer);
  const shown = (isOneStep ? steps : steps.filter((step) => isChanged(step) || isMarked(step))).flatMap(
    (step) => stepLines(step, options.modelOnly === true, options.full === true ? VALUE_FULL : VALUE_BRIEF),
  );
  return [
    ...faults,
    ...faults
      .slice(0, 1)
      .map(
        () => "What is marked ✗ is what the server holds; it is not, or not certainly, what was committed.",
      ),
    `A  ${brief(answer.ctxIdA, 40)}  ${modelsText(summary.modelsA)}`,
    `B  ${brief(answer.ctxIdB, 40)}  ${modelsText(summary.modelsB)}`,
    ...(answer.commonAncestor ? [`common up to ${brief(answer.commonAncestor, 40)}`] : []),
    `${changedSteps} changed, ${unchangedSteps} unchanged`,
    identical
      ? faults.length === 0
        ? "identical"
        : "identical by what their hashes say"
      : first && !isOneStep
        ? `first divergence: step ${first.step}`
        : "",
    ...shown,
    ...unreadOf(steps).map((id) => `${brief(id, 40)} was not compared: the server can no longer read it.`),
    ...new Set([
      ...(answer.chainIntactA === false ? [verifyHint(answer.ctxIdA)] : []),
      ...(answer.chainIntactB === false ? [verifyHint(answer.ctxIdB)] : []),
    ]),
  ]
    .filter((line) => line !== "")
    .join("\n");
}

const modelsText = (models: readonly (string | null | undefined)[]) =>
  models.map((model) => brief(model ?? "-", 60)).join(" → ") || "-";

const isChanged = ({ diff: { payloadChanged, modelChanged, providerChanged, onlyInA, onlyInB } }: DiffStep) =>
  payloadChanged || modelChanged || Boolean(providerChanged || onlyInA || onlyInB);

const isMarked = ({ a, b }: DiffStep) => a?.valid === false || b?.valid === false;

function stepLines(
  { step, a, b, diff: changes }: DiffStep,
  isModelOnly: boolean,
  valueMax: number,
): string[] {
  const only = changes.onlyInA ? "only in A" : changes.onlyInB ? "only in B" : undefined;
  const model = changes.modelChanged
    ? [`model ${brief(a?.model ?? "-", 60)} → ${brief(b?.model ?? "-", 60)}`]
    : [];
  const what = [...(only ? [only] : model), ...(changes.payloadChanged && !only ? ["payload"] : [])];
  const marked = [...markOf("A", a), ...markOf("B", b)];
  const head = [`step ${step}: ${what.join(", ") || "unchanged"}`, ...marked];
  if (isModelOnly || (!changes.payloadChanged && !only && marked.length === 0)) return head;
  const side = (sign: string, value: DiffSide | null) =>
    value === null ? [] : [`  ${sign} ${outputText(value, valueMax)}`];
  return [...head, ...side("-", a), ...side("+", b)];
}

const markOf = (name: string, side: DiffSide | null): string[] =>
  side?.valid === false ? [`  ${name}${brokenMark({ isBroken: true, reason: side.reason })}`] : [];

function outputText({ payload, valid, reason }: DiffSide, max: number): string {
  const output = typeof payload === "object" && payload !== null ? (payload as JsonObject).output : undefined;
  const shown = output ?? payload;
  if (shown === undefined || shown === null) return withoutPayload({ isBroken: valid === false, reason });
  return valueText(shown, max);
}
