import type { ChildProcess } from "node:child_process";
import { firstLine } from "../bench/lib/first-line.ts";
import { endChild, type Home, makeHome } from "../bench/lib/home.ts";
import { freePorts } from "../e2e/world.ts";
import { ended, SETTINGS, withLifeline } from "./side.ts";

/** A node whose agent sleeps: nobody is attached to it. */
export interface Lone extends AsyncDisposable {
  readonly home: Home;
  readonly agentId: string;
  readonly url: string;
  /** Kills it without warning and starts it again. */
  kill(): Promise<void>;
  /** Resolves once it answers again after the last kill. */
  ready(): Promise<void>;
  /** A request to its local API, which must be answered well. */
  post(path: string, body: object): Promise<void>;
  stop(): Promise<void>;
  readonly endedAlone: readonly string[];
}

export async function startLone(settings: Readonly<Record<string, string>>): Promise<Lone> {
  const port = String((await freePorts(1))[0]);
  const home = withLifeline(makeHome({ ...SETTINGS, ...settings, DARKMATTER_PORT: port }));
  const expected = new WeakSet<ChildProcess>();
  const endedAlone: string[] = [];
  const start = () => {
    const child = home.start(["up", "--json"], ["ignore", "pipe", "ignore"]);
    child.once("exit", (code) => expected.has(child) || endedAlone.push(`a node ended with ${code}`));
    return child;
  };
  let node = start();
  const { agent_id: agentId, url } = await firstLine<{ agent_id: string; url: string }>(node);
  let recovering: Promise<unknown> = Promise.resolve();
  return {
    home,
    agentId,
    url,
    endedAlone,
    async kill() {
      expected.add(node);
      await endChild(node);
      node = start();
      recovering = firstLine(node);
      recovering.catch(() => undefined);
    },
    ready: () => recovering.then(() => undefined),
    async post(path, body) {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${url}/__darkmatter__/${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    },
    async stop() {
      expected.add(node);
      await ended(node);
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}
