import type { JsonObject } from "@darkmatter/core";
import { isSqliteWhole } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { createProgress } from "../adapters/progress.ts";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";
import { fsckReportText } from "./fsck-text.ts";
import { lookingAtLedger } from "./ledger-look.ts";

/** `checkpoint` and `fsck`: signing the ledger as it is, and looking through all of it. */
export function careCommands(main: MainOptions): Command[] {
  return [
    {
      name: "checkpoint",
      summary: "sign the ledger as it is now, and have connected agents witness it",
      arguments: [],
      options: [],
      run: (input) => checkpoint(input, main),
    },
    {
      name: "fsck",
      summary: "check every hash, signature and value of this agent's ledger",
      arguments: [],
      options: [],
      run: (input) => fsck(input, main),
    },
  ];
}

async function checkpoint(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const result = await visiting(input, main, "act", ({ call }) => call("darkmatter_ledger_checkpoint"));
  input.out.result(checkpointText(result), result);
  return EXIT_OK;
}

function checkpointText(result: JsonObject): string {
  const signed = result.checkpoint;
  if (signed === null || typeof signed !== "object" || Array.isArray(signed)) {
    return "There is nothing to sign yet: this agent's ledger is empty.";
  }
  const asked = rows(result, "asked").map(
    ({ agent_id, outcome, reason }) =>
      `  ${shortId(agent_id)}  ${plain(outcome)}${reason === "" ? "" : ` (${brief(reason, 60)})`}`,
  );
  const witnesses = rows(result, "witnesses").length;
  return [
    `${plain(signed.checkpoint_id)}: ${signed.tree_size} commits, signed ${plain(signed.timestamp)}`,
    `  root         ${plain(signed.tree_root)}`,
    `  witnesses    ${witnesses}`,
    ...(asked.length > 0
      ? ["Asked just now:", ...asked]
      : ["No connected agent could be asked to witness it."]),
  ].join("\n");
}

async function fsck(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  using progress = createProgress(!input.json);
  const report = await lookingAtLedger(input, main, ({ db, ledger }, databaseFile) =>
    ledger.fsck(db, {
      isFileWhole: () => isSqliteWhole(databaseFile),
      progress: (done, total) => progress.show(`${done} of ${total} commits`),
      signal: input.signal,
    }),
  );
  progress.clear();
  input.out.result(fsckReportText(report, { held: "values held", gone: "erased" }), {
    ...report,
    first: report.first && { ...report.first },
    problems: { ...report.problems },
  });
  return report.isSound ? EXIT_OK : EXIT_FAILURE;
}
