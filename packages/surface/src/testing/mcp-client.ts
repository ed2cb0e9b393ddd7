import { createInterface } from "node:readline";
import { type Duplex, duplexPair } from "node:stream";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type McpStream, serveMcpStream } from "../mcp/stream.ts";
import type { SessionState } from "../mcp/tool-session.ts";
import type { ToolTable } from "../tool.ts";

/** The revision with sessions that today's hosts speak, and the one without. */
export type Era = "2025-11-25" | "2026-07-28";
export const ERAS: readonly Era[] = ["2025-11-25", "2026-07-28"];

export interface McpCallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { progress: number; total?: number; message?: string }) => void;
  readonly meta?: Record<string, unknown>;
}

/** What both official clients can do, in one shape. */
export interface McpTestClient {
  readonly era: Era;
  readonly instructions: string | undefined;
  names(): Promise<string[]>;
  tools(): Promise<{ name: string; description?: string; inputSchema: object; annotations?: object }[]>;
  /** The structured result, or else the text of the first block. `isError` results are no exceptions. */
  call(name: string, given?: Record<string, unknown>, options?: McpCallOptions): Promise<McpTestResult>;
  readResource(uri: string): Promise<string>;
  /** Resolves at the next notice that the list of tools has changed, or at once if one came since last asked. */
  changed(): Promise<void>;
  close(): Promise<void>;
}

export interface McpTestResult {
  readonly structured: Record<string, unknown> | undefined;
  readonly text: string;
  readonly isError: boolean;
}

const INFO = { name: "test-client", version: "1.0.0" };

function createClient(era: Era, onChanged: () => void) {
  const listChanged = { tools: { autoRefresh: false, debounceMs: 0, onChanged } };
  if (era === "2025-11-25") return new LegacyClient(INFO, { listChanged });
  return new ModernClient(INFO, { listChanged, versionNegotiation: { mode: { pin: era } } });
}

/** An official client of an era over HTTP: `http://127.0.0.1:8100/mcp`, with headers of its own if it has any. */
export async function connectMcpHttp(
  era: Era,
  url: string,
  requestInit: RequestInit = {},
): Promise<McpTestClient> {
  const changes = counter();
  const client = createClient(era, changes.add);
  const target = new URL(url);
  const Http = era === "2025-11-25" ? LegacyHttp : ModernHttp;
  await client.connect(new Http(target, { requestInit }) as never);
  return wrapped(era, client, changes);
}

/** An official client of an era over any duplex that speaks lines: a socket, one end of `duplexPair()`. */
export async function connectMcpDuplex(era: Era, duplex: Duplex): Promise<McpTestClient> {
  const changes = counter();
  const client = createClient(era, changes.add);
  await client.connect(new LineTransport(duplex) as never);
  return wrapped(era, client, changes);
}

export interface McpStreamServed {
  readonly client: McpTestClient;
  readonly stream: McpStream;
  readonly errors: unknown[];
}

/** A table served over an in-memory stream to an official client of an era. */
export async function serveMcpTo(
  era: Era,
  table: ToolTable,
  session = "test-session",
  sessionState?: SessionState,
): Promise<McpStreamServed> {
  const [near, far] = duplexPair();
  const errors: unknown[] = [];
  const stream = serveMcpStream(
    table,
    { input: far, output: far },
    {
      session,
      ...(sessionState && { sessionState }),
      identity: { name: "test-server", version: "1.0.0" },
      onError: ({ error }) => errors.push(error),
    },
  );
  return { client: await connectMcpDuplex(era, near), stream, errors };
}

function wrapped(
  era: Era,
  client: LegacyClient | ModernClient,
  changes: ReturnType<typeof counter>,
): McpTestClient {
  // The two clients differ in types and agree in what is used of them here.
  const common = client as ModernClient;
  return {
    era,
    instructions: common.getInstructions(),
    names: async () => (await common.listTools()).tools.map(({ name }) => name),
    tools: async () => (await common.listTools()).tools as never,
    async call(name, given, options = {}) {
      const { signal, onProgress, meta } = options;
      const params = { name, ...(given && { arguments: given }), ...(meta && { _meta: meta }) };
      const request = { ...(signal && { signal }), ...(onProgress && { onprogress: onProgress }) };
      const result =
        era === "2025-11-25"
          ? await (client as LegacyClient).callTool(params, undefined, request)
          : await common.callTool(params as never, request);
      const [first] = result.content as { text?: string }[];
      return {
        structured: result.structuredContent as Record<string, unknown> | undefined,
        text: first?.text ?? "",
        isError: result.isError === true,
      };
    },
    async readResource(uri) {
      const { contents } = await common.readResource({ uri });
      return (contents[0] as { text: string }).text;
    },
    changed: changes.next,
    close: () => client.close(),
  };
}

function counter() {
  let pending = 0;
  let wake: (() => void) | undefined;
  return {
    add() {
      pending++;
      wake?.();
    },
    async next(): Promise<void> {
      if (pending === 0) await new Promise<void>((resolve) => (wake = resolve));
      pending = 0;
    },
  };
}

/** A client's transport over a duplex: the official ones start a process of their own. */
class LineTransport {
  onmessage?: (message: never) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #duplex: Duplex;

  constructor(duplex: Duplex) {
    this.#duplex = duplex;
  }

  async start(): Promise<void> {
    const lines = createInterface({ input: this.#duplex });
    lines.on("line", (line) => this.onmessage?.(JSON.parse(line) as never));
    lines.on("close", () => this.onclose?.());
    this.#duplex.on("error", (error) => this.onerror?.(error));
  }

  async send(message: object): Promise<void> {
    this.#duplex.write(`${JSON.stringify(message)}\n`);
  }

  async close(): Promise<void> {
    this.#duplex.end();
    this.onclose?.();
  }
}
