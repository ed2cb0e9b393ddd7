import type { AgentSettings, ClientName } from "../settings.ts";

/** Where a program takes its prompt from. */
export type PromptStyle =
  | { readonly kind: "last" }
  | { readonly kind: "flag"; readonly flag: string }
  | { readonly kind: "stdin" };

/** The helper's way back to its node, as its client is told. */
export interface Access {
  readonly delegationId: string;
  /** `http://127.0.0.1:8100/mcp` */
  readonly url: string;
  /** What the helper shows its node; never on a command line, which every user of the machine may read. */
  readonly token: string;
  /** A folder for this helper alone, where the profile's files lie. */
  readonly folder: string;
  /** Full names of the tools it may call. */
  readonly tools: readonly string[];
}

/** How one client is started for one task. */
export interface Profile {
  readonly command: string;
  /** Everything but the prompt; no more than our tools. */
  leastPrivilege(access: Access): readonly string[];
  readonly prompt: PromptStyle;
  /** Everything but the prompt, as the first generation starts it: its permission prompts are skipped. */
  readonly autonomous: readonly string[];
  readonly autonomousPrompt: PromptStyle;
  /** Variables by which a client knows that it runs inside another, and refuses. */
  readonly envRemoved: readonly string[];
  /** Further variables of a helper with the least privilege. */
  env?(access: Access): Readonly<Record<string, string>>;
  /** JSON by the name of the file in the helper's folder; for this user's eyes alone, gone when the helper is. */
  files?(access: Access): Readonly<Record<string, object>>;
}

/** In these a helper finds its way back, whatever its client makes of files and flags. */
const URL_VARIABLE = "DARKMATTER_MCP_URL";
export const TOKEN_VARIABLE = "DARKMATTER_MCP_TOKEN";
/** By which a node that starts again after a crash knows what it had started; nothing secret. */
export const DELEGATION_VARIABLE = "DARKMATTER_DELEGATION";

const SERVER = "darkmatter";
const MCP_FILE = "mcp.json";
const AGENT_FILE = "agent.json";
const LAST: PromptStyle = { kind: "last" };
const STDIN: PromptStyle = { kind: "stdin" };

const qualified = (tools: readonly string[]) => tools.map((tool) => `mcp__${SERVER}__${tool}`);
const headers = ({ token }: Access) => ({ Authorization: `Bearer ${token}` });
const httpServers = (access: Access) => ({
  mcpServers: { [SERVER]: { type: "http", url: access.url, headers: headers(access) } },
});

/**
 * The seven clients. `autonomous` is what the first generation always did. Flags of the least privilege: no tool of
 * the client's own that writes or runs anything, no server but ours, and of ours the tools of the grant. The node
 * checks the same again at every call, whatever a client makes of its flags.
 */
export const PROFILES: Readonly<Record<ClientName, Profile>> = {
  "claude-code": {
    command: "claude",
    leastPrivilege: ({ folder, tools }) => [
      "-p",
      "--strict-mcp-config",
      "--mcp-config",
      `${folder}/${MCP_FILE}`,
      "--tools",
      "",
      "--permission-mode",
      "default",
      "--allowedTools",
      qualified(tools).join(","),
    ],
    prompt: STDIN,
    autonomous: ["-p", "--dangerously-skip-permissions"],
    autonomousPrompt: LAST,
    envRemoved: ["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"],
    files: (access) => ({ [MCP_FILE]: httpServers(access) }),
  },
  cursor: {
    command: "cursor-agent",
    // It has no flag for a server of one run. Where it starts the one it was set up with all the same, that one finds
    // the token in the environment it was started from, or is served nothing.
    leastPrivilege: () => ["--print", "--sandbox", "enabled", "--approve-mcps"],
    prompt: LAST,
    autonomous: ["--print", "--force", "--trust", "--approve-mcps"],
    autonomousPrompt: LAST,
    envRemoved: ["CURSOR_CLI", "CURSOR_AGENT"],
    env: ({ folder }) => ({ CURSOR_CONFIG_DIR: folder }),
    files: (access) => ({
      [MCP_FILE]: { mcpServers: { [SERVER]: { url: access.url, headers: headers(access) } } },
      "cli-config.json": {
        version: 1,
        editor: { vimMode: false },
        permissions: {
          allow: access.tools.map((tool) => `Mcp(${SERVER}:${tool})`),
          deny: ["Shell(*)", "Read(**)", "Write(**)", "WebFetch(*)"],
        },
      },
    }),
  },
  gemini: {
    command: "gemini",
    leastPrivilege: () => ["--approval-mode", "default", "--allowed-mcp-server-names", SERVER],
    prompt: STDIN,
    autonomous: ["-p", "--yolo"],
    autonomousPrompt: LAST,
    envRemoved: [],
    // The topmost of its layers of settings, and the one whose file a variable names.
    env: ({ folder }) => ({ GEMINI_CLI_SYSTEM_SETTINGS_PATH: `${folder}/${MCP_FILE}` }),
    files: (access) => ({
      [MCP_FILE]: {
        mcpServers: {
          [SERVER]: {
            httpUrl: access.url,
            headers: headers(access),
            trust: true,
            includeTools: access.tools,
          },
        },
        mcp: { allowed: [SERVER] },
        tools: { core: ["none"] },
      },
    }),
  },
  codex: {
    command: "codex",
    leastPrivilege: ({ url, tools }) => [
      "exec",
      "--sandbox",
      "read-only",
      "--ephemeral",
      "--skip-git-repo-check",
      "--ignore-user-config",
      "--disable",
      "shell_tool",
      ...["url", "bearer_token_env_var", "enabled_tools", "default_tools_approval_mode"].flatMap(
        (name, at) => [
          "-c",
          `mcp_servers.${SERVER}.${name}=${JSON.stringify([url, TOKEN_VARIABLE, tools, "approve"][at])}`,
        ],
      ),
      "-",
    ],
    prompt: STDIN,
    autonomous: ["exec", "--full-auto"],
    autonomousPrompt: LAST,
    envRemoved: [],
  },
  kimi: {
    command: "kimi",
    // It asks for nothing while it prints, so what it may do is decided by the tools it is given: none but ours.
    leastPrivilege: ({ folder }) => [
      "--print",
      "--agent-file",
      `${folder}/${AGENT_FILE}`,
      "--mcp-config-file",
      `${folder}/${MCP_FILE}`,
    ],
    prompt: STDIN,
    autonomous: ["--print", "--yolo"],
    autonomousPrompt: { kind: "flag", flag: "--prompt" },
    envRemoved: [],
    files: (access) => ({
      [MCP_FILE]: httpServers(access),
      // JSON is YAML, too.
      [AGENT_FILE]: { version: 1, agent: { extend: "default", name: "helper", tools: [], subagents: {} } },
    }),
  },
  opencode: {
    command: "opencode",
    leastPrivilege: () => ["run"],
    prompt: STDIN,
    autonomous: ["run"],
    autonomousPrompt: LAST,
    envRemoved: ["OPENCODE"],
    env: ({ url }) => ({
      OPENCODE_DISABLE_PROJECT_CONFIG: "1",
      OPENCODE_CONFIG_CONTENT: JSON.stringify({
        mcp: {
          [SERVER]: {
            type: "remote",
            url,
            enabled: true,
            oauth: false,
            headers: { Authorization: `Bearer {env:${TOKEN_VARIABLE}}` },
          },
        },
        permission: { "*": "deny", [`${SERVER}_*`]: "allow" },
      }),
    }),
  },
  openclaw: {
    command: "openclaw",
    // In its own process, or it would not have the way back; in a session of its own, or it would know other peers' words.
    leastPrivilege: ({ delegationId }) => ["agent", "--local", "--session-id", `darkmatter-${delegationId}`],
    prompt: { kind: "flag", flag: "--message" },
    autonomous: ["agent", "--non-interactive", "--yes"],
    autonomousPrompt: { kind: "flag", flag: "--message" },
    envRemoved: [],
  },
};

/** A command line without a shell: what is started, and what it reads. */
export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly stdin: string | undefined;
}

/** What is started for a prompt: the profile's, or what the owner set in its place. */
export function commandLine(
  client: ClientName,
  settings: AgentSettings,
  access: Access,
  prompt: string,
): CommandLine {
  const profile = PROFILES[client];
  const { autonomous } = settings;
  const own = autonomous ? profile.autonomous : profile.leastPrivilege(access);
  const args = settings.args ?? own;
  const style = autonomous ? profile.autonomousPrompt : profile.prompt;
  const command = settings.command ?? profile.command;
  if (style.kind === "stdin") return { command, args, stdin: prompt };
  // Our prompts begin with a word, so that none is taken for a flag.
  const last = style.kind === "flag" ? [style.flag, prompt] : [prompt];
  return { command, args: [...args, ...last], stdin: undefined };
}

/** Variables of ours that no helper gets: secrets, and what would make it act as its owner. */
const isOurs = (name: string) => /^DARKMATTER_/i.test(name);
/** The few of ours it keeps: none of them tells anything secret. */
const KEPT = new Set(["DARKMATTER_HOME", "DARKMATTER_CLIENT"]);

/** The environment of a helper: ours, less what is secret and what its client must not see, and its way back. */
export function helperEnvironment(
  client: ClientName,
  settings: AgentSettings,
  inherited: Readonly<Record<string, string | undefined>>,
  access: Access,
): Record<string, string> {
  const profile = PROFILES[client];
  const removed = new Set(settings.envCleanup ?? profile.envRemoved);
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || removed.has(name) || (isOurs(name) && !KEPT.has(name))) continue;
    env[name] = value;
  }
  return {
    ...env,
    ...(settings.autonomous ? {} : profile.env?.(access)),
    DARKMATTER_AGENT_ENABLED: "false",
    DARKMATTER_ENTRYPOINT_AUTOSTART: "false",
    [URL_VARIABLE]: access.url,
    [TOKEN_VARIABLE]: access.token,
    [DELEGATION_VARIABLE]: access.delegationId,
  };
}
