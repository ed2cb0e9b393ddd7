import type { JsonObject } from "@darkmatter/core";

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
export type ExitCode = typeof EXIT_OK | typeof EXIT_FAILURE | typeof EXIT_USAGE;

/** Where a command's words go: a terminal, a test's list, or JSON for another program. */
export interface Output {
  /** A line for a person; nothing under `--json`. */
  line(text: string): void;
  /** What went wrong and what to do: to stderr, or `{error, hint}` to stdout under `--json`. */
  error(message: string, hint?: string): void;
  /** What the command is for: the text for a person, the value under `--json`. */
  result(human: string, value: JsonObject): void;
}

export interface CommandArgument {
  /** `agent`; with `...` at its end it takes all that follow, joined as `args` says. */
  readonly name: string;
  readonly required: boolean;
  readonly summary: string;
}

export interface CommandOption {
  /** In commander's notation: `--port <number>`, `--lan`, `-m, --message <text>`. */
  readonly flags: string;
  readonly summary: string;
  readonly default?: string | boolean;
}

export interface CommandInput {
  /** Arguments by name; one that was left out is absent, a variadic one is joined by spaces. */
  readonly args: Readonly<Record<string, string>>;
  /** The words of each variadic argument, one by one: a file's name may hold a space. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Options by their long name in camelCase, those of every command (`home`, `passport`) included. */
  readonly options: Readonly<Record<string, string | boolean>>;
  readonly json: boolean;
  readonly out: Output;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
}

/** One thing a person can type. Commands are data, as routes and tools are. */
export interface Command {
  /** One word, or two for a member of a group: `state export`. */
  readonly name: string;
  readonly summary: string;
  /** The heading it stands under in the program's help: `Ledger:`. */
  readonly group?: string;
  readonly arguments: readonly CommandArgument[];
  readonly options: readonly CommandOption[];
  /** Lines as a person would type them, for the help. */
  readonly examples?: readonly string[];
  /** May reject: a `DarkMatterError` is shown with its hint; both end with `EXIT_FAILURE`. */
  run(input: CommandInput): Promise<ExitCode>;
}

/** Understood by every command; `--json` arrives as `input.json`, the others in `input.options`. */
export const COMMON_OPTIONS: readonly CommandOption[] = [
  { flags: "--json", summary: "print one JSON value instead of text" },
  { flags: "--plain", summary: "no colours, as with NO_COLOR" },
  { flags: "--home <dir>", summary: "where the state lies (default: DARKMATTER_HOME or ~/.darkmatter)" },
  {
    flags: "--passport <file>",
    summary: "the passport to act as (default: the nearest .darkmatter/passport.key)",
  },
];

export interface Streams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** The output of a command line. Everything under `--json` is one line of JSON on stdout. */
export function createOutput({ stdout, stderr }: Streams, json: boolean): Output {
  if (json) {
    return {
      line: () => undefined,
      error: (message, hint) =>
        stdout(`${JSON.stringify(hint ? { error: message, hint } : { error: message })}\n`),
      result: (_human, value) => stdout(`${JSON.stringify(value)}\n`),
    };
  }
  return {
    line: (text) => stdout(`${text}\n`),
    error: (message, hint) => stderr(hint ? `${message}\n${hint}\n` : `${message}\n`),
    result: (human) => stdout(`${human}\n`),
  };
}
