import { DarkMatterError, isJsonObject, type JsonObject } from "@darkmatter/core";
import type { Tool, ToolCall, ToolContent, ToolResult, ToolTable } from "../tool.ts";
import { parseArguments } from "./arguments.ts";
import { type InputSchema, inputSchemaOf } from "./input-schema.ts";

/** What a session keeps when it moves to another process. */
export interface SessionState {
  /** Names of tools this session has called: they stay visible to it. */
  readonly called: Set<string>;
}

export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: InputSchema;
  readonly annotations?: Record<string, boolean>;
}

export interface CalledTool {
  readonly content: readonly ToolContent[];
  readonly structuredContent?: JsonObject;
  readonly isError?: true;
  /** @internal lets the SDK's open result types accept this one. */
  readonly [key: string]: unknown;
}

export type ToolErrorReport = (report: {
  readonly tool: string | undefined;
  readonly error: unknown;
}) => void;

export interface ToolSession {
  readonly id: string;
  /** The tools this session sees now, with their live descriptions. */
  list(): ListedTool[];
  /** `undefined` when there is no such tool; otherwise always a result, whatever went wrong. */
  call(name: string, given: unknown, call: Omit<ToolCall, "session">): Promise<CalledTool | undefined>;
  /** Whether the list has changed since this was last asked; at first, since the session began. */
  hasChanged(): boolean;
}

export interface ToolSessionOptions {
  readonly id: string;
  readonly state?: SessionState;
  /** The session is a command of the node's owner: it may call the tools that no agent is given. */
  readonly isOwner?: boolean;
  /** A hidden tool was called, so that the session's list has grown. */
  readonly onReveal?: () => void;
  readonly onError: ToolErrorReport;
}

/** One session's view of a tool table, whatever protocol carries it. */
export function createToolSession(table: ToolTable, options: ToolSessionOptions): ToolSession {
  const { id, onError, isOwner = false } = options;
  const { called } = options.state ?? { called: new Set<string>() };
  const tools = table.tools.filter((tool) => isOwner || tool.audience !== "owner");
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const seen = () => tools.filter((tool) => tool.visible() || called.has(tool.name));
  const fingerprint = () => JSON.stringify(seen().map((tool) => [tool.name, descriptionOf(tool)]));
  let told = fingerprint();

  /** What was done stays done when the surroundings fail: a result without its hints is still the result. */
  async function decorated(result: JsonObject): Promise<JsonObject> {
    try {
      return await table.decorate(id, result);
    } catch (error) {
      onError({ tool: undefined, error });
      return result;
    }
  }

  return {
    id,
    list: () => seen().map(listed),
    async call(name, given, call) {
      const tool = byName.get(name);
      if (!tool) return table.unknown && presented(table.unknown(name));
      if (!called.has(name)) {
        called.add(name);
        if (!tool.visible()) options.onReveal?.();
      }
      using _ = table.watch?.called({ session: id, tool: name, isOwner, signal: call.signal });
      const result = await answer(tool, given, { ...call, session: id }, onError);
      if (isText(result)) return { content: [{ type: "text", text: result.text }] };
      if (isContent(result)) return { content: result.content };
      // Nobody reads it: what is new is told with the next one.
      return presented(call.signal.aborted ? result : await decorated(result));
    },
    hasChanged() {
      const now = fingerprint();
      if (now === told) return false;
      told = now;
      return true;
    },
  };
}

/** What the tool answers; a failure is an answer too, and one of ours tells the caller no more than that. */
async function answer(
  tool: Tool,
  given: unknown,
  call: ToolCall,
  onError: ToolErrorReport,
): Promise<ToolResult> {
  const parsed = parseArguments(tool, given);
  if (parsed.kind === "invalid") return { success: false, error: parsed.error };
  try {
    return await tool.handle(parsed.input, call);
  } catch (error) {
    if (error instanceof DarkMatterError) return { success: false, error: error.message, hint: error.hint };
    // A tool that stops because its caller left has not failed.
    if (!call.signal.aborted) onError({ tool: tool.name, error });
    return { success: false, error: "Internal error: the tool failed on our side; the node's log says why" };
  }
}

function presented(structuredContent: JsonObject): CalledTool {
  const content = [{ type: "text", text: JSON.stringify(structuredContent) }];
  if (structuredContent.success === false) return { content, structuredContent, isError: true };
  return { content, structuredContent };
}

function isText(result: ToolResult): result is { readonly text: string } {
  return "text" in result && typeof result.text === "string" && Object.keys(result).length === 1;
}

function isContent(result: ToolResult): result is { readonly content: readonly ToolContent[] } {
  return (
    "content" in result &&
    Array.isArray(result.content) &&
    Object.keys(result).length === 1 &&
    result.content.every((block) => isJsonObject(block) && typeof block.type === "string")
  );
}

function descriptionOf(tool: Tool): string {
  return typeof tool.description === "function" ? tool.description() : tool.description;
}

function listed(tool: Tool): ListedTool {
  const annotations = tellingAnnotations(tool);
  return {
    name: tool.name,
    title: tool.title,
    description: descriptionOf(tool),
    inputSchema: inputSchemaOf(tool),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** Those that differ from what the protocol assumes without them. */
function tellingAnnotations({ annotations }: Tool): Record<string, boolean> {
  const telling: Record<string, boolean> = {};
  if (annotations.readOnlyHint) telling.readOnlyHint = true;
  else {
    if (!annotations.destructiveHint) telling.destructiveHint = false;
    if (annotations.idempotentHint) telling.idempotentHint = true;
  }
  if (!annotations.openWorldHint) telling.openWorldHint = false;
  return telling;
}
