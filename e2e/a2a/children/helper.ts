// Stands in for Claude Code started as a helper: finds its node where it is told of it, reads the one message it was
// started for, answers it, and ends.
import { readFileSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const config = process.argv[process.argv.indexOf("--mcp-config") + 1] ?? "";
const { url, headers } = JSON.parse(readFileSync(config, "utf8")).mcpServers.darkmatter;
const authorization = String(headers.Authorization).replace(
  /\$\{(\w+)\}/g,
  (_, name) => process.env[name] ?? "",
);

const client = new Client({ name: "helper", version: "1.0.0" });
const requestInit = { headers: { authorization } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
const call = async (name: string, given: Record<string, unknown> = {}) => {
  const { structuredContent } = await client.callTool({ name: `darkmatter_${name}`, arguments: given });
  // biome-ignore lint/suspicious/noExplicitAny: a tool's result, of whatever shape
  return structuredContent as any;
};
const [message] = (await call("list_inbox")).messages;
const response = `A helper read: ${message.content}`;
await call("respond_message", { message_id: message.message_id, response });
await client.close();
