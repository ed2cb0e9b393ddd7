import {
  type Command,
  type CommandInput,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  type ExitCode,
} from "@darkmatter/surface";
import { createProgress } from "../adapters/progress.ts";
import type { Level } from "../doctor/finding.ts";
import type { MainOptions } from "../main-options.ts";
import { plain } from "../plain.ts";
import { owningOptions } from "./context.ts";
import { findingLines } from "./doctor-lines.ts";

export function doctorCommand(main: MainOptions): Command {
  return {
    name: "doctor",
    summary:
      "check key, state, node, clients and every way to every peer; say what to do about each that is wrong",
    arguments: [
      {
        name: "what",
        required: false,
        summary:
          "wake: send this agent a real message and say whether it wakes, and by what; ledger: commit something at the ledger server, and have it verified",
      },
    ],
    options: [],
    run: (input) => (input.args.what === undefined ? doctor(input, main) : special(input, main)),
  };
}

async function special(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  if (input.args.what === "wake") return (await import("./doctor-wake.ts")).doctorWake(input, main);
  if (input.args.what === "ledger") return (await import("./doctor-ledger.ts")).doctorLedger(input);
  input.out.error(
    `The doctor knows no "${plain(input.args.what)}".`,
    "Try: darkmatter doctor wake, or darkmatter doctor ledger",
  );
  return EXIT_USAGE;
}

async function doctor(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { examine } = await import("../doctor/adapters/examine.ts");
  using progress = createProgress(!input.json);
  const looked: string[] = [];
  const findings = await examine(owningOptions(input, main), (check) => {
    looked.push(check);
    progress.show(`looking at ${looked.join(", ")} …`);
  });
  progress.clear();
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const [warnings, failures] = [count("warn"), count("fail")];
  const total = failures + warnings === 0 ? "All is well." : `${failures} failed, ${warnings} to look at.`;
  input.out.result([...findings.flatMap(findingLines), total].join("\n"), {
    healthy: failures === 0,
    findings: findings.map((finding) => ({ ...finding })),
  });
  return failures > 0 ? EXIT_FAILURE : EXIT_OK;
}
