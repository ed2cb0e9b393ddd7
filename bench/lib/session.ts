import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { parseJson } from "@darkmatter/core";
import type { Home } from "./home.ts";

export type Result = Readonly<Record<string, unknown>>;

/** An agent's session: `darkmatter mcp`, spoken to over stdio as an MCP client does. */
export interface AgentSession {
  readonly child: ChildProcess;
  /** Resolves with the result; rejects on an error answer, and when the session ends first. */
  request(method: string, params?: object): Promise<Result>;
  /** What the tool answered, structured. */
  call(tool: string, args?: object): Promise<Result>;
  /** Requests that have no answer yet. */
  readonly pending: number;
  readonly ended: Promise<void>;
}

/** The session ended before it answered: whether the call was done is not known. */
export class SessionEnded extends Error {}

/** Starts a session and says hello. */
export async function openSession(home: Home): Promise<AgentSession> {
  const session = startSession(home);
  await session.request("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "measuring", version: "1" },
  });
  session.child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  return session;
}

function startSession(home: Home): AgentSession {
  const child = home.start(["mcp"], ["pipe", "pipe", "pipe"]);
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error("A session needs its pipes.");
  const waiting = new Map<number, PromiseWithResolvers<Result>>();
  let lastId = 0;
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  // A killed session cannot be written to; its end is reported below.
  stdin.on("error", () => undefined);
  createInterface({ input: stdout }).on("line", (line) => {
    // The last line of a session that was killed may be cut off.
    const { id, result, error } = (parseJson(line) ?? {}) as {
      id?: number;
      result?: Result;
      error?: { message: string };
    };
    const waits = id === undefined ? undefined : waiting.get(id);
    if (id === undefined || waits === undefined) return;
    waiting.delete(id);
    if (result) waits.resolve(result);
    else waits.reject(new Error(error?.message ?? "An answer without a result."));
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      for (const { reject } of waiting.values()) reject(new SessionEnded(`The session ended. ${said}`));
      waiting.clear();
      resolve();
    });
  });

  const session: AgentSession = {
    child,
    ended,
    request(method, params = {}) {
      const answer = Promise.withResolvers<Result>();
      if (child.exitCode !== null || child.signalCode !== null) answer.reject(new SessionEnded());
      else {
        const id = ++lastId;
        waiting.set(id, answer);
        stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      }
      return answer.promise;
    },
    async call(tool, args = {}) {
      const result = await session.request("tools/call", { name: tool, arguments: args });
      return (result.structuredContent ?? result) as Result;
    },
    get pending() {
      return waiting.size;
    },
  };
  return session;
}
