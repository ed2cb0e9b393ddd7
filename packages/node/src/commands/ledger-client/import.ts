import { resolve } from "node:path";
import type { JsonObject } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { verifyBundle } from "@darkmatter/proof";
import { type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { readBundleFile } from "../../adapters/bundle-file.ts";
import type { LedgerClient } from "../../ledger-client/client.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { type ImportedStep, importedSteps } from "../../ledger-client/imported-steps.ts";
import { brief } from "../context.ts";
import { stepsText } from "../history-text.ts";
import { isProven } from "../verify-text.ts";
import { type AtServer, atServer } from "./at-server.ts";

const PAGE_MAX = 200;

/**
 * Commits the steps of a bundle anew, in order, as this key's agent. What is there from an earlier import of the same
 * bundle is found again, so that an interrupted import goes on where it ended.
 */
export async function importBundle(input: CommandInput): Promise<ExitCode> {
  const path = resolve(input.args.bundle ?? "");
  const bytes = await readBundleFile(path);
  await requireVerified(bytes, path);
  const steps = importedSteps(new TextDecoder().decode(bytes));
  return atServer(input, async (at) => {
    const known = await importedBefore(at, steps);
    const ids = await commitAll(at, steps, known);
    const tip = ids.get(steps.at(-1)?.id ?? "") ?? "";
    const added = steps.length - known.size;
    input.out.result(importedText(at.client.host, path, steps, tip, added), {
      server: at.client.host,
      bundle: path,
      steps: steps.length,
      imported: added,
      already_there: known.size,
      tip,
      commits: steps.map(({ id }) => ({ original: id, commit: ids.get(id) ?? "" })) as JsonObject[],
    });
    return EXIT_OK;
  });
}

function importedText(
  host: string,
  path: string,
  steps: readonly ImportedStep[],
  tip: string,
  added: number,
): string {
  const before = added < steps.length ? `, ${steps.length - added} of them were there` : "";
  return [
    `${stepsText(steps.length)} at ${host}${before}; the last is ${tip}`,
    "These are new commits: of this key's agent, accepted now, with ids of this server. Their payloads and their order",
    "are those of the bundle, so their integrity hashes are the same; who committed them first, when, and what signed",
    `it stays proven by the bundle alone: keep ${path}. Each names its original in metadata.imported.`,
  ].join("\n");
}

/** What cannot be trusted here would be given this server's proof. @throws BUNDLE_REFUSED */
async function requireVerified(bytes: Uint8Array, path: string): Promise<void> {
  const report = await verifyBundle(bytes, createVerifier().verify);
  if (isProven(report)) return;
  const failed = report.phases.find(({ status }) => status === "fail") ?? report.phases.at(-1);
  const why = failed === undefined ? "" : `${failed.phase}: ${failed.failing ?? ""} ${failed.detail}`;
  throw clientError(
    "BUNDLE_REFUSED",
    `${path} does not verify, so nothing was imported. ${brief(why, 400)}`.trimEnd(),
  );
}

/** Original ids, and what they are here. */
type Known = ReadonlyMap<string, string>;

/** What is there already. A fork's steps have other traces than its root: the trace that got furthest counts. */
async function importedBefore(at: AtServer, steps: readonly ImportedStep[]): Promise<Known> {
  let longest: Known = new Map();
  for (const traceId of new Set(steps.map((step) => step.traceId).reverse())) {
    const known = await importedInTrace(at, traceId, steps);
    if (known.size > longest.size) longest = known;
    if (longest.size === steps.length) break;
  }
  return longest;
}

/**
 * Looks in a trace for the last step that is there already: a commit with the hash of payload and order that some step
 * has. Its chain then says, step by step, what each was imported from.
 */
async function importedInTrace(
  { client, progress }: AtServer,
  traceId: string,
  steps: readonly ImportedStep[],
): Promise<Known> {
  const hashes = new Set(steps.map(({ chainHash }) => chainHash));
  let cursor: string | undefined;
  do {
    progress("looking for what is there already");
    const page = await client.search({ traceId, limit: PAGE_MAX, cursor }, true);
    for (const { id, integrity } of page.results) {
      const known = hashes.has(integrity.integrity_hash) ? await originalsOf(client, id, steps) : undefined;
      if (known !== undefined) return known;
    }
    cursor = page.results.length === 0 ? undefined : (page.nextCursor ?? undefined);
  } while (cursor !== undefined);
  return new Map();
}

/** `undefined` for a chain that only happens to hold the same. */
async function originalsOf(
  client: LedgerClient,
  tip: string,
  steps: readonly ImportedStep[],
): Promise<Known | undefined> {
  const text = new TextDecoder().decode(await client.exported(tip, true));
  const { commits = [] } = JSON.parse(text) as { readonly commits?: readonly Exported[] };
  const pairs = commits.map(({ id, metadata }) => [metadata?.imported?.id, id] as const);
  const isOurs =
    pairs.length > 0 &&
    pairs.length <= steps.length &&
    pairs.every(([original], at) => original === steps[at]?.id);
  return isOurs ? new Map(pairs.map(([original, id]) => [original ?? "", id])) : undefined;
}

interface Exported {
  readonly id: string;
  readonly metadata?: { readonly imported?: { readonly id?: string } };
}

async function commitAll({ client, progress }: AtServer, steps: readonly ImportedStep[], known: Known) {
  const ids = new Map(known);
  for (const [at, step] of steps.entries()) {
    if (ids.has(step.id)) continue;
    const parentId = step.parentId === null ? undefined : ids.get(step.parentId);
    if (step.parentId !== null && parentId === undefined) {
      throw clientError("BUNDLE_UNUSABLE", `The parent of ${step.id} is not in the bundle.`);
    }
    progress(`${at} of ${steps.length} steps`);
    const { id, integrity } = await client.commit(step.body(parentId), `import-${step.id}`);
    if (integrity.integrity_hash !== step.chainHash) {
      throw clientError(
        "IMPORT_DIFFERS",
        `The server has ${id} for ${step.id}, with another integrity hash.`,
      );
    }
    ids.set(step.id, id);
  }
  return ids;
}
