import type { ChildProcess, IOType } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { firstLine } from "../bench/lib/first-line.ts";
import { endChild, type Home, makeHome } from "../bench/lib/home.ts";
import { openSession, type Result } from "../bench/lib/session.ts";
import { freePorts } from "../e2e/world.ts";

/** Whoever owns the state just now, which is the node or the session; or the session. */
export type Victim = "owner" | "session";

/** One agent: a process that runs its node, and an MCP session. Either may own the state, and either may be killed. */
export interface Side extends AsyncDisposable {
  readonly home: Home;
  readonly agentId: string;
  readonly url: string;
  /** Calls a tool through whatever session there is. Throws SessionEnded when that one was killed meanwhile. */
  call(tool: string, args?: object): Promise<Result>;
  /** Resolves once the agent is answered again after the last kill. */
  ready(): Promise<void>;
  /** Calls under way. */
  readonly pending: number;
  /** Kills a process without warning and starts it again; whether calls were under way. */
  kill(victim: Victim): Promise<boolean>;
  /** How long each session waited for its answer when its owner was killed. */
  readonly takeoversMs: readonly number[];
  /** Processes that ended although nobody had killed them. */
  readonly endedAlone: readonly string[];
  /** Ends both processes as a user would. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const SETTINGS = {
  DARKMATTER_RATE_GLOBAL: "-1",
  DARKMATTER_RATE_PER_CONNECTION: "-1",
  DARKMATTER_INBOX_MAX: "100000",
  DARKMATTER_LIFELINE: "3",
};

export async function startSide(settings: Readonly<Record<string, string>> = {}): Promise<Side> {
  // A port of its own, so that peers find the node again whoever serves it.
  const home = withLifeline(
    makeHome({ ...SETTINGS, ...settings, DARKMATTER_PORT: String((await freePorts(1))[0]) }),
  );
  const takeoversMs: number[] = [];
  const endedAlone: string[] = [];
  const expected = new WeakSet<ChildProcess>();
  let node = startNode();
  const { agent_id: agentId, url } = await firstLine<{ agent_id: string; url: string }>(node);
  let session = await openSession(home);
  watch(session.child, "a session");
  let recovering: Promise<unknown> = Promise.resolve();

  function startNode(): ChildProcess {
    return watch(home.start(["up", "--json"], ["ignore", "pipe", "ignore"]), "a node");
  }

  function watch(child: ChildProcess, what: string): ChildProcess {
    child.once("exit", (code) => expected.has(child) || endedAlone.push(`${what} ended with ${code}`));
    return child;
  }

  async function openAnother(): Promise<void> {
    session = await openSession(home);
    watch(session.child, "a session");
  }

  const answered = () => session.call("darkmatter_get_identity");

  return {
    home,
    agentId,
    url,
    async call(tool, args) {
      if (session.child.killed) await recovering;
      return session.call(tool, args);
    },
    ready: () => recovering.then(() => undefined),
    get pending() {
      return session.pending;
    },
    async kill(victim) {
      const wereUnderWay = session.pending > 0;
      const isNode = victim === "owner" && ownerPid(home) === node.pid;
      const killedMs = performance.now();
      const child = isNode ? node : session.child;
      expected.add(child);
      await endChild(child);
      if (isNode) {
        node = startNode();
        recovering = answered().then(() => takeoversMs.push(performance.now() - killedMs));
      } else recovering = openAnother().then(answered);
      recovering.catch(() => undefined);
      return wereUnderWay;
    },
    takeoversMs,
    endedAlone,
    async stop() {
      expected.add(session.child).add(node);
      session.child.stdin?.end();
      await session.ended;
      await ended(node);
    },
    async start() {
      node = startNode();
      await openAnother();
      await answered();
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

/** Gives each process a fourth pipe: it stops when this runner is gone, however that went. */
export function withLifeline(home: Home): Home {
  return { ...home, start: (args, stdio) => home.start(args, [...(stdio as IOType[]), "pipe"]) };
}

function ownerPid(home: Home): number {
  const card = join(dirname(home.database()), "owner.json");
  return (JSON.parse(readFileSync(card, "utf8")) as { pid: number }).pid;
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
