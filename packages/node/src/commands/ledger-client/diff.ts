import type { JsonObject } from "@darkmatter/core";
import { type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import type { Diffed, DiffStep } from "../../ledger-client/answers.ts";
import type { LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { brief, numberOption } from "../context.ts";
import { atServer } from "./at-server.ts";
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
    input.out.result(diffText({ ...answer, steps }, input, only !== undefined), {
      ...answer,
      steps,
    } as JsonObject);
    return EXIT_OK;
  });
};

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
  const shown = (isOneStep ? steps : changed).flatMap((step) =>
    stepLines(step, options.modelOnly === true, options.full === true ? VALUE_FULL : VALUE_BRIEF),
  );
  return [
    `A  ${brief(answer.ctxIdA, 40)}  ${modelsText(summary.modelsA)}`,
    `B  ${brief(answer.ctxIdB, 40)}  ${modelsText(summary.modelsB)}`,
    ...(answer.commonAncestor ? [`common up to ${brief(answer.commonAncestor, 40)}`] : []),
    `${changedSteps} changed, ${unchangedSteps} unchanged`,
    identical ? "identical" : first && !isOneStep ? `first divergence: step ${first.step}` : "",
    ...shown,
  ]
    .filter((line) => line !== "")
    .join("\n");
}

const modelsText = (models: readonly (string | null | undefined)[]) =>
  models.map((model) => brief(model ?? "-", 60)).join(" → ") || "-";

const isChanged = ({ diff: { payloadChanged, modelChanged, providerChanged, onlyInA, onlyInB } }: DiffStep) =>
  payloadChanged || modelChanged || Boolean(providerChanged || onlyInA || onlyInB);

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
  const head = `step ${step}: ${what.join(", ") || "unchanged"}`;
  if (isModelOnly || (!changes.payloadChanged && !only)) return [head];
  const side = (sign: string, value: { readonly payload?: unknown } | null) =>
    value === null ? [] : [`  ${sign} ${outputText(value.payload, valueMax)}`];
  return [head, ...side("-", a), ...side("+", b)];
}

function outputText(payload: unknown, max: number): string {
  const output = typeof payload === "object" && payload !== null ? (payload as JsonObject).output : undefined;
  return valueText(output ?? payload ?? "(encrypted or pruned)", max);
}
