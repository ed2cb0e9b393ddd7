import { AgentId, SECOND_MS } from "@darkmatter/core";
import { baseUrl, type Reach } from "@darkmatter/net";
import { type Connection, endpoint } from "../connections/connection.ts";
import { readConnections } from "../connections/connections.store.ts";
import { readImpressions } from "../impressions/impressions.store.ts";
import { inParallel, type PeerAnswer, type Peers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transports } from "../transports/transport.ts";
import { ASKED_MAX, mayBeBelieved, type Opinion, ranked, reachFrom, weightOf } from "./consensus.ts";

/** A place where an agent may be, as others say. */
export interface Candidate {
  /** A base URL. */
  readonly url: string;
  /** How far a look there may reach. */
  readonly reach: Reach;
}

/** Asking others where an agent is (mesh.md 9.3). Nothing of it is believed before `confirms`. */
export interface Asking {
  /** Where others say it is, the most trusted place first. */
  where(agentId: string, excluded: ReadonlySet<string>): Promise<readonly Candidate[]>;
  /** Whether the well-known document there names the agent. Never rejects. */
  confirms(candidate: Candidate, agentId: string): Promise<boolean>;
}

/** Asks one connected agent; `undefined` where it does not answer. */
export type AskPeer = (peer: Connection, path: string, timeoutMs: number) => Promise<PeerAnswer | undefined>;

/** Asks over whatever way a peer is reached by. */
export const askOver =
  (transports: Transports): AskPeer =>
  async (peer, path, timeoutMs) => {
    const outcome = await transports.call(peer, { method: "GET", path, timeoutMs });
    return outcome.kind === "answered" ? outcome.answer : undefined;
  };

const LOOKUP_TIMEOUT_MS = 5 * SECOND_MS;
/** Anchors only have to be quick: there is nobody else left to ask. */
const ANCHOR_TIMEOUT_MS = 2.5 * SECOND_MS;

export function createAsking(
  { db, config }: Pick<MeshPorts, "db" | "config">,
  peers: Peers,
  askPeer: AskPeer,
): Asking {
  async function opinions(agentId: string, path: string): Promise<Array<Opinion & { teller: string }>> {
    const others = (await readConnections(db)).filter((peer) => peer.agentId !== agentId);
    const scores = new Map((await readImpressions(db)).map(({ about, score }) => [about, score]));
    const answers = await inParallel(others.slice(0, ASKED_MAX), ASKED_MAX, async (peer) => {
      const url = urlIn(await askPeer(peer, path, LOOKUP_TIMEOUT_MS), agentId);
      return { url, weight: weightOf(scores.get(peer.agentId)), teller: baseUrl(peer.url) };
    });
    return answers.flatMap(({ url, ...rest }) =>
      url !== undefined && mayBeBelieved(url, rest.teller) ? [{ url, ...rest }] : [],
    );
  }

  /** The first anchor that knows a usable place. */
  async function byAnchors(agentId: string, path: string, excluded: ReadonlySet<string>) {
    const asked = config.anchors.map(async (anchor): Promise<Candidate> => {
      const call = { url: endpoint(anchor, path), timeoutMs: ANCHOR_TIMEOUT_MS, reach: "private" } as const;
      const url = urlIn(await peers.get(call), agentId);
      const base = url !== undefined && mayBeBelieved(url, anchor) ? baseUrl(url) : undefined;
      if (base === undefined || excluded.has(base)) throw new Error("not known there");
      return { url: base, reach: reachFrom(anchor) };
    });
    return Promise.any(asked).then(
      (found) => [found],
      () => [],
    );
  }

  return {
    async where(agentId, excluded) {
      // It goes into a path.
      if (!AgentId.safeParse(agentId).success) return [];
      const path = `peer_lookup/${agentId}`;
      const heard = await opinions(agentId, path);
      const places = ranked(heard, excluded);
      if (places.length === 0) return byAnchors(agentId, path, excluded);
      return places.map((url) => {
        const tellers = heard.filter((opinion) => baseUrl(opinion.url) === url).map(({ teller }) => teller);
        return {
          url,
          reach: tellers.some((teller) => reachFrom(teller) === "private") ? "private" : "public",
        };
      });
    },

    async confirms({ url, reach }, agentId) {
      const call = { url: `${url}/.well-known/darkmatter.json`, timeoutMs: LOOKUP_TIMEOUT_MS, reach };
      const answer = await peers.get(call).catch(() => undefined);
      return answer?.status === 200 && answer.body.darkmatter === true && answer.body.agent_id === agentId;
    },
  };
}

function urlIn(answer: PeerAnswer | undefined, agentId: string): string | undefined {
  if (answer?.status !== 200) return undefined;
  const { url, agent_id: named } = answer.body;
  if (named !== undefined && named !== agentId) return undefined;
  return typeof url === "string" ? url : undefined;
}
