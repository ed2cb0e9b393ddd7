import type { JsonObject } from "@darkmatter/core";
import type { z } from "zod";

/** One call of a tool by an agent. */
export interface ToolCall {
  /** The MCP session; hints and visibility are kept per session. One per stateless caller. */
  readonly session: string;
  /** Names this call for `once`: the same id again means the same call, repeated after a takeover. */
  readonly callId: string | undefined;
  /** Aborts when the client cancels or goes away. */
  readonly signal: AbortSignal;
  /** Sends a progress notice, when the client asked for them. Never rejects. */
  progress(progress: number, total: number | undefined, message: string): Promise<void>;
}

/** A block of MCP content: `{type: "text", text}`, `{type: "image", data, mimeType}` … */
export type ToolContent = JsonObject & { readonly type: string };

/**
 * What a tool answers: the object agents get as JSON text and as structured content; plain text; or content blocks as
 * they are. An object with the one key `text` or `content` is one of the latter two.
 */
export type ToolResult =
  | JsonObject
  | { readonly text: string }
  | { readonly content: readonly ToolContent[] };

export interface Tool<Input extends z.ZodObject = z.ZodObject> {
  /** With its prefix: `darkmatter_send_message`. */
  readonly name: string;
  readonly title: string;
  /** When to use it, in the agent's words; a function when it carries live state. Never any text of a peer. */
  readonly description: string | (() => string);
  /** Strings are trimmed, unknown keys refused, by the server for every tool; also accepted wrapped in `params`. */
  readonly input: Input;
  readonly annotations: ToolAnnotations;
  /** `owner`: for the commands of whoever owns the node. Never shown to an agent, and unknown to it when called. */
  readonly audience?: "owner";
  /** Whether a session that has not used it sees it now; a hidden tool still works and then stays visible. */
  visible(): boolean;
  /** Never rejects for what a caller did wrong: that is `{success: false, error}`. */
  handle(input: z.output<Input>, call: ToolCall): Promise<ToolResult>;
}

export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  /** Reaches other machines. */
  readonly openWorldHint: boolean;
}

/** Keeps the input type of one tool while tables hold many. */
export function tool<Input extends z.ZodObject>(definition: Tool<Input>): Tool {
  return definition as unknown as Tool;
}

/** The tools of a node and what surrounds them, as the MCP server serves them. */
export interface ToolTable {
  readonly tools: readonly Tool[];
  /** Server instructions for the agent. */
  readonly instructions: string;
  /**
   * Adds what every JSON result of this session carries: `_hint` and the like. Runs after the tool, and not for a
   * client that has gone.
   */
  decorate(session: string, result: JsonObject): Promise<JsonObject>;
  /** Calls back when descriptions or visibility may have changed; the server compares and announces real changes. */
  onChange(listener: () => void): Disposable;
  /** Resources, such as the live status. */
  readonly resources: readonly ToolResource[];
  /** Told of who is at these tools. */
  readonly watch?: SessionWatch;
  /** What somebody hears who calls a tool that is not there; a protocol error where this is not given. */
  unknown?(name: string): JsonObject;
}

/** A helper of the agent: whoever shows its token is served its table, until it is over. */
export interface Delegate {
  /** Names it; never its token. */
  readonly id: string;
  readonly table: ToolTable;
  /** Whether it may act now: looked at for each request. */
  mayAct(): boolean;
  /** Aborts when it may act no more: what is open for it ends. */
  readonly over: AbortSignal;
}

/** Whose token it is; `undefined` for one that is nobody's any more, or never was. */
export type FindDelegate = (token: string) => Delegate | undefined;

/** A session calls a tool. */
export interface SessionCall {
  readonly session: string;
  readonly tool: string;
  /** The session is a command of the owner's, and no agent. */
  readonly isOwner: boolean;
  /** Aborts when the client cancels or goes away: nobody sees the result. */
  readonly signal: AbortSignal;
}

/** What a node hears of the sessions at its tools. */
export interface SessionWatch {
  /** Disposed when the session has its result. */
  called(call: SessionCall): Disposable;
  /** An agent's client is there that can be handed a notice out of turn; disposed when it has gone. */
  reachable(session: string, push: Push): Disposable;
}

/**
 * Hands a client a notice that its agent sees at once, where its user lets it: words of ours, and named values of
 * letters, digits and underscores. Whether the agent saw it nobody says. Rejects when the client has gone.
 */
export type Push = (content: string, meta: Readonly<Record<string, string>>) => Promise<void>;

export interface ToolResource {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
  read(): Promise<string>;
}
