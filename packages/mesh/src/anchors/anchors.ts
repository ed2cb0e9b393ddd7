import { hasCode, type JsonObject, SECOND_MS } from "@darkmatter/core";
import { baseUrl, validateUrl } from "@darkmatter/net";
import { mayHaveArrived, type PeerAnswer, type Peers, refusalText } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** How long an anchor may take, in ms (mesh.md 4). */
export const ANCHOR_MS = { lookup: 2 * SECOND_MS, grace: 500, post: 5 * SECOND_MS } as const;

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
  /** Tells all of them where we are; whether each took it. Never rejects. */
  announce(body: object): Promise<boolean>;
  /** Where an agent said it is: the first usable answer. Not yet believed. */
  lookup(agentId: string, excluded?: ReadonlySet<string>): Promise<string | undefined>;
  /** Leaves something below `/__darkmatter__/` with the first that takes it. Rejects only with ABORTED. */
  leave(path: string, body: object, timeoutMs: number, signal?: AbortSignal): Promise<Left>;
  /** Leaves word that we accepted an agent's request (mesh.md 6.1). Whether an anchor took it. */
  leaveAcceptance(requesterId: string, body: object): Promise<boolean>;
  /** What a webhook URL of ours begins with where only an anchor can be called: `<this>/<message id>`. */
  webhookBase(): string | undefined;
  /** An anchor answered as it should. */
  worked(url: string): void;
}

export function createAnchors({ config, signer, clock }: MeshPorts, peers: Peers): Anchors {
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

  /** Rejects unless the answer is usable, so that the first usable one wins. */
  async function ask(anchor: string, agentId: string, excluded: ReadonlySet<string>): Promise<string> {
    const url = `${anchor}/__darkmatter__/peer_lookup/${agentId}`;
    const answer = await peers.get({ url, timeoutMs: ANCHOR_MS.lookup, reach: "private" });
    const found = usableUrl(answer, agentId);
    if (found === undefined || excluded.has(baseUrl(found))) throw new Error("nothing usable");
    return found;
  }

  return {
    urls,
    leave,

    async announce(body) {
      const told = await Promise.all(
        urls().map((anchor) =>
          peers
            .post(
              { url: `${anchor}/__darkmatter__/peer_update`, timeoutMs: ANCHOR_MS.post, reach: "private" },
              body,
            )
            .then(isTaken, () => false),
        ),
      );
      return told.every(Boolean);
    },

    async lookup(agentId, excluded = new Set()) {
      const asked = urls().map((anchor) => ask(anchor, agentId, excluded));
      if (asked.length === 0) return undefined;
      const done = new AbortController();
      // An anchor that trickles its answer may outlast its own time.
      const late = clock.sleep(ANCHOR_MS.lookup + ANCHOR_MS.grace, done.signal).catch(() => undefined);
      const first = Promise.any(asked).catch(() => undefined);
      const found = await Promise.race([first, late]);
      done.abort();
      return found ?? undefined;
    },

    async leaveAcceptance(requesterId, body) {
      return (await leave(`connection_relay/${requesterId}`, body, ANCHOR_MS.post)).taken;
    },

    webhookBase() {
      const [anchor] = urls();
      return anchor && `${anchor}/__darkmatter__/webhook_relay/${signer.agentId}`;
    },

    worked(url) {
      best = url;
    },
  };
}

function usableUrl({ status, body }: PeerAnswer, agentId: string): string | undefined {
  const { agent_id: id, url } = body as JsonObject;
  if (status !== 200 || id !== agentId || typeof url !== "string" || validateUrl(url)) return undefined;
  return url;
}
