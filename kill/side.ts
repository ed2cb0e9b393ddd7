import type { ChildProcess } from "node:child_process";
import { firstLine } from "../bench/lib/first-line.ts";
import { endChild, type Home, makeHome } from "../bench/lib/home.ts";
import { type AgentSession, openSession, type Result, SessionEnded } from "../bench/lib/session.ts";

export type Part = "node" | "session";

const SETTINGS = {
  DARKMATTER_RATE_GLOBAL: "-1",
  DARKMATTER_RATE_PER_CONNECTION: "-1",
  DARKMATTER_INBOX_MAX: "100000",
};

/** One agent: a process that runs its node, and an MCP session. Either may own the state, and either may be killed. */
export interface Side extends AsyncDisposable {
  readonly home: Home;
  readonly agentId: string;
  readonly url: string;
  /** Calls a tool through whatever session there is. Throws SessionEnded when that one was killed meanwhile. */
  call(tool: string, args?: object): Promise<Result>;
  /** Calls that have no answer yet. */
  readonly inFlight: number;
  /** Kills a part without warning and starts it again. */
  kill(part: Part): Promise<void>;
  /** Ends both parts as a user would. */
  stop(): Promise<void>;
}

export async function startSide(): Promise<Side> {
  const home = makeHome(SETTINGS);
  let node = startNode(home);
  const { agent_id: agentId, url } = await firstLine<{ agent_id: string; url: string }>(node);
  let session: Promise<AgentSession> = openSession(home);
  let current: AgentSession | undefined = await session;

  async function reopen(): Promise<AgentSession> {
    for (;;) {
      try {
        current = await openSession(home);
        return current;
      } catch (error) {
        // Killed again before it said hello.
        if (!(error instanceof SessionEnded)) throw error;
      }
    }
  }

  return {
    home,
    agentId,
    url,
    call: async (tool, args) => (await session).call(tool, args),
    get inFlight() {
      return current?.pending ?? 0;
    },
    async kill(part) {
      if (part === "node") {
        await endChild(node);
        node = startNode(home);
        return;
      }
      if (current) await endChild(current.child);
      session = reopen();
      await session;
    },
    async stop() {
      const last = await session;
      last.child.stdin?.end();
      await Promise.all([last.ended, gone(node, "SIGTERM")]);
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

function startNode(home: Home): ChildProcess {
  return home.start(["up", "--json"], ["ignore", "pipe", "ignore"]);
}

function gone(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}
