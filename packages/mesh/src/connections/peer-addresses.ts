import { baseUrl } from "@darkmatter/net";
import type { Read } from "@darkmatter/store";
import { readImpressions } from "../impressions/impressions.store.ts";
import { type Connection, speaks } from "./connection.ts";
import { readConnections } from "./connections.store.ts";

/** Where a connected agent is. */
export interface PeerAddress {
  readonly agentId: string;
  /** Base URL of its node. */
  readonly url: string;
  readonly name: string | null;
  /** It announced that its checkpoints are named after its log (docs/proof.md section 2). */
  readonly namesLog: boolean;
}

const addressOf = (peer: Connection): PeerAddress => ({
  agentId: peer.agentId,
  url: baseUrl(peer.url),
  name: peer.displayName,
  namesLog: speaks(peer, "lognames/1"),
});

export async function readPeerAddresses(tx: Read): Promise<PeerAddress[]> {
  return (await readConnections(tx)).map(addressOf);
}

/** Those that announced journal/1, best impression first. */
export async function readWitnesses(tx: Read): Promise<PeerAddress[]> {
  const scores = new Map((await readImpressions(tx)).map(({ about, score }) => [about, score]));
  const scoreOf = ({ agentId }: Connection) => scores.get(agentId) ?? 0;
  const able = (await readConnections(tx)).filter((peer) => speaks(peer, "journal/1"));
  return able.sort((one, other) => scoreOf(other) - scoreOf(one)).map(addressOf);
}
