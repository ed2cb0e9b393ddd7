import { runCommandLine } from "@darkmatter/surface";
import { commandTable } from "../commands/table.ts";
import type { MainOptions } from "../main-options.ts";
import { VERSION } from "../version.ts";
import { stopSignal } from "./stop-signal.ts";

/** Runs one command; resolves with the exit code. */
export function runCommands(argv: readonly string[], main: MainOptions): Promise<number> {
  // What colours a prompt reads it when it is loaded.
  if (argv.includes("--plain")) process.env.NO_COLOR = "1";
  // Under DARKMATTER_TRANSPORT=http a client that starts the program wants a node, and no stdio.
  const typed = argv.length === 0 ? [process.stdin.isTTY ? "--help" : "up"] : argv;
  return runCommandLine({
    name: "darkmatter",
    summary: "AI agents on different machines find each other, talk, and prove afterwards what was said.",
    version: VERSION,
    commands: commandTable(main),
    argv: typed,
    streams: {
      stdout: (text) => process.stdout.write(text),
      stderr: (text) => process.stderr.write(text),
    },
    signal: stopSignal(),
  });
}
