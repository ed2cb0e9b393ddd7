import type { JsonObject } from "@darkmatter/core";
import { type Connection, endpoint } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { inParallel, PARALLEL_CALLS_MAX, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Impressions } from "./impressions.ts";

/** What a peer thinks of somebody, as it answered. */
export interface Opinion {
  readonly peer: Connection;
  readonly score: number;
  readonly note: string;
}

/** Asking others what they think (mesh.md 6.3). */
export interface Opinions {
  /** One peer's opinion; `undefined` when it has none. Rejects when it cannot be reached. */
  ask(peer: Connection, about: string): Promise<Opinion | undefined>;
  /** Every connection is asked, side by side; those that do not answer count as without opinion. */
  survey(about: string): Promise<JsonObject>;
}

/** Longer notes of peers are cut. */
const NOTE_SHOWN_MAX = 1000;

export function createOpinions(
  { db }: MeshPorts,
  connections: Connections,
  impressions: Impressions,
  peers: Peers,
): Opinions {
  async function ask(peer: Connection, about: string): Promise<Opinion | undefined> {
    const url = endpoint(peer.url, `impression/${encodeURIComponent(about)}`);
    const answer = await peers.get({ url, timeoutMs: TIMEOUT_MS.impression, reach: "private" });
    const { has_impression: has, score, note } = answer.body;
    if (answer.status !== 200 || has !== true || typeof score !== "number" || !(Math.abs(score) <= 1))
      return undefined;
    return { peer, score, note: typeof note === "string" ? note.slice(0, NOTE_SHOWN_MAX) : "" };
  }

  return {
    ask,

    async survey(about) {
      const asked = (await connections.all(db)).filter((peer) => peer.agentId !== about);
      const answers = await inParallel(asked, PARALLEL_CALLS_MAX, (peer) =>
        ask(peer, about).catch(() => undefined),
      );
      const opinions = answers.filter((opinion) => opinion !== undefined);
      const mean = opinions.reduce((sum, { score }) => sum + score, 0) / opinions.length;
      const summary = {
        peers_queried: asked.length,
        peers_with_opinion: opinions.length,
        avg_score: opinions.length === 0 ? null : Math.round(mean * 100) / 100,
      };
      if (asked.length === 0) return summary;
      return { ...summary, most_trusted_recommender: await recommender(opinions) };
    },
  };

  async function recommender(opinions: readonly Opinion[]): Promise<JsonObject | null> {
    let best: JsonObject | null = null;
    let trust = Number.NEGATIVE_INFINITY;
    for (const { peer, score, note } of opinions) {
      const ours = await impressions.scoreOf(db, peer.agentId);
      if (ours <= trust) continue;
      trust = ours;
      best = { agent_id: peer.agentId, your_trust_in_them: ours, their_score: score, their_note: note };
    }
    return best;
  }
}
