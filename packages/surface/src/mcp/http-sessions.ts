import { type Clock, MINUTE_MS, newUuid, type Random } from "@darkmatter/core";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { ToolTable } from "../tool.ts";
import { announceChanges } from "./announcements.ts";
import type { McpIdentity } from "./identity.ts";
import type { McpOnError } from "./reports.ts";
import { createMcpServer } from "./server.ts";
import { createToolSession } from "./tool-session.ts";

/** At the bound the longest idle session gives way; its client is told by a 404 and begins anew. */
export const HTTP_SESSIONS_MAX = 256;
/** Clients go without a word. One that comes back later is answered 404 and begins anew. */
export const HTTP_SESSION_IDLE_MS = 30 * MINUTE_MS;

export interface HttpSession {
  readonly id: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** Exchanges under way, a listening client's open stream included. */
  open: number;
  usedAt: number;
  close(): Promise<void>;
}

export interface HttpSessionsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: McpIdentity;
  readonly onError: McpOnError;
}

/** Sessions of the era that has them (2024 to 2025), by id. */
export function createHttpSessions(table: ToolTable, options: HttpSessionsOptions) {
  const { clock } = options;
  // Least recently used first: `find` moves a session to the end.
  const sessions = new Map<string, HttpSession>();

  function makeRoom(): void {
    const idleSince = clock.monotonic() - HTTP_SESSION_IDLE_MS;
    for (const session of sessions.values()) {
      const isIdle = session.open === 0 && session.usedAt < idleSince;
      if (isIdle || sessions.size >= HTTP_SESSIONS_MAX) void session.close();
    }
  }

  return {
    find(id: string): HttpSession | undefined {
      const session = sessions.get(id);
      if (!session) return undefined;
      session.usedAt = clock.monotonic();
      sessions.delete(id);
      sessions.set(id, session);
      return session;
    },
    /** A session for a client that has sent `initialize`; it counts once that has been answered well. */
    async begin(): Promise<HttpSession> {
      makeRoom();
      const session = await openSession(table, options, (id) => sessions.delete(id));
      sessions.set(session.id, session);
      return session;
    },
    get size(): number {
      return sessions.size;
    },
    async close(): Promise<void> {
      await Promise.all([...sessions.values()].map((session) => session.close()));
    },
  };
}

async function openSession(
  table: ToolTable,
  { clock, random, identity, onError }: HttpSessionsOptions,
  onClose: (id: string) => void,
): Promise<HttpSession> {
  const id = newUuid(random);
  const report = (error: unknown, tool?: string) => onError({ session: id, tool, error });
  const tools = createToolSession(table, {
    id,
    onReveal: () => announcements.compare(),
    onError: ({ tool, error }) => report(error, tool),
  });
  const server = createMcpServer(table, tools, identity);
  const announcements = announceChanges(table, tools, () => server.sendToolListChanged(), report);
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => id });
  server.onclose = () => {
    announcements[Symbol.dispose]();
    onClose(id);
  };
  await server.connect(transport);
  return {
    id,
    transport,
    open: 0,
    usedAt: clock.monotonic(),
    close: () => server.close().catch(report),
  };
}
