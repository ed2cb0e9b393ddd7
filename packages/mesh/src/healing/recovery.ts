import { hasCode, SECOND_MS } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import type { MeshPorts } from "../ports.ts";
import type { Asking } from "./asking.ts";

/** Calling back an agent that has moved since it wrote (mesh.md 7.4). */
export interface Recovery {
  /**
   * Calls `webhook`; where nobody can be connected to there, asks others where `agentId` is, and calls the same path
   * there. At most 3 times, within 30 s in all, never the same URL twice; then throws what the first call threw.
   * `call` has to check whatever URL it is given as strictly as the first.
   */
  recovering<T>(webhook: string, agentId: string, call: (url: string) => Promise<T>): Promise<T>;
}

const LOOKUPS_MAX = 3;
const WHOLE_MS = 30 * SECOND_MS;
const RECOVERED_PATH = /^\/__darkmatter__\/(webhook|webhook_relay)\//;

export function createRecovery({ clock }: Pick<MeshPorts, "clock">, asking: Asking): Recovery {
  /** The places others name, one after another, as long as each is another and the agent is there. */
  async function* places(agentId: string, first: string): AsyncGenerator<string> {
    const endMs = clock.monotonic() + WHOLE_MS;
    const tried = new Set([first]);
    for (let looks = 0; looks < LOOKUPS_MAX && clock.monotonic() < endMs; looks++) {
      const [best] = await asking.where(agentId, new Set());
      if (best === undefined || tried.has(best.url)) return;
      tried.add(best.url);
      const isThere = await asking.confirms(best, agentId);
      if (isThere && clock.monotonic() < endMs) yield best.url;
    }
  }

  return {
    async recovering(webhook, agentId, call) {
      try {
        return await call(webhook);
      } catch (error) {
        const path = pathOf(webhook);
        if (path === undefined || !isUnconnected(error)) throw error;
        for await (const base of places(agentId, baseUrl(webhook.slice(0, -path.length)))) {
          try {
            return await call(`${base}${path}`);
          } catch (again) {
            if (!isUnconnected(again)) throw error;
          }
        }
        throw error;
      }
    },
  };
}

/** Anything but a connection that was never made may have been acted on. */
const isUnconnected = (error: unknown) => hasCode(error, "UNREACHABLE");

/** The path of a callback that may be kept with another base; `undefined` for any other. */
function pathOf(webhook: string): string | undefined {
  const path = URL.parse(webhook)?.pathname;
  return path !== undefined && RECOVERED_PATH.test(path) ? path : undefined;
}
