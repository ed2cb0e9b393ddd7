import { resolve } from "node:path";
import { hasCode, type JsonObject } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { type BundleReport, verifyBundle } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { readBundleFile } from "../adapters/bundle-file.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { makeBundle } from "./bundle-making.ts";
import { owningOptions } from "./context.ts";
import { isProven, reportText } from "./verify-text.ts";

/** `verify`: files are checked offline, with nothing but what they hold; a commit of this agent likewise. */
export function verifyCommand(main: MainOptions): Command {
  return {
    name: "verify",
    summary: "check an exported conversation, several sides of one together, or a commit of this agent",
    arguments: [
      { name: "file...", required: true, summary: "exported files; or a commit, as `replay` takes it" },
    ],
    options: [],
    run: (input) => verify(input, main),
  };
}

async function verify(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const given = input.lists.file ?? [];
  const [only = ""] = given;
  if (given.length === 1 && !(await nodeFiles.exists(resolve(only)))) return verifyCommit(input, main, only);
  const files = await Promise.all(
    given.map(async (file) => ({ file, bytes: await readBundleFile(resolve(file)) })),
  );
  const reports = await Promise.all(
    files.map(async ({ file, bytes }) => ({
      file,
      report: await verifyBundle(bytes, createVerifier().verify),
    })),
  );
  return tell(input, reports);
}

/** The chain up to a commit of this agent's own ledger, checked as a stranger would check its export. */
async function verifyCommit(input: CommandInput, main: MainOptions, commit: string): Promise<ExitCode> {
  const request = { commit, disclose: "all", bare: false } as const;
  try {
    const made = await makeBundle({ ...owningOptions(input, main), signal: input.signal }, request);
    const report = await verifyBundle(made.text, createVerifier().verify);
    return tell(input, [{ file: made.ctxId, report }]);
  } catch (error) {
    if (!hasCode(error, "COMMIT_UNKNOWN") && !hasCode(error, "NO_NODE")) throw error;
    throw nodeError("UNREADABLE_FILE", `There is no file ${commit}, and no commit of that name.`, error);
  }
}

interface FileReport {
  readonly file: string;
  readonly report: BundleReport;
}

function tell(input: CommandInput, reports: readonly FileReport[]): ExitCode {
  const proven = reports.every(({ report }) => isProven(report));
  const human = reports.map(({ file, report }) => reportText(file, report)).join("\n\n");
  input.out.result(human, { verified: proven, files: reports.map(reportJson) });
  return proven ? EXIT_OK : EXIT_FAILURE;
}

function reportJson({ file, report }: FileReport): JsonObject {
  const { verdict, phases, about, notProven } = report;
  return {
    file,
    verdict,
    phases: phases.map((phase) => ({ ...phase })),
    about: about === null ? null : (JSON.parse(JSON.stringify(about)) as JsonObject),
    not_proven: [...notProven],
  };
}
