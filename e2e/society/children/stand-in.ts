// Stands in for a client of an agent: writes down what it was given, finds its way back to the node where that client
// would look for it, reads the one message it was started for, answers it through MCP, and ends.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [program = "", ...argv] = process.argv.slice(2);
const stdin = process.stdin.isTTY ? "" : await text(process.stdin);
const prompt = promptOf(program, argv, stdin);

interface Way {
  readonly url: string;
  readonly authorization: string;
}

// biome-ignore lint/suspicious/noExplicitAny: settings of seven programs
type Settings = any;

const expand = (value: string) =>
  value.replace(/\$\{(\w+)\}|\{env:(\w+)\}/g, (_, a, b) => process.env[a ?? b] ?? "");
const fileOf = (path: string): Settings => JSON.parse(readFileSync(path, "utf8"));
const after = (flag: string) => argv[argv.indexOf(flag) + 1] ?? "";
const fromVariables = (): Way => ({
  url: process.env.DARKMATTER_MCP_URL ?? "",
  authorization: `Bearer ${process.env.DARKMATTER_MCP_TOKEN}`,
});
const fromServer = ({ url, httpUrl, headers }: Settings): Way => ({
  url: url ?? httpUrl,
  authorization: expand(headers.Authorization),
});

/** Where each program is told of its servers. */
const WAYS: Readonly<Record<string, () => Way>> = {
  claude: () => fromServer(fileOf(after("--mcp-config")).mcpServers.darkmatter),
  "cursor-agent": () =>
    fromServer(fileOf(join(process.env.CURSOR_CONFIG_DIR ?? "", "mcp.json")).mcpServers.darkmatter),
  gemini: () => fromServer(fileOf(process.env.GEMINI_CLI_SYSTEM_SETTINGS_PATH ?? "").mcpServers.darkmatter),
  codex: () => {
    const settings = new Map(argv.filter((one) => one.includes("=")).map((one) => splitOnce(one)));
    const variable = JSON.parse(settings.get("mcp_servers.darkmatter.bearer_token_env_var") ?? '""');
    return {
      url: JSON.parse(settings.get("mcp_servers.darkmatter.url") ?? '""'),
      authorization: `Bearer ${process.env[variable]}`,
    };
  },
  kimi: () => fromServer(fileOf(after("--mcp-config-file")).mcpServers.darkmatter),
  opencode: () => fromServer(JSON.parse(process.env.OPENCODE_CONFIG_CONTENT ?? "{}").mcp.darkmatter),
  openclaw: fromVariables,
};

function splitOnce(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

function promptOf(name: string, args: readonly string[], input: string): string {
  if (input !== "") return input;
  const flag = { kimi: "--prompt", openclaw: "--message" }[name];
  return (flag === undefined ? args.at(-1) : args[args.indexOf(flag) + 1]) ?? "";
}

const record: Record<string, unknown> = {
  program,
  pid: process.pid,
  argv,
  stdin,
  prompt,
  cwd: process.cwd(),
  env: process.env,
};

async function work(): Promise<void> {
  const way = WAYS[program]?.();
  if (!way) throw new Error(`nobody knows where ${program} is told of its servers`);
  record.url = way.url;
  const client = new Client({ name: program, version: "1" });
  const requestInit = { headers: { authorization: way.authorization } };
  await client.connect(new StreamableHTTPClientTransport(new URL(way.url), { requestInit }));
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    try {
      const { structuredContent, content } = await client.callTool({
        name: `darkmatter_${name}`,
        arguments: args,
      });
      return (structuredContent ?? content) as Settings;
    } catch (error) {
      return { success: false, refused: String(error) };
    }
  };
  record.tools = (await client.listTools()).tools.map(({ name }) => name);
  const messageId = /^message_id: (\S+)$/m.exec(prompt)?.[1] ?? "";
  const message = await call("get_message", { message_id: messageId });
  record.message = message;
  // What it must not be able to do, whatever somebody talks it into.
  record.tried = {
    money: await call("send_sol", { agent_id: message.from_agent_id, amount: 1 }),
    connection: await call("connection", { action: "disconnect", agent_id: message.from_agent_id }),
    owners: await call("owner_spawn_list"),
    another: await call("get_message", { message_id: "msg-000000000000" }),
  };
  const content = `${program} read: ${message.content}`;
  record.answer = await call("send_message", { reply_to: messageId, content });
  await client.close();
}

try {
  await work();
} catch (error) {
  record.error = String((error as Error).stack);
}
const folder = process.env.STAND_IN_RECORDS ?? "";
const path = join(folder, `${Date.now()}-${process.pid}.json`);
// Whole or not there: somebody looks already.
writeFileSync(`${path}.part`, JSON.stringify(record));
renameSync(`${path}.part`, path);
process.exit(record.error === undefined ? 0 : 1);
