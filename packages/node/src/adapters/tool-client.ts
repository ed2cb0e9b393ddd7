import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import { nodeError, toolError } from "../errors.ts";
import { createLineCutter } from "../lines.ts";
import { CALL_META_KEY } from "../pump.ts";

/** Calls a node's tools by name, as an agent would. */
export interface ToolClient {
  /** The result object; a text result as `{text}`. @throws TOOL_FAILED with the tool's own words */
  call(name: string, args?: JsonObject): Promise<JsonObject>;
}

/** Speaks just enough MCP over a stream to call tools. */
export async function openToolClient(stream: Duplex, version: string): Promise<ToolClient> {
  const waiting = new Map<number, PromiseWithResolvers<JsonObject>>();
  const cutter = createLineCutter();
  let next = 0;
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    for (const line of cutter.push(text)) {
      const message = parseJson(line);
      if (!isJsonObject(message) || typeof message.id !== "number") continue;
      waiting.get(message.id)?.resolve(message);
      waiting.delete(message.id);
    }
  });
  stream.on("close", () => {
    for (const { reject } of waiting.values()) {
      reject(
        nodeError("TOOL_FAILED", "The node ended before it answered: whether it was done is not known."),
      );
    }
  });
  const send = (message: object) => stream.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const request = async (method: string, params: object): Promise<JsonObject> => {
    const id = ++next;
    const answer = Promise.withResolvers<JsonObject>();
    waiting.set(id, answer);
    send({ id, method, params });
    const { result, error } = await answer.promise;
    if (isJsonObject(result)) return result;
    throw nodeError("TOOL_FAILED", isJsonObject(error) ? String(error.message) : undefined);
  };

  const clientInfo = { name: "darkmatter-cli", version };
  await request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  send({ method: "notifications/initialized" });
  return {
    async call(name, args = {}) {
      const _meta = { [CALL_META_KEY]: randomUUID() };
      const result = await request("tools/call", { name, arguments: args, _meta });
      const value = isJsonObject(result.structuredContent) ? result.structuredContent : textOf(result);
      if (value.success === false || result.isError === true) {
        throw toolError(
          String(value.error ?? value.text ?? value.reason ?? "The node refused."),
          value.hint ?? value.next_step,
        );
      }
      return value;
    },
  };
}

function textOf({ content }: JsonObject): JsonObject {
  const first = Array.isArray(content) ? content[0] : undefined;
  const text = isJsonObject(first) ? String(first.text ?? "") : "";
  const value = parseJson(text);
  return isJsonObject(value) ? value : { text };
}
