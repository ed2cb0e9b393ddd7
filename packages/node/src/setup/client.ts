import { join } from "node:path";
import type { ClientName } from "@darkmatter/mesh/nouns";

export type { ClientName };

/** Where a user's things lie, as clients look for them. */
export interface UserPlaces {
  /** The user's home folder. */
  readonly user: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How a client is to start this agent's session. Paths are absolute. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export type Format = "json" | "toml" | "skill";

/** A file a client reads, and what belongs into it. */
export interface Target {
  readonly client: ClientName;
  readonly format: Format;
  /** Any of these there says that the client is used here. */
  readonly traces: readonly string[];
  /** The first that exists is written; else the first. */
  readonly files: readonly string[];
  /** Where in the file the entry lies; empty for a skill. */
  readonly keys: readonly string[];
  /** The entry as this client has it. */
  entry(launch: Launch): Readonly<Record<string, unknown>>;
}

/** The name of our entry in every client's list of servers. */
export const ENTRY_NAME = "darkmatter";

const plainEntry = ({ command, args, env }: Launch) => ({ command, args, env });
const typedEntry = (launch: Launch) => ({ type: "stdio", ...plainEntry(launch) });

/** Every file that a supported client reads its user's MCP servers from. */
export function targets({ user, env }: UserPlaces): Target[] {
  const claude = env.CLAUDE_CONFIG_DIR || user;
  const codex = env.CODEX_HOME || join(user, ".codex");
  const kimiCode = env.KIMI_CODE_HOME || join(user, ".kimi-code");
  const opencode = join(env.XDG_CONFIG_HOME || join(user, ".config"), "opencode");
  const openclaw = env.OPENCLAW_STATE_DIR || join(user, ".openclaw");
  const servers = (client: ClientName, folder: string, file: string, entry = plainEntry): Target => ({
    client,
    format: "json",
    traces: [folder],
    files: [join(folder, file)],
    keys: ["mcpServers", ENTRY_NAME],
    entry,
  });
  return [
    {
      ...servers("claude-code", claude, ".claude.json", typedEntry),
      traces: [join(claude, ".claude.json"), env.CLAUDE_CONFIG_DIR || join(user, ".claude")],
    },
    servers("cursor", join(user, ".cursor"), "mcp.json"),
    servers("gemini", join(user, ".gemini"), "settings.json"),
    {
      client: "codex",
      format: "toml",
      traces: [codex],
      files: [join(codex, "config.toml")],
      keys: ["mcp_servers", ENTRY_NAME],
      entry: plainEntry,
    },
    servers("kimi", kimiCode, "mcp.json"),
    // The client's older program, which may still be there beside the newer one.
    servers("kimi", join(user, ".kimi"), "mcp.json"),
    {
      client: "opencode",
      format: "json",
      traces: [opencode],
      files: ["opencode.json", "opencode.jsonc", "config.json"].map((name) => join(opencode, name)),
      keys: ["mcp", ENTRY_NAME],
      entry: ({ command, args, env: environment }) => ({
        type: "local",
        command: [command, ...args],
        environment,
        enabled: true,
      }),
    },
    {
      client: "openclaw",
      format: "skill",
      traces: [openclaw],
      files: [join(openclaw, "skills", ENTRY_NAME, "SKILL.md")],
      keys: [],
      entry: plainEntry,
    },
  ];
}

/** The program and its arguments that an entry starts, whichever client's it is; empty when it names none. */
export function commandOf(entry: unknown): readonly string[] {
  if (typeof entry !== "object" || entry === null) return [];
  const { command, args } = entry as { command?: unknown; args?: unknown };
  const words = Array.isArray(command) ? command : [command, ...(Array.isArray(args) ? args : [])];
  return words.filter((word) => typeof word === "string");
}

/** Whether an entry starts this program as setup has it started, in this place or where it lay before. */
export function isOurs(entry: unknown): boolean {
  const words = commandOf(entry);
  return (
    words.length === 3 && words.at(-1) === "mcp" && /(^|[\\/])darkmatter\.m?js$/.test(words.at(-2) ?? "")
  );
}
