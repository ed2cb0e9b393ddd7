import { hasCode, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import type { MeshPorts } from "../ports.ts";
import type { Asking } from "./asking.ts";

/** Calling back an agent that has moved since it wrote (mesh.md 7.4). */
export interface Recovery {
  /**
   * Calls `webhook`; where nobody can be connected to there, asks others where `agentId` is, and calls the same path
   * there. At most 3 times, within 30 s in all, never the same URL twice; then throws what the first call threw.
   * `call` has to check whatever URL it is given as strictly as the first. An agent that was sought in vain is not
   * sought again for 30 s, and of strangers at most 10 a minute: each look asks every peer of ours.
   */
  recovering<T>(
    webhook: string,
    agentId: string,
    call: (url: string) => Promise<T>,
    isStranger?: () => Promise<boolean>,
  ): Promise<T>;
}

const LOOKUPS_MAX = 3;
const WHOLE_MS = 30 * SECOND_MS;
/** How long an agent that nobody knew to be anywhere is left alone. */
const VAIN_MS = 30 * SECOND_MS;
/** Agents sought in vain that are remembered. */
const VAIN_MAX = 1000;
/** Strangers sought a minute: whoever writes to us may do so under another key each time. */
const STRANGERS_A_MINUTE = 10;
const RECOVERED_PATH = /^\/__darkmatter__\/(webhook|webhook_relay)\//;

export function createRecovery({ clock }: Pick<MeshPorts, "clock">, asking: Asking): Recovery {
  /** Until when agents are left alone, by the monotonic clock. */
  const vainUntilMs = new Map<string, number>();
  let strangersAtMs: number[] = [];

  async function maySeek(
    agentId: string,
    isStranger: (() => Promise<boolean>) | undefined,
  ): Promise<boolean> {
    const nowMs = clock.monotonic();
    if ((vainUntilMs.get(agentId) ?? nowMs) > nowMs) return false;
    if (!(await isStranger?.())) return true;
    strangersAtMs = strangersAtMs.filter((atMs) => nowMs - atMs < MINUTE_MS);
    return strangersAtMs.length < STRANGERS_A_MINUTE && strangersAtMs.push(nowMs) > 0;
  }

  function soughtInVain(agentId: string): void {
    if (vainUntilMs.size >= VAIN_MAX) vainUntilMs.clear();
    vainUntilMs.set(agentId, clock.monotonic() + VAIN_MS);
  }

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
    async recovering(webhook, agentId, call, isStranger) {
      try {
        return await call(webhook);
      } catch (error) {
        const path = pathOf(webhook);
        if (path === undefined || !isUnconnected(error) || !(await maySeek(agentId, isStranger))) throw error;
        for await (const base of places(agentId, baseUrl(webhook.slice(0, -path.length)))) {
          try {
            return await call(`${base}${path}`);
          } catch (again) {
            if (!isUnconnected(again)) throw error;
          }
        }
        soughtInVain(agentId);
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
