import type { MainOptions } from "./main-options.ts";

/**
 * The `darkmatter` command. It ends the process when the command is done.
 *
 * @NOTE Only what the command needs is imported: a second `mcp` session must not pay for the whole program.
 */
export async function main(argv: readonly string[], options: MainOptions = {}): Promise<void> {
  const session = sessionOptions(argv);
  const code = session
    ? await import("./adapters/mcp-session.ts").then(({ runMcpSession }) =>
        runMcpSession({ ...options, ...session }),
      )
    : await import("./adapters/command-line.ts").then(({ runCommands }) => runCommands(argv, options));
  // Whatever a library still holds open has nothing left to do; what was written to a pipe has to arrive first.
  process.stdout.write("", () => process.exit(code));
}

/** `mcp`, also with nothing typed by a program: its options, or `undefined` when it is another command. */
function sessionOptions(argv: readonly string[]): { home?: string; passport?: string } | undefined {
  const isMcp = argv[0] === "mcp" || (argv.length === 0 && !process.stdin.isTTY);
  if (!isMcp || process.env.DARKMATTER_TRANSPORT === "http") return undefined;
  const found: { home?: string; passport?: string } = {};
  for (let at = 1; at < argv.length; at += 2) {
    const [option, value] = [argv[at], argv[at + 1]];
    // Anything else is for the full command line to explain.
    if ((option !== "--home" && option !== "--passport") || value === undefined) return undefined;
    found[option.slice(2) as "home" | "passport"] = value;
  }
  return found;
}
