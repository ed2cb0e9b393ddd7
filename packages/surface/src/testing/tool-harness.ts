import type { JsonObject } from "@darkmatter/core";
import { type CalledTool, createToolSession, type ListedTool } from "../mcp/tool-session.ts";
import type { ToolCall, ToolTable } from "../tool.ts";

export interface HarnessCall {
  readonly session?: string;
  readonly callId?: string;
  readonly signal?: AbortSignal;
  readonly progress?: ToolCall["progress"];
}

export interface ToolHarness {
  /** What a session sees now. The session called `owner` is one of the owner's commands. */
  list(session?: string): ListedTool[];
  names(session?: string): string[];
  /** The result as JSON, decorated; `{text}` for a tool that answers in plain text. Rejects for an unknown tool. */
  call(name: string, given?: JsonObject, options?: HarnessCall): Promise<JsonObject>;
  /** The result as the protocol carries it. */
  raw(name: string, given?: JsonObject, options?: HarnessCall): Promise<CalledTool>;
  /** What tools threw; empty in a test that is well. */
  readonly errors: readonly unknown[];
}

/** Calls tools as a session would, parameters checked and results decorated, without any protocol between. */
export function toolHarness(table: ToolTable): ToolHarness {
  const errors: unknown[] = [];
  const sessions = new Map<string, ReturnType<typeof createToolSession>>();
  const sessionOf = (id = "test-session") => {
    const session =
      sessions.get(id) ??
      createToolSession(table, { id, isOwner: id === "owner", onError: ({ error }) => errors.push(error) });
    sessions.set(id, session);
    return session;
  };

  const harness: ToolHarness = {
    errors,
    list: (session) => sessionOf(session).list(),
    names: (session) => harness.list(session).map(({ name }) => name),
    async raw(name, given = {}, options = {}) {
      const result = await sessionOf(options.session).call(name, given, {
        callId: options.callId,
        signal: options.signal ?? new AbortController().signal,
        progress: options.progress ?? (async () => undefined),
      });
      if (!result) throw new TypeError(`no tool is called ${name}`);
      return result;
    },
    async call(name, given, options) {
      const { structuredContent, content } = await harness.raw(name, given, options);
      return structuredContent ?? { text: String(content[0]?.text ?? "") };
    },
  };
  return harness;
}
