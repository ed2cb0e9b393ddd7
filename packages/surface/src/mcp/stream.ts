import type { Readable, Writable } from "node:stream";
import { reasonOf } from "@darkmatter/core";
import type { ToolTable } from "../tool.ts";
import { announceChanges } from "./announcements.ts";
import type { McpIdentity } from "./identity.ts";
import type { McpOnError } from "./reports.ts";
import { createToolSession, type SessionState } from "./tool-session.ts";

/** The two directions of one client: stdin and stdout, or a socket twice. They stay the caller's to end. */
export interface StreamPair {
  readonly input: Readable;
  readonly output: Writable;
}

export interface McpStreamOptions {
  /** Names the session in `ToolCall.session`. */
  readonly session: string;
  /** Given again when the same session moves here from another process. */
  readonly sessionState?: SessionState;
  /** The client is a command of the node's owner, and no agent. */
  readonly isOwner?: boolean;
  readonly identity: McpIdentity;
  readonly onError: McpOnError;
}

export interface McpStream {
  /** Resolves when the client has gone or `close` has ended it; never rejects. */
  readonly closed: Promise<void>;
  /** Ends the session: what is in flight is aborted, modern subscriptions are told. */
  close(): Promise<void>;
}

/** Serves MCP as lines of JSON, in the era the client opens with. What arrives before the first turn waits. */
export function serveMcpStream(table: ToolTable, streams: StreamPair, options: McpStreamOptions): McpStream {
  const ended = Promise.withResolvers<void>();
  const started = start(table, streams, options, ended.resolve);
  started.catch((error: unknown) => {
    options.onError({ session: options.session, tool: undefined, error });
    ended.resolve();
  });
  return {
    closed: ended.promise,
    async close() {
      await started.then((stream) => stream.close()).catch(() => undefined);
      ended.resolve();
    },
  };
}

async function start(table: ToolTable, streams: StreamPair, options: McpStreamOptions, onEnd: () => void) {
  // Loaded here, so that commands which serve nothing start without them.
  const [{ serveStdio, StdioServerTransport }, { createMcpServer }, { PUSH_CAPABILITY, pushTo }] =
    await Promise.all([
      import("@modelcontextprotocol/server/stdio"),
      import("./server.ts"),
      import("./push-channel.ts"),
    ]);
  const { session: id, sessionState: state, isOwner = false, onError } = options;
  const report = (error: unknown, tool?: string) => onError({ session: id, tool, error });
  const session = createToolSession(table, {
    id,
    isOwner,
    ...(state && { state }),
    onReveal: () => announcements.compare(),
    onError: ({ tool, error }) => report(error, tool),
  });
  // One connection may build two: a modern client's probe, and the server of the era it then chose.
  let server: Awaited<ReturnType<typeof createMcpServer>> | undefined;
  const announcements = announceChanges(table, session, () => server?.sendToolListChanged(), report);

  let reachable: Disposable | undefined;

  const transport = new StdioServerTransport(streams.input, streams.output);
  const stream = serveStdio(
    () => {
      const made = createMcpServer(table, session, options.identity, PUSH_CAPABILITY);
      made.oninitialized = () => {
        const push = isOwner ? undefined : pushTo(made);
        reachable ??= push && table.watch?.reachable(id, push);
      };
      server = made;
      return made;
    },
    { transport, onerror: (error) => report(new Error(`MCP stream: ${reasonOf(error)}`, { cause: error })) },
  );
  const closeServers = transport.onclose;
  transport.onclose = () => {
    announcements[Symbol.dispose]();
    reachable?.[Symbol.dispose]();
    closeServers?.();
    onEnd();
  };
  return stream;
}
