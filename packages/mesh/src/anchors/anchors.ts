import { hasCode, SECOND_MS } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import { mayHaveArrived, type PeerAnswer, type Peers, refusalText } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** How long an anchor may take for a post (mesh.md 4). */
export const ANCHOR_POST_MS = 5 * SECOND_MS;

/** What became of something left with an anchor. */
export interface Left {
  readonly taken: boolean;
  /** It may lie with one all the same. */
  readonly perhaps: boolean;
  /** The first reason why not. */
  readonly error: unknown;
}

/** The servers the owner named, which know where agents are and hold things for those nobody can reach. */
export interface Anchors {
  /** Their base URLs, the one that last answered first. */
  urls(): readonly string[];
  /** Leaves something below `/__darkmatter__/` with the first that takes it. Rejects only with ABORTED. */
  leave(path: string, body: object, timeoutMs: number, signal?: AbortSignal): Promise<Left>;
  /** Leaves word that we accepted an agent's request (mesh.md 6.1). Whether an anchor took it. */
  leaveAcceptance(requesterId: string, body: object): Promise<boolean>;
  /** An anchor answered as it should. */
  worked(url: string): void;
}

export function createAnchors({ config }: Pick<MeshPorts, "config">, peers: Peers): Anchors {
  let best: string | undefined;

  function urls(): readonly string[] {
    const all = [...new Set(config.anchors.map(baseUrl))];
    return best !== undefined && all.includes(best) ? [best, ...all.filter((url) => url !== best)] : all;
  }

  /** A redirect is followed nowhere: an anchor is what the owner named, and only there. */
  const isTaken = ({ status }: PeerAnswer) => status >= 200 && status < 300;

  async function leave(path: string, body: object, timeoutMs: number, signal?: AbortSignal): Promise<Left> {
    let left: Left = { taken: false, perhaps: false, error: undefined };
    for (const anchor of urls()) {
      const url = `${anchor}/__darkmatter__/${path}`;
      try {
        const answer = await peers.post({ url, timeoutMs, reach: "private", signal }, body);
        if (isTaken(answer)) {
          best = anchor;
          return { ...left, taken: true };
        }
        left = { ...left, error: left.error ?? new Error(refusalText(answer)) };
      } catch (error) {
        if (hasCode(error, "ABORTED")) throw error;
        left = { ...left, perhaps: left.perhaps || mayHaveArrived(error), error: left.error ?? error };
      }
    }
    return left;
  }

  return {
    urls,
    leave,

    async leaveAcceptance(requesterId, body) {
      return (await leave(`connection_relay/${requesterId}`, body, ANCHOR_POST_MS)).taken;
    },

    worked(url) {
      best = url;
    },
  };
}
