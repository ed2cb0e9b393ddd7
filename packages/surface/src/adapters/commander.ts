import { DarkMatterError, reasonOf } from "@darkmatter/core";
import type { Command as CommanderCommand } from "commander";
import {
  COMMON_OPTIONS,
  type Command,
  createOutput,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  type ExitCode,
  type Output,
  type Streams,
} from "../command.ts";

export interface CommandLine {
  /** `darkmatter` */
  readonly name: string;
  readonly summary: string;
  readonly version: string;
  readonly commands: readonly Command[];
  /** What was typed, without the interpreter and the script. */
  readonly argv: readonly string[];
  readonly streams: Streams;
  readonly signal: AbortSignal;
}

/** Runs what was typed and answers the exit code; it never ends the process and never rejects. */
export async function runCommandLine(line: CommandLine): Promise<ExitCode> {
  const { Command: Program, CommanderError } = await import("commander");
  const json = line.argv.includes("--json");
  const out = createOutput(line.streams, json);
  let exit: ExitCode = EXIT_OK;

  const program = new Program(line.name).description(line.summary).version(line.version);
  const complaints: string[] = [];
  const settle = (command: CommanderCommand) =>
    command.exitOverride().configureOutput({
      writeOut: line.streams.stdout,
      writeErr: (text) => complaints.push(text.trimEnd()),
    });
  settle(program);
  // The library's own `help` comes last, so it stands where the last one does.
  const last = line.commands.at(-1)?.group;
  if (last !== undefined) program.commandsGroup(last).helpCommand("help [command]");
  for (const command of line.commands) {
    declare(parentOf(program, command, settle), command, settle).action(async (...given: unknown[]) => {
      const self = given.at(-1) as CommanderCommand;
      exit = await run(command, {
        ...argumentsOf(command, self),
        options: self.opts(),
        json,
        out,
        signal: line.signal,
      });
    });
  }

  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    group.description(group.commands.map((member) => member.name()).join(", "));
  }

  try {
    await program.parseAsync([...line.argv], { from: "user" });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT_OK;
    out.error(complaints.join("\n") || error.message, `Try: ${namedBy(program, line.argv)} --help`);
    return EXIT_USAGE;
  }
}

/** The command the beginning of `argv` names, or the group or the program where it names none. */
function namedBy(program: CommanderCommand, argv: readonly string[]): string {
  const [word, ...rest] = argv;
  const named = program.commands.find((command) => command.name() === word);
  return named === undefined ? program.name() : `${program.name()} ${namedBy(named, rest)}`;
}

type Settle = (command: CommanderCommand) => CommanderCommand;

/** The group a command belongs to: `state` for `state export`, made when first met. */
function parentOf(program: CommanderCommand, command: Command, settle: Settle): CommanderCommand {
  const [group, member] = command.name.split(" ");
  if (member === undefined) return program;
  const known = program.commands.find((candidate) => candidate.name() === group);
  if (known !== undefined) return known;
  const made = grouped(settle(program.command(group as string)), command);
  // Else it inherits the program's own `help`, and the heading above that.
  return made.commandsGroup("Commands:").helpCommand("help [command]");
}

function grouped(declared: CommanderCommand, { group }: Command): CommanderCommand {
  return group === undefined ? declared : declared.helpGroup(group);
}

const indented = (line: string) => `  ${line}`;

function declare(parent: CommanderCommand, command: Command, settle: Settle): CommanderCommand {
  const [member, isMember] = [command.name.split(" ").at(-1) as string, command.name.includes(" ")];
  const own = settle(parent.command(member)).description(command.summary);
  if (!isMember) grouped(own, command);
  for (const argument of command.arguments) {
    own.argument(argument.required ? `<${argument.name}>` : `[${argument.name}]`, argument.summary);
  }
  for (const option of [...command.options, ...COMMON_OPTIONS]) {
    own.option(option.flags, option.summary, option.default);
  }
  const { examples = [] } = command;
  if (examples.length > 0) own.addHelpText("after", ["", "Examples:", ...examples.map(indented)].join("\n"));
  return own;
}

function argumentsOf(
  command: Command,
  parsed: CommanderCommand,
): { readonly args: Record<string, string>; readonly lists: Record<string, string[]> } {
  const args: Record<string, string> = {};
  const lists: Record<string, string[]> = {};
  for (const [at, argument] of command.arguments.entries()) {
    const value: unknown = parsed.processedArgs[at];
    const name = argument.name.replace(/\.\.\.$/, "");
    if (Array.isArray(value)) {
      lists[name] = value.map(String);
      if (value.length > 0) args[name] = value.join(" ");
    } else if (typeof value === "string") args[name] = value;
  }
  return { args, lists };
}

async function run(
  command: Command,
  input: Parameters<Command["run"]>[0] & { readonly out: Output },
): Promise<ExitCode> {
  try {
    return await command.run(input);
  } catch (error) {
    input.out.error(reasonOf(error), error instanceof DarkMatterError ? error.hint : undefined);
    return EXIT_FAILURE;
  }
}
