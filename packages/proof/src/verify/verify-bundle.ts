import { DarkMatterError, utf8 } from "@darkmatter/core";
import type { VerifySignature } from "../signatures.ts";
import { aboutOf } from "./about.ts";
import { agentSignaturesPhase } from "./agent-signatures-phase.ts";
import {
  type Bundle,
  createStepRules,
  type Frame,
  readFrame,
  type Step,
  stepFormsOf,
} from "./bundle-form.ts";
import { attestationsPhase, chainPhase, envelopesPhase, payloadsPhase } from "./chain-phases.ts";
import { createSaying, placesOf, type Said } from "./disclosed.ts";
import { disclosuresPhase } from "./disclosures-phase.ts";
import { exportHashPhase, exportSignaturePhase } from "./export-phases.ts";
import {
  checkpointPhase,
  consistencyPhase,
  inclusionPhase,
  leavesPhase,
  witnessesPhase,
} from "./log-phases.ts";
import { messageSignaturesPhase } from "./message-signatures-phase.ts";
import { NO_FILE_PROVES, notProvenBy } from "./not-proven.ts";
import { assurancePhase, evidencePhase, witnessedPhase } from "./peer-phases.ts";
import type { Phase, PhaseContext } from "./phase.ts";
import { Mismatch } from "./reader.ts";
import { receiptsPhase } from "./receipts-phase.ts";
import { type BundleReport, PHASES, type PhaseReport } from "./report.ts";
import { saidBroken } from "./said-broken.ts";
import { createSignatureChecks } from "./signature-checks.ts";
import { openCanonical, openWhole, type Source, Unusual } from "./source.ts";
import { countMarks } from "./spans.ts";

/** Larger files are refused: bytes of UTF-8. */
export const BUNDLE_BYTES_MAX = 200_000_000;

/** A bundle of 200 MB has fewer commas and opening brackets outside of strings, and 1 GB of memory holds as many values. */
const MARKS_MAX = 6_000_000;

/** A bundle whose form holds is kept beside its report, for whoever looks at several. */
export interface CheckedBundle {
  readonly report: BundleReport;
  readonly bundle: Bundle | undefined;
}

/**
 * Checks a bundle, offline and completely (docs/proof.md section 4). Never rejects: what cannot be read fails the phase
 * `format`, and nothing else is then checked.
 *
 * @param text the file; bytes that are no UTF-8 are no bundle
 */
export async function verifyBundle(
  text: string | Uint8Array,
  verify: VerifySignature,
): Promise<BundleReport> {
  return (await checkBundle(text, verify)).report;
}

export async function checkBundle(
  given: string | Uint8Array,
  verify: VerifySignature,
): Promise<CheckedBundle> {
  if (isTooLarge(given)) return unreadable(`it is larger than ${BUNDLE_BYTES_MAX / 1e6} MB`);
  const [text, bytes] = typeof given === "string" ? [given] : [utf8Text(given), given];
  if (text === undefined) return unreadable("it is not UTF-8 text");
  if (text.length > MARKS_MAX && countMarks(text) > MARKS_MAX)
    return unreadable(`the file holds more than ${MARKS_MAX} values`);
  try {
    return (await checkAsWritten(text, bytes, verify)) ?? (await checkWhole(text, bytes, verify));
  } catch (error) {
    if (error instanceof Mismatch) return unreadable(`${error.path.slice(1) || "the file"} ${error.reason}`);
    if (error instanceof DarkMatterError) return unreadable(error.message);
    throw error;
  }
}

/** Checks a bundle that is written as nodes write it; `undefined` for any other. */
async function checkAsWritten(
  text: string,
  bytes: Uint8Array | undefined,
  verify: VerifySignature,
): Promise<CheckedBundle | undefined> {
  try {
    const source = openCanonical(text, bytes);
    return source && (await checkSource(source, verify));
  } catch (error) {
    if (error instanceof Unusual || error instanceof Mismatch || error instanceof DarkMatterError)
      return undefined;
    throw error;
  }
}

/** Checks any text, all of it read at once. @throws Mismatch */
async function checkWhole(
  text: string,
  bytes: Uint8Array | undefined,
  verify: VerifySignature,
): Promise<CheckedBundle> {
  const source = openWhole(text, bytes);
  try {
    return await checkSource(source, verify);
  } catch (error) {
    if (error instanceof Mismatch && error.path === INTACT) error.reason += saidBroken(source.top);
    throw error;
  }
}

const INTACT = ".integrity.chain_intact";

/** @throws Mismatch or Unusual at the first step that has not its form */
async function checkSource(source: Source, verify: VerifySignature): Promise<CheckedBundle> {
  const frame = readFrame(source.top);
  const steps: Step[] = [];
  const bundle: Bundle = { ...frame, steps };
  const said: Said[] = [];
  const signatures = createSignatureChecks(verify);
  const findings = { witnessedUpTo: 0, attested: new Set<string>() };
  const phases = PHASES_OF_CONTENT.map((create) => create({ bundle, source, said, signatures, findings }));
  try {
    for (const [step, words] of stepsOf(source, frame)) {
      const at = steps.push(step) - 1;
      if (words) said.push(words);
      for (const phase of phases) phase.step?.(step, at);
      await signatures.room();
    }
    for (const phase of phases) {
      phase.whole?.();
      for (const _ of phase.parts?.() ?? []) await signatures.room();
    }
  } finally {
    await signatures.settled();
  }
  return { report: reportOf(bundle, [formReport(bundle), ...phases.map((phase) => phase.report())]), bundle };
}

/** Each step in its form, with what was said in it. @throws Mismatch; Unusual */
function* stepsOf(source: Source, frame: Frame): Generator<readonly [Step, Said | undefined]> {
  if (source.isWhole) {
    const steps = [...readSteps(source, frame)];
    const places = placesOf(steps);
    const say = createSaying(frame.node, (commit, at) => places.get(commit) === at);
    for (const [at, step] of steps.entries()) yield [step, say(step, at)];
    return;
  }
  const say = createSaying(frame.node);
  const commits = new Set<string>();
  let at = 0;
  for (const step of readSteps(source, frame)) {
    const words = say(step, at++);
    // Two commits with one hash: to whom disclosures belong is not known before the last step.
    if (words && commits.size === commits.add(words.commit).size) throw new Unusual();
    yield [step, words];
  }
}

function* readSteps(source: Source, frame: Frame): Generator<Step> {
  const [forms, obey] = [stepFormsOf(frame), createStepRules(frame)];
  for (let at = 0; at < source.steps; at++) {
    try {
      const step = source.step(at, forms);
      obey(step);
      yield step;
    } catch (error) {
      if (error instanceof Mismatch) error.path = `.commits[${at}]${error.path}`;
      throw error;
    }
  }
}

function reportOf(bundle: Bundle, phases: readonly PhaseReport[]): BundleReport {
  const verdict = phases.some(({ status }) => status === "fail") ? "failed" : "verified";
  return { verdict, phases, about: aboutOf(bundle), notProven: notProvenBy(bundle, phases) };
}

function isTooLarge(given: string | Uint8Array): boolean {
  if (given.length > BUNDLE_BYTES_MAX) return true;
  // No UTF-16 unit takes more than three bytes.
  return (
    typeof given === "string" && given.length * 3 > BUNDLE_BYTES_MAX && utf8(given).length > BUNDLE_BYTES_MAX
  );
}

function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Every phase but `format`, in order. */
const PHASES_OF_CONTENT: readonly ((context: PhaseContext) => Phase)[] = [
  exportHashPhase,
  exportSignaturePhase,
  payloadsPhase,
  chainPhase,
  envelopesPhase,
  agentSignaturesPhase,
  attestationsPhase,
  leavesPhase,
  inclusionPhase,
  checkpointPhase,
  witnessesPhase,
  consistencyPhase,
  disclosuresPhase,
  messageSignaturesPhase,
  receiptsPhase,
  witnessedPhase,
  evidencePhase,
  assurancePhase,
];

function formReport(bundle: Bundle): PhaseReport {
  const checked = bundle.steps.length;
  return { phase: "format", status: "pass", checked, detail: `${checked} steps in their form` };
}

function unreadable(detail: string): CheckedBundle {
  const phases = PHASES.map(
    (phase): PhaseReport =>
      phase === "format"
        ? { phase, status: "fail", checked: 1, detail }
        : { phase, status: "not checked", checked: 0, detail: "the file has not the form of a bundle" },
  );
  return { report: { verdict: "failed", phases, about: null, notProven: NO_FILE_PROVES }, bundle: undefined };
}
