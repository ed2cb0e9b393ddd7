import { resolve } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { EXAMPLES, type ExampleName, exampleOf } from "../../ledger-client/examples.ts";
import { hasApiKey } from "../../ledger-client/settings.ts";
import { settingSources } from "./at-server.ts";

/** Anybody may read a program. */
const PROGRAM_MODE = 0o644;

const isExample = (name: string): name is ExampleName => (EXAMPLES as readonly string[]).includes(name);

/** @throws USAGE, FILE_TAKEN */
export async function quickstart(input: CommandInput): Promise<ExitCode> {
  const name = input.args.kind ?? "single";
  if (!isExample(name)) throw nodeError("USAGE", `There is no example ${name}: ${EXAMPLES.join(", ")}.`);
  const { file, needs, text } = exampleOf(name);
  const path = resolve(file);
  if (input.options.force === true) await nodeFiles.replace(path, text, PROGRAM_MODE);
  else if (!(await nodeFiles.create(path, text, PROGRAM_MODE))) {
    throw clientError("FILE_TAKEN", `${path} exists already.`);
  }
  const { dotEnv, env } = await settingSources(input);
  const all = [...(hasApiKey(dotEnv, env) ? [] : ["a key of a ledger server: darkmatter init"]), ...needs];
  const run = `node --env-file=.env ${file}`;
  const lines = [
    path,
    ...all.map((need) => `  needs  ${need}`),
    `  run    ${run}`,
    `  with   Node 22.18 or newer, such as ${process.execPath}`,
  ];
  input.out.result(lines.join("\n"), { file: path, needs: all, run });
  return EXIT_OK;
}
