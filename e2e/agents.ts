import { Client as Client2, StreamableHTTPClientTransport as Http2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as Http1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type Home, PROGRAM, type World } from "./world.ts";

// biome-ignore lint/suspicious/noExplicitAny: results are looked into by checks
export type Answer = any;

/** Which official client, and what it does about the protocol's two eras. */
export type ClientKind = "1.x" | "2.x legacy" | "2.x auto" | "2.x modern";

const MODERN = "2026-07-28";
const CALL_MS = 20_000;
const INFO = { name: "e2e", version: "1.0.0" };

export interface Called {
  readonly value: Answer;
  readonly structured: Answer;
  readonly text: string;
  readonly isError: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { progress: number; total?: number; message?: string }) => void;
  readonly timeoutMs?: number;
}

export interface Listed {
  readonly name: string;
  readonly description: string;
  readonly annotations?: Readonly<Record<string, boolean>>;
}

/** An agent behind an official MCP client. */
export interface Agent {
  readonly kind: ClientKind;
  /** The revision agreed on; the older client does not tell. */
  readonly revision: string;
  readonly instructions: string;
  /** Of the process that the client started; 0 over HTTP. */
  readonly pid: number;
  tools(): Promise<Listed[]>;
  names(): Promise<string[]>;
  /** Calls a tool by its name without the prefix. An error of the protocol throws. */
  call(tool: string, given?: Record<string, unknown>, options?: CallOptions): Promise<Called>;
  /** The value of a call that must succeed. */
  ask(tool: string, given?: Record<string, unknown>, options?: CallOptions): Promise<Answer>;
  read(uri: string): Promise<string>;
  /** How often a notice of a changed list has come. */
  readonly changes: number;
  /** Ids of requests answered so far, in order: one that comes twice was answered twice. */
  readonly answered: readonly unknown[];
  /** What the client complained of. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** What is used of both clients, in the shape of the newer. */
type AnyClient = Pick<
  Client2,
  "listTools" | "callTool" | "readResource" | "getInstructions" | "getServerVersion" | "close" | "connect"
> & { onerror?: (error: Error) => void; onclose?: () => void };

interface AnyTransport {
  pid?: number | null;
  onmessage?: (message: never, extra: never) => void;
}

/** Starts `darkmatter mcp` in a home, as an MCP client would. */
export async function stdioAgent(world: World, home: Home, kind: ClientKind): Promise<Agent> {
  const [command = "", ...args] = [...(home.enter ?? []), process.execPath, PROGRAM, "mcp"];
  const program = {
    command,
    args,
    env: { ...home.env },
    cwd: home.project,
    stderr: "ignore" as const,
  };
  const transport = kind === "1.x" ? new Stdio1(program) : new Stdio2(program);
  return connected(kind, transport, (pid) => world.adopt(pid));
}

/** Connects to a node's `/mcp`. */
export async function httpAgent(nodeUrl: string, kind: ClientKind): Promise<Agent> {
  const url = new URL(`${nodeUrl}/mcp`);
  return connected(kind, kind === "1.x" ? new Http1(url) : new Http2(url), () => () => undefined);
}

async function connected(
  kind: ClientKind,
  transport: AnyTransport,
  adopt: (pid: number) => () => void,
): Promise<Agent> {
  let changes = 0;
  const complaints: string[] = [];
  const answered: unknown[] = [];
  const onChanged = () => void changes++;
  const listChanged = { tools: { autoRefresh: false, debounceMs: 0, onChanged } };
  const client = newClient(kind, listChanged);
  client.onerror = (error) => complaints.push(error.message);
  await client.connect(transport as never);
  const pid = transport.pid ?? 0;
  if (pid > 0) client.onclose = adopt(pid);
  listen(transport, answered);

  const agent: Agent = {
    kind,
    revision: revisionOf(kind, client),
    instructions: client.getInstructions() ?? "",
    pid,
    tools: async () => (await client.listTools()).tools as never,
    names: async () => (await client.listTools()).tools.map(({ name }) => name.replace("darkmatter_", "")),
    async call(tool, given = {}, { signal, onProgress, timeoutMs = CALL_MS } = {}) {
      const params = { name: `darkmatter_${tool}`, arguments: given };
      const options = {
        timeout: timeoutMs,
        ...(signal && { signal }),
        ...(onProgress && { onprogress: onProgress }),
      };
      const result: Answer =
        kind === "1.x"
          ? await (client as unknown as Client1).callTool(params, undefined, options)
          : await client.callTool(params, options);
      const text = result.content[0]?.text ?? "";
      const structured = result.structuredContent;
      return { value: structured ?? text, structured, text, isError: result.isError === true };
    },
    async ask(tool, given, options) {
      const { value, isError } = await agent.call(tool, given, options);
      if (isError || value?.success === false) throw new Error(`${tool} failed: ${JSON.stringify(value)}`);
      return value;
    },
    async read(uri) {
      const { contents } = await client.readResource({ uri });
      return (contents[0] as { text: string }).text;
    },
    get changes() {
      return changes;
    },
    answered,
    complaints,
    close: () => client.close(),
  };
  return agent;
}

function newClient(kind: ClientKind, listChanged: object): AnyClient {
  if (kind === "1.x") return new Client1(INFO, { listChanged } as never) as unknown as AnyClient;
  const mode = kind === "2.x auto" ? "auto" : kind === "2.x modern" ? { pin: MODERN } : "legacy";
  return new Client2(INFO, { listChanged, versionNegotiation: { mode } } as never) as AnyClient;
}

function revisionOf(kind: ClientKind, client: AnyClient): string {
  if (kind === "1.x") return "";
  return (client as unknown as Client2).getNegotiatedProtocolVersion() ?? "";
}

/** Notes every answer's id on its way to the client. */
function listen(transport: AnyTransport, answered: unknown[]): void {
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    const { id, method } = message as { id?: unknown; method?: unknown };
    if (id !== undefined && method === undefined) answered.push(id);
    deliver?.(message, extra);
  };
}
