// Stands in for a client that is started as a helper: reads the one message of its prompt and answers it, once, by plain
// HTTP. Whatever goes wrong ends it: the node may be killed at any moment, and so may this.
import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";

const prompt = `${process.argv.slice(2).join(" ")}\n${await text(process.stdin)}`;
const id = /^message_id: (\S+)$/m.exec(prompt)?.[1] ?? "";
const url = process.env.DARKMATTER_MCP_URL ?? "";
const headers: Record<string, string> = {
  authorization: `Bearer ${process.env.DARKMATTER_MCP_TOKEN}`,
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
};

async function request(body: object): Promise<string> {
  const answer = await fetch(url, {
    method: "POST",
    headers,
    body: JSON.stringify({ jsonrpc: "2.0", ...body }),
  });
  const session = answer.headers.get("mcp-session-id");
  if (session) headers["mcp-session-id"] = session;
  return answer.text();
}

const call = (name: string, args: object) =>
  request({ id: 2, method: "tools/call", params: { name: `darkmatter_${name}`, arguments: args } });
const clientInfo = { name: "helper", version: "1" };
await request({
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
});
await call("get_message", { message_id: id });
// Never the same text twice: two answers to one message cannot be taken for a repeat.
const content = `helped ${randomBytes(6).toString("hex")}`;
await call("send_message", { reply_to: id, content });
