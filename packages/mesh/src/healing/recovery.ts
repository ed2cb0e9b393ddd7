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
  /** The first place others name that has not been tried and where the agent is. */
  async function nextPlace(agentId: string, tried: ReadonlySet<string>): Promise<string | undefined> {
    for (const candidate of (await asking.where(agentId, new Set())).slice(0, 1)) {
      if (!tried.has(candidate.url) && (await asking.confirms(candidate, agentId))) return candidate.url;
    }
    return undefined;
  }

  return {
    async recovering(webhook, agentId, call) {
      const endMs = clock.monotonic() + WHOLE_MS;
      const path = pathOf(webhook);
      const tried = new Set<string>();
      let first: unknown;
      for (let url = webhook; ; ) {
        try {
          return await call(url);
        } catch (error) {
          first ??= error;
          // Anything but a connection that was never made may have been acted on.
          if (!hasCode(error, "UNREACHABLE")) throw first;
        }
        tried.add(baseOf(url, path));
        const isOver = tried.size > LOOKUPS_MAX || clock.monotonic() >= endMs;
        const base = isOver || path === undefined ? undefined : await nextPlace(agentId, tried);
        if (base === undefined || clock.monotonic() >= endMs) throw first;
        url = `${base}${path}`;
      }
    },
  };
}

/** The path of a callback that may be kept with another base; `undefined` for any other. */
function pathOf(webhook: string): string | undefined {
  const path = URL.parse(webhook)?.pathname;
  return path !== undefined && RECOVERED_PATH.test(path) ? path : undefined;
}

const baseOf = (url: string, path: string | undefined) =>
  baseUrl(path === undefined ? url : url.slice(0, url.length - path.length));
