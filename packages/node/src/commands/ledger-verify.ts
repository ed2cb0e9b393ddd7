import { resolve } from "node:path";
import { hasCode } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import type { NamedBundle } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { makeBundle } from "./bundle-making.ts";
import { owningOptions } from "./context.ts";
import { OWN_OR_SERVER_OPTIONS, ownOrServer } from "./ledger-client/own-or-server.ts";
import { togetherJson, togetherText } from "./verify-report.ts";
import { isProven } from "./verify-text.ts";

/** `verify`: files are checked offline, with nothing but what they hold; a commit of this agent likewise. */
export function verifyCommand(main: MainOptions): Command {
  return {
    name: "verify",
    summary: "check an exported conversation, several sides of one together, or a commit of this agent",
    arguments: [
      { name: "file...", required: true, summary: "exported files; or a commit, as `replay` takes it" },
    ],
    options: [...OWN_OR_SERVER_OPTIONS],
    run: (input) => verify(input, main),
  };
}

async function verify(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const given = input.lists.file ?? [];
  const [only = ""] = given;
  if (given.length > 1 || (await nodeFiles.exists(resolve(only)))) {
    return checked(input, await readAll(given));
  }
  try {
    return await ownOrServer(input, only, {
      own: async () => checked(input, [await commitAsFile(input, main, only)]),
      server: async () => (await import("./ledger-client/asked.ts")).verify(input, only),
    });
  } catch (error) {
    if (!hasCode(error, "COMMIT_UNKNOWN") && !hasCode(error, "NO_LEDGER_ANYWHERE")) throw error;
    throw nodeError("UNREADABLE_FILE", `There is no file ${only}. ${error.message}`, error);
  }
}

async function checked(input: CommandInput, files: readonly NamedBundle[]): Promise<ExitCode> {
  const { verifyTogether } = await import("@darkmatter/proof");
  const report = await verifyTogether(files, createVerifier().verify);
  const proven = report.verdict === "verified" && report.bundles.every((one) => isProven(one.report));
  input.out.result(togetherText(report), { verified: proven, ...togetherJson(report) });
  return proven ? EXIT_OK : EXIT_FAILURE;
}

/** One after another: each may be large. */
async function readAll(paths: readonly string[]): Promise<NamedBundle[]> {
  const { readBundleFile } = await import("../adapters/bundle-file.ts");
  const files: NamedBundle[] = [];
  for (const name of paths) files.push({ name, text: await readBundleFile(resolve(name)) });
  return files;
}

/** The chain up to a commit of this agent's own ledger, as a stranger would get it. */
async function commitAsFile(input: CommandInput, main: MainOptions, commit: string): Promise<NamedBundle> {
  const request = { commit, disclose: "all", bare: false } as const;
  const { ctxId, text } = await makeBundle({ ...owningOptions(input, main), signal: input.signal }, request);
  return { name: ctxId, text };
}
