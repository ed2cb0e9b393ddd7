import { isJsonObject } from "@darkmatter/core";
import type { Scenario } from "./scenario.ts";
import type { Call, Reply } from "./world.ts";

/** Peers take everything, and when asked for an impression say what the scenario records them to have said. */
export function peersReply({ method, url }: Call, { setup, peer_trust_recorded: trust }: Scenario): Reply {
  const [, about = ""] = /\/impression\/(\w+)$/.exec(url) ?? [];
  if (method !== "GET" || about === "") return { status: 200, body: { success: true } };
  const silent = { status: 200, body: { agent_id: about, has_impression: false } };
  const asked = setup.connections.find(({ agent_url: base }) =>
    url.startsWith(String(base).replace(/\/mcp$/, "")),
  );
  const told = trust?.most_trusted_recommender;
  if (!trust || !isJsonObject(told) || !asked) return silent;
  const { their_score: score = 0, their_note: note = "" } = told;
  if (asked.agent_id === told.agent_id) {
    return { status: 200, body: { agent_id: about, has_impression: true, score, note } };
  }
  // The others share what the mean leaves for them.
  const others = Number(trust.peers_with_opinion) - 1;
  const rank = setup.connections.filter(({ agent_id: id }) => id !== told.agent_id).indexOf(asked);
  if (rank >= others) return silent;
  const rest = (Number(trust.avg_score) * (others + 1) - Number(score)) / others;
  return { status: 200, body: { agent_id: about, has_impression: true, score: rest, note: "" } };
}
