import { DarkMatterError, utf8 } from "@darkmatter/core";
import type { VerifySignature } from "../signatures.ts";
import { type Bundle, readBundle } from "./bundle-form.ts";
import {
  agentSignaturesPhase,
  attestationsPhase,
  chainPhase,
  envelopesPhase,
  payloadsPhase,
} from "./chain-phases.ts";
import { openedIn, saidIn } from "./disclosed.ts";
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
import { type BundleAbout, type BundleReport, PHASES, type PhaseReport } from "./report.ts";
import { createSignatureChecks } from "./signature-checks.ts";
import { readSource, type Source } from "./source.ts";

/** Larger files are refused: bytes of UTF-8. */
export const BUNDLE_BYTES_MAX = 200_000_000;

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
  text: string | Uint8Array,
  verify: VerifySignature,
): Promise<CheckedBundle> {
  const read = readForm(text);
  if (typeof read === "string") return { report: unreadable(read), bundle: undefined };
  const phases = [formReport(read.bundle), ...(await checkPhases(read, verify))];
  const isFailed = phases.some(({ status }) => status === "fail");
  const report: BundleReport = {
    verdict: isFailed ? "failed" : "verified",
    phases,
    about: aboutOf(read.bundle),
    notProven: notProvenBy(read.bundle, phases),
  };
  return { report, bundle: read.bundle };
}

interface Read {
  readonly source: Source;
  readonly bundle: Bundle;
}

/** The bundle, or why it is none. */
function readForm(given: string | Uint8Array): Read | string {
  if (isTooLarge(given)) return `it is larger than ${BUNDLE_BYTES_MAX / 1e6} MB`;
  try {
    const [text, bytes] = typeof given === "string" ? [given] : [utf8Text(given), given];
    if (text === undefined) return "it is not UTF-8 text";
    const source = readSource(text, bytes);
    return { source, bundle: readBundle(source.value) };
  } catch (error) {
    if (error instanceof Mismatch) return `${error.path.slice(1) || "the file"} ${error.reason}`;
    if (error instanceof DarkMatterError) return error.message;
    throw error;
  }
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

async function checkPhases(
  { bundle, source }: Read,
  verify: VerifySignature,
): Promise<readonly PhaseReport[]> {
  const signatures = createSignatureChecks(verify);
  const said = saidIn(bundle);
  const context: PhaseContext = {
    bundle,
    source,
    said,
    opened: openedIn(bundle, said),
    signatures,
    findings: { witnessedUpTo: 0, attested: new Set() },
  };
  const phases = PHASES_OF_CONTENT.map((create) => create(context));
  for (const [at, step] of bundle.steps.entries()) {
    for (const phase of phases) phase.step?.(step, at);
    await signatures.room();
  }
  for (const phase of phases) {
    phase.whole?.();
    for (const _ of phase.parts?.() ?? []) await signatures.room();
  }
  await signatures.settled();
  return phases.map((phase) => phase.report());
}

function formReport(bundle: Bundle): PhaseReport {
  const checked = bundle.steps.length;
  return { phase: "format", status: "pass", checked, detail: `${checked} steps in their form` };
}

function unreadable(detail: string): BundleReport {
  const phases = PHASES.map(
    (phase): PhaseReport =>
      phase === "format"
        ? { phase, status: "fail", checked: 1, detail }
        : { phase, status: "not checked", checked: 0, detail: "the file has not the form of a bundle" },
  );
  return { verdict: "failed", phases, about: null, notProven: NO_FILE_PROVES };
}

function aboutOf({ checkpoint, integrity, metadata, node, steps }: Bundle): BundleAbout {
  const peers = new Set(steps.map(({ passport }) => passport.payload?.get("peer")));
  return {
    exportedBy: metadata.exported_by,
    exportedAt: metadata.exported_at,
    exportId: metadata.export_id,
    agentName: steps[0].passport.created_by.agent_name,
    log: node?.log ?? null,
    traceId: metadata.trace_id,
    steps: steps.length,
    peers: [...peers].filter((peer) => typeof peer === "string"),
    from: integrity.timestamp_range.from,
    to: integrity.timestamp_range.to,
    checkpoint: checkpoint && {
      id: checkpoint.checkpoint_id,
      size: checkpoint.tree_size,
      timestamp: checkpoint.timestamp,
    },
    witnesses: (checkpoint?.witness_signatures ?? []).map(({ witness_id, witness_name }) => ({
      id: witness_id,
      name: witness_name,
    })),
    accused: [...new Set(node?.evidence.map(({ agent_id }) => agent_id))],
  };
}
